import type { Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import {
	type Reason,
	type ReasonCode,
	reasonText,
} from "../addresses/reasons.ts";
import type { Prospect } from "./address-step.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { isSpokenOf } from "./controller-turn.ts";
import type { Explanation, StepReport } from "./explanation.ts";
import { factOf } from "./fact.ts";
import { helpFor } from "./reasons.ts";
import { ingressText } from "./steps.ts";

export interface Deciding {
	service: Service;
	state: Explanation["state"];
	at: StepReport | undefined;
	steps: readonly StepReport[];
	prospect: Prospect | undefined;
}

/** One sentence on how the Service stands. */
export function headlineOf(deciding: Deciding): string {
	const { service, state, at } = deciding;
	const who = objectKey(service);
	const why = at ? whyText(deciding, at) : "";
	switch (state) {
		case "Served":
			return `${who} is served at ${ingressText(service)}`;
		case "Degraded":
			return `${who} has ${ingressText(service)}, but ${why}`;
		case "Waiting":
			return `${who} waits: ${why}`;
		case "NotOurs":
			return `${who} is not Fairlead's: ${why}`;
		default: {
			const what = service.metadata.deletionTimestamp
				? `${who} is being deleted`
				: `${who} leaves Fairlead`;
			return at?.state === "Done" ? what : `${what} and waits: ${why}`;
		}
	}
}

/** Pools that a headline names one by one; the table below it has all of them. */
const namedPools = 2;

function whyText(
	{ service, prospect }: Deciding,
	{ step, state, reason, message }: StepReport,
): string {
	const { refusals = [], notices = [] } = prospect ?? {};
	if (step === "Address" && state === "Notice")
		return listed(
			reason === refusals[0]?.code ? [...refusals, ...notices] : notices,
			reasonText,
		);
	const isRefused =
		step === "Address" &&
		state === "Blocked" &&
		(reason === "NoAddressAvailable" ||
			refusals.some(({ code }) => code === reason));
	if (isRefused && refusals.length > 0) return listed(refusals, refusalText);
	// The address has been named by then.
	const shown = `${ingressText(service)}, `;
	return factOf(
		message.startsWith(shown) ? message.slice(shown.length) : message,
	);
}

function listed(
	reasons: readonly Reason[],
	textOf: (reason: Reason) => string,
): string {
	const named = reasons
		.slice(0, namedPools)
		.map((each) => factOf(textOf(each)));
	const left = reasons.length - namedPools;
	return [
		...named,
		...(left > 0 ? [`and ${left} more reason${left > 1 ? "s" : ""}`] : []),
	].join("; ");
}

/** How a message goes on after the pool's name: `pool a` + ` is` + ` full (256 of 256)`. */
const verbs: Partial<Record<ReasonCode, string>> = {
	PoolFull: " is",
	NoAddressesOfFamily: " has",
	UseNotAdmitted: "",
	PoolNotFound: "",
};

function refusalText({ pool, code, message, ip }: Reason): string {
	if (pool === undefined || ip !== undefined) return message;
	return `pool ${pool}${verbs[code] ?? ":"} ${message}`;
}

/** What somebody can do, the most useful first. */
export function adviceFor(
	{ service, at, state, prospect }: Deciding,
	facts: ClusterFacts,
): string[] {
	if (!at || state === "Served") return [];
	const about =
		at.reason === "NoAddressAvailable"
			? [at.reason, ...(prospect?.refusals ?? []).map(({ code }) => code)]
			: [at.reason];
	const advice = about.flatMap((reason) => helpFor(reason) ?? []);
	// News only where Fairlead has something to do; one without a Lease has left its word on the Service.
	const { state: controller } = facts.snapshot.controller;
	const idle =
		controller === "Expired"
			? helpFor("ControllerExpired")
			: controller === "Absent" && !isSpokenOf(service)
				? helpFor("ControllerAbsent")
				: undefined;
	if (idle !== undefined && state !== "NotOurs") advice.push(idle);
	return [...new Set(advice)];
}

import type { Service } from "../../api/core.ts";
import { annotations, conditions } from "../../api/names.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import { type Reason, reasonText } from "../addresses/reasons.ts";
import { changedConditions, type Verdict } from "../conditions.ts";
import {
	type Announcement,
	quarrel,
	type ServiceChange,
} from "../next-step.ts";
import type { Finding } from "./assessment.ts";
import {
	assignedPrefix,
	externalIPRecordOf,
	formatExternalIPRecord,
} from "./record.ts";

/** All that the external IPs of one Service depend on. */
export interface ExternalIPWorld {
	service: Service;
	/** What the pools give for the annotation; undefined: it asks for nothing. */
	allocation:
		| {
				addresses: readonly { ip: string; pool: string }[];
				/** Why it has not all it asks for. */
				lacks?: { reason: string; message: string };
		  }
		| undefined;
	/** Of every address in spec.externalIPs, and of those allocated. */
	findings: readonly Finding[];
	/** False: the kind ExternalIPPolicy is not installed. */
	restricted: boolean;
	/** Why the API server does not take what is assigned into spec.externalIPs; undefined: it does, or was not asked. */
	specRefusal: string | undefined;
	/** What somebody keeps undoing; undefined: nobody does. */
	contested: readonly string[] | undefined;
	/** The highest Service resourceVersion seen, as the number of a new record. */
	seen: string;
	/** RFC 3339. */
	now: string;
}

/** The one thing to do next. Done again and again until nothing is left. */
export type ExternalIPStep =
	| { do: "nothing" }
	| { do: "patch"; change: ServiceChange; event?: Announcement }
	/** The whole list of spec.externalIPs. */
	| { do: "write-spec"; externalIPs: string[] };

/**
 * The order is what makes a crash harmless: an address is recorded before it goes into the spec, and leaves the record only
 * after it left the spec.
 */
export function nextExternalIPStep(world: ExternalIPWorld): ExternalIPStep {
	const { service, allocation, specRefusal } = world;
	// Until it is gone it keeps what it has, and whoever waits for its finalizers need not wait for us.
	if (service.metadata.deletionTimestamp) return { do: "nothing" };
	const inSpec = service.spec.externalIPs ?? [];
	const record = externalIPRecordOf(service);
	const wanted = (allocation?.addresses ?? []).map((each) => each.ip);
	const stale = new Set(record?.addresses.filter((ip) => !wanted.includes(ip)));
	if (inSpec.some((text) => stale.has(canonical(text))))
		return {
			do: "write-spec",
			externalIPs: inSpec.filter((text) => !stale.has(canonical(text))),
		};
	const patch = patchOf(world);
	if (patch) return patch;
	const present = new Set(inSpec.map(canonical));
	const missing = wanted.filter((ip) => !present.has(ip));
	if (missing.length > 0 && specRefusal === undefined)
		return { do: "write-spec", externalIPs: [...inSpec, ...missing] };
	return { do: "nothing" };
}

function patchOf(world: ExternalIPWorld): ExternalIPStep | undefined {
	const { service, now } = world;
	const current = service.status?.conditions ?? [];
	const old = current.find(({ type }) => type === conditions.externalIPs);
	const change: ServiceChange = {};
	const text = recordText(world);
	const written =
		service.metadata.annotations?.[annotations.assignedExternalIPs];
	if (text !== written)
		change.annotations = { [annotations.assignedExternalIPs]: text ?? null };
	const verdict = verdictOf(world);
	const [changed] = verdict ? changedConditions(current, [verdict], now) : [];
	if (changed) change.conditions = [changed];
	else if (!verdict && old) change.dropConditions = [conditions.externalIPs];
	if (Object.keys(change).length === 0) return undefined;
	const turned =
		changed?.status === "False" &&
		(old?.status !== "False" || old.reason !== changed.reason);
	return {
		do: "patch",
		change,
		...(turned
			? {
					event: {
						type: "Warning" as const,
						reason: changed.reason,
						note: changed.message,
					},
				}
			: {}),
	};
}

/** Why the pools do not give what is asked for; that others than the one asked for do not is no news. */
export function lackOf(reasons: readonly Reason[]): {
	reason: string;
	message: string;
} {
	const own = reasons.filter(({ code }) => code !== "PoolNotRequested");
	const said = own.length > 0 ? own : reasons;
	const [only, ...others] = new Set(said.map(({ code }) => code));
	return {
		reason: others.length > 0 ? "NoAddressAvailable" : (only ?? "NoPools"),
		message:
			said.map(reasonText).join("; ") ||
			"there is no AddressPool with uses ExternalIP that this Service may draw from",
	};
}

/** A record that already says the same keeps its number. */
function recordText({
	service,
	allocation,
	seen,
}: ExternalIPWorld): string | undefined {
	if (!allocation || allocation.addresses.length === 0) return undefined;
	const addresses = allocation.addresses.map(({ ip }) => ip);
	const pools = allocation.addresses.map(({ pool }) => pool);
	const record = externalIPRecordOf(service);
	const number =
		record?.addresses.join() === addresses.join() ? record.number : seen;
	return formatExternalIPRecord({ addresses, pools, number });
}

/** Undefined for a Service that has no external IPs and asks for none. */
function verdictOf({
	allocation,
	findings,
	restricted,
	specRefusal,
	contested,
}: ExternalIPWorld): Verdict | undefined {
	if (!allocation && findings.length === 0) return undefined;
	const type = conditions.externalIPs;
	const problems = findings.flatMap(({ problem }) => problem ?? []);
	const lacks = allocation?.lacks;
	const codes = [
		...new Set([
			...problems.map(({ code }) => code as string),
			...(lacks ? [lacks.reason] : []),
		]),
	];
	const [only] = codes;
	const assigned = new Map(
		allocation?.addresses.map(({ ip, pool }) => [ip, pool]),
	);
	const named = (ip: string, pool: string | undefined) =>
		pool === undefined ? ip : `${ip} (pool ${pool})`;
	const fine = findings.filter(({ problem }) => !problem);
	if (only !== undefined) {
		const others = fine.filter(({ ip }) => !assigned.has(ip));
		const ours = [...assigned].map(([ip, pool]) => named(ip, pool));
		return {
			type,
			status: "False",
			reason: codes.length > 1 ? "SeveralProblems" : only,
			message: [
				...(ours.length > 0 ? [`${assignedPrefix}${ours.join(", ")}`] : []),
				...problems.map(({ message }) => message),
				...(lacks ? [lacks.message] : []),
				...(others.length > 0
					? [
							`in order: ${others.map(({ ip, pool }) => named(ip, pool)).join(", ")}`,
						]
					: []),
			].join("; "),
		};
	}
	// Of what is assigned the pool that it is from, which is the record's: where nothing is restricted no other is known.
	const list = fine
		.map(({ ip, pool }) => named(ip, assigned.get(ip) ?? pool))
		.join(", ");
	if (contested)
		return {
			type,
			status: "True",
			reason: "Contested",
			message: `${list}; ${quarrel(contested)}`,
		};
	if (specRefusal !== undefined)
		return {
			type,
			status: "True",
			reason: "AssignedOutsideSpec",
			message: `${list}; carried only by nodes whose rules Fairlead programs, since the API server does not take it into spec.externalIPs: ${specRefusal}`,
		};
	return restricted
		? { type, status: "True", reason: "Granted", message: list }
		: {
				type,
				status: "True",
				reason: "Unrestricted",
				message: `${list}; the kind ExternalIPPolicy is not installed, so any Service may take any address`,
			};
}

function canonical(text: string): string {
	const address = parseIp(text.trim());
	return address.ok ? formatIp(address.value) : text;
}

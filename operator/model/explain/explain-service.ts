import type { Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import { conditions, finalizers } from "../../api/names.ts";
import { canonicalSourceRanges } from "../addresses/cidr.ts";
import { formatIp } from "../addresses/ip.ts";
import { assignmentOf } from "../assignment.ts";
import { holdingOf, holdingValue } from "../holding.ts";
import { type Ownership, resolveOwnership } from "../ownership.ts";
import {
	addressStep,
	drawsOnPools,
	type Prospect,
	prospectOf,
} from "./address-step.ts";
import { classReports, poolReports } from "./candidates.ts";
import type { ClusterFacts, Unread } from "./cluster-facts.ts";
import { controllersTurn } from "./controller-turn.ts";
import type {
	Explanation,
	Present,
	StepReport,
	Wanted,
} from "./explanation.ts";
import { adviceFor, headlineOf } from "./headline.ts";
import { leavingSteps } from "./leaving-steps.ts";
import { endpointsOf, servingStep } from "./serving-step.ts";
import {
	conditionOf,
	furtherSteps,
	guardStep,
	hasIngress,
	ingressStep,
	programmedStep,
	providerStep,
} from "./steps.ts";

/**
 * All that can be said of one Service, of any type and anybody's: what it wants, what it has, which step it is at, and
 * for every pool and class why it serves it or not. Needs nothing but objects; where the controller alone knows (what a
 * provider answered) it goes by what the controller wrote.
 */
export function explainService(
	service: Service,
	facts: ClusterFacts,
): Explanation {
	const ownership = resolveOwnership(service, facts.classes);
	const prospect =
		ownership.kind === "Ours" && drawsOnPools(ownership.class)
			? prospectOf(service, ownership.class.metadata.name, facts)
			: undefined;
	const { state, steps, at } = standing(service, ownership, prospect, facts);
	const verdict = { service, state, at, steps, prospect };
	const since = at && sinceWhen(service, at);
	return {
		service: objectKey(service),
		state,
		headline: headlineOf(verdict),
		reason: at?.reason ?? "EndpointsReady",
		...(at && state !== "NotOurs" ? { step: at.step } : {}),
		wanted: wantedOf(service, facts),
		present: presentOf(service, facts, since),
		steps,
		pools: poolReports(facts, prospect, whyNoPools(ownership)),
		classes: classReports(service, ownership, facts),
		advice: adviceFor(verdict, facts),
		blind: facts.snapshot.unread
			.map(({ resource, why, message }) => `${resource} (${why}): ${message}`)
			.sort(),
	};
}

/** Whether a Service is worth a line among those that wait, by state. */
export function isWaiting({ state }: Pick<Explanation, "state">): boolean {
	return state === "Waiting" || state === "Leaving" || state === "Degraded";
}

interface Standing {
	state: Explanation["state"];
	steps: StepReport[];
	/** The step that decides; undefined when all is done. */
	at: StepReport | undefined;
}

function standing(
	service: Service,
	ownership: Ownership,
	prospect: Prospect | undefined,
	facts: ClusterFacts,
): Standing {
	const further = furtherSteps(service);
	if (service.metadata.deletionTimestamp || isLeaving(service, ownership)) {
		const steps = [...leavingSteps(service, facts), ...further];
		return {
			state: "Leaving",
			steps,
			at: steps.find(isHeldUp) ?? steps.find(({ step }) => step === "Undo"),
		};
	}
	const first = ownershipStep(service, ownership, facts);
	if (ownership.kind !== "Ours") {
		const waits =
			service.spec.type === "LoadBalancer" &&
			(ownership.kind === "Refused" || !hasIngress(service)) &&
			first.reason !== "OtherController";
		return {
			state: waits ? "Waiting" : "NotOurs",
			steps: [first, ...further],
			at: first,
		};
	}
	const { class: found } = ownership;
	const steps = untilHeldUp([
		first,
		...movingStep(service, found.metadata.name, facts),
		addressStep(service, found, prospect, facts),
		guardStep(service, found, facts),
		providerStep(service, found, facts),
		programmedStep(service),
		ingressStep(service, facts),
		servingStep(service, found, facts),
		...further,
	]);
	const at =
		steps.find(isHeldUp) ?? steps.find(({ state }) => state === "Notice");
	if (!hasIngress(service)) return { state: "Waiting", steps, at: at ?? first };
	return { state: at ? "Degraded" : "Served", steps, at };
}

function isHeldUp({ state }: StepReport): boolean {
	return state === "Blocked" || state === "Next";
}

/** What comes after a step that is not done says nothing yet; what stands all the same goes on being said. */
function untilHeldUp(steps: StepReport[]): StepReport[] {
	let behind: StepReport | undefined;
	return steps.map((each) => {
		const later = behind && isHeldUp(each) && each.step !== "Serving";
		if (isHeldUp(each)) behind ??= each;
		return later
			? {
					step: each.step,
					state: "Later",
					reason: "NotReached",
					message: `comes after ${behind?.step}`,
				}
			: each;
	});
}

/** It is nobody's of ours any more, and something is still held for it. */
function isLeaving(service: Service, ownership: Ownership): boolean {
	return (
		ownership.kind === "NotOurs" &&
		(holdingOf(service) !== undefined ||
			(service.metadata.finalizers ?? []).includes(finalizers.classed))
	);
}

function ownershipStep(
	service: Service,
	ownership: Ownership,
	facts: ClusterFacts,
): StepReport {
	const step = "Ownership";
	const blocked = (reason: string, message: string): StepReport => ({
		step,
		state: "Blocked",
		reason,
		message,
	});
	const unread = facts.unread("balancerclasses.fairlead.dev");
	switch (ownership.kind) {
		case "Ours":
			return {
				step,
				state: "Done",
				reason: "ClassFound",
				message: `class ${ownership.class.metadata.name} ${service.spec.loadBalancerClass === undefined ? "is default" : "is named by the Service"}`,
			};
		case "Refused":
			return unread && ownership.reason === "UnknownClass"
				? blocked(...classesUnread(unread))
				: blocked(ownership.reason, ownership.message);
		default:
			if (service.spec.type !== "LoadBalancer")
				return blocked("NotLoadBalancer", ownership.because);
			if (service.spec.loadBalancerClass !== undefined)
				return blocked("OtherController", ownership.because);
			return unread
				? blocked(...classesUnread(unread))
				: blocked("NoDefaultClass", ownership.because);
	}
}

function classesUnread({
	why,
	message,
}: Unread): [reason: string, message: string] {
	return why === "Missing"
		? [
				"KindMissing",
				"kind BalancerClass is not installed in this cluster, and nobody can be told a class",
			]
		: ["KindUnreadable", `BalancerClasses cannot be read: ${message}`];
}

/** Another class holds something for it, which goes before anything new is made. */
function movingStep(
	service: Service,
	className: string,
	facts: ClusterFacts,
): StepReport[] {
	const holding = holdingOf(service);
	if (!holding || holding.className === className) return [];
	if (facts.snapshot.controller.state !== "Running")
		return [
			controllersTurn(
				"Undo",
				`take away what class ${holding.className} holds`,
				service,
				facts,
			),
		];
	return [
		{
			step: "Undo",
			state: "Blocked",
			reason: "Moving",
			message: `what class ${holding.className} holds is taken away before class ${className} makes anything`,
		},
	];
}

function whyNoPools(ownership: Ownership): string {
	return ownership.kind === "Ours"
		? `provider ${ownership.class.spec.provider} picks the address itself`
		: "no class serves the Service";
}

/** Since when the condition behind a step says what it says. */
function sinceWhen(service: Service, at: StepReport): string | undefined {
	const type = {
		Ownership: conditions.addressAssigned,
		Address: conditions.addressAssigned,
		Provider: conditions.provisioned,
		Programmed: conditions.programmed,
		Serving: conditions.serving,
		ExternalIPs: conditions.externalIPs,
		NodePorts: conditions.nodePorts,
	}[at.step as string];
	const written = type === undefined ? undefined : conditionOf(service, type);
	if (written && written.status !== "True") return written.lastTransitionTime;
	return hasIngress(service)
		? undefined
		: (service.metadata.deletionTimestamp ??
				service.metadata.creationTimestamp);
}

function wantedOf(service: Service, facts: ClusterFacts): Wanted {
	const { spec, metadata } = service;
	const { request } = facts.request(service, "");
	const ranges = canonicalSourceRanges(spec, metadata.annotations);
	return {
		type: spec.type ?? "ClusterIP",
		...(spec.loadBalancerClass === undefined
			? {}
			: { loadBalancerClass: spec.loadBalancerClass }),
		families: [...request.families],
		ipFamilyPolicy: request.policy,
		addresses: request.requestedAddresses.map(formatIp),
		...(request.requestedPool === undefined
			? {}
			: { pool: request.requestedPool }),
		...(request.sharingKey === undefined
			? {}
			: { sharingKey: request.sharingKey }),
		ports: (spec.ports ?? []).map(
			({ name, protocol = "TCP", port, targetPort, nodePort }) => ({
				...(name === undefined ? {} : { name }),
				protocol,
				port,
				...(targetPort === undefined ? {} : { targetPort }),
				...(nodePort ? { nodePort } : {}),
			}),
		),
		sourceRanges: [ranges.IPv4, ranges.IPv6].flatMap(({ open, cidrs }) =>
			open ? [] : cidrs,
		),
		externalTrafficPolicy: request.externalTrafficPolicy,
		sessionAffinity: spec.sessionAffinity ?? "None",
		externalIPs: spec.externalIPs ?? [],
	};
}

function presentOf(
	service: Service,
	facts: ClusterFacts,
	since: string | undefined,
): Present {
	const { metadata, status } = service;
	const ours = new Set<string>(Object.values(conditions));
	const assigned = assignmentOf(service);
	const holding = holdingOf(service);
	const { ready, total } = endpointsOf(service, facts);
	return {
		...(assigned ? { assigned } : {}),
		...(holding ? { provisionedBy: holdingValue(holding) } : {}),
		finalizers: metadata.finalizers ?? [],
		ingress: status?.loadBalancer?.ingress ?? [],
		conditions: (status?.conditions ?? [])
			.filter(({ type }) => ours.has(type))
			.sort((a, b) => (a.type < b.type ? -1 : 1)),
		...(metadata.deletionTimestamp
			? { deleting: metadata.deletionTimestamp }
			: {}),
		endpoints: { ready: ready.length, total },
		...(since === undefined ? {} : { since }),
	};
}

import type { LoadBalancerIngress, Service } from "../api/core.ts";
import type { ProviderName } from "../api/fairlead.ts";
import type { Condition } from "../api/meta.ts";
import {
	annotations,
	conditions,
	eventReasons,
	finalizers,
} from "../api/names.ts";
import { mayShow, programmingFor } from "./agents.ts";
import {
	type Assignment,
	assignmentOf,
	formatAssignment,
	sameAssignment,
	vouchedAssignmentOf,
} from "./assignment.ts";
import type { DesiredBalancer, ObservedBalancer } from "./balancer/balancer.ts";
import { wasWorkedFor } from "./claims.ts";
import { changedConditions, type Verdict } from "./conditions.ts";
import { explain, explainLeaving } from "./explain.ts";
import {
	ingressIsOurs,
	sameIngress,
	shownIngress,
	wantedIngress,
} from "./ingress.ts";
import { intentOf } from "./intent.ts";
import { finalizerOf, type Holding, holdingValue } from "./holding.ts";
import { providerTraits } from "./provider-traits.ts";
import type { OwnWorld, World } from "./world.ts";

/** The one thing to do next for a Service. Done again and again until nothing is left. */
export type Step =
	| { do: "nothing" }
	| { do: "patch"; change: ServiceChange; event?: Announcement }
	| { do: "guard-class"; className: string }
	/** Have the pools write down what the Service leaves behind. */
	| { do: "note-addresses" }
	| { do: "ensure"; desired: DesiredBalancer }
	/** `holding` undefined: the record of who holds it was wiped, so every class that may is asked. */
	| { do: "delete"; holding: Holding | undefined; event?: Announcement };

/** One patch of a Service through /status; absent fields stay as they are. */
export interface ServiceChange {
	addFinalizer?: string;
	removeFinalizer?: string;
	/** null removes. */
	annotations?: Record<string, string | null>;
	conditions?: Condition[];
	/** Types of conditions to remove. */
	dropConditions?: string[];
	ingress?: LoadBalancerIngress[];
}

export interface Announcement {
	type: "Normal" | "Warning";
	reason: string;
	note: string;
}

/**
 * Decides from the world alone. The order is what makes a crash harmless: finalizer and record before the first call
 * to a provider, the address recorded before ingress, and the finalizer gone only after the provider said "gone".
 */
export function nextStep(world: World): Step {
	const intent = intentOf(world);
	if (intent.kind === "LetGo") return letGo(world, intent.holding);
	if (intent.kind === "Serve")
		return serve(world, intent.ours, intent.className);
	if (world.service.metadata.deletionTimestamp) return { do: "nothing" };
	return world.ownership.kind === "NotOurs" ? forget(world) : describe(world);
}

function letGo(world: World, holding: Holding | undefined): Step {
	const { service, outcome } = world;
	switch (outcome.kind) {
		case "Gone":
			if (world.mustNote) return { do: "note-addresses" };
			return {
				do: "patch",
				change: cleared(service, holding),
				event: {
					type: "Normal",
					reason: eventReasons.deleted,
					note: "Deleted load balancer",
				},
			};
		case "InFlight":
		case "Deleting":
			return { do: "nothing" };
		case "Failed": {
			const change = conditionChange(world, explainLeaving(world));
			return sayFailed(change, outcome, {
				type: "Warning",
				reason: eventReasons.deleteFailed,
				note: outcome.message,
			});
		}
		default:
			return {
				do: "delete",
				holding,
				event: {
					type: "Normal",
					reason: eventReasons.deleting,
					note: "Deleting load balancer",
				},
			};
	}
}

/** Takes every trace of ours off a Service. The API server itself clears status when the type leaves LoadBalancer. */
function cleared(
	service: Service,
	holding: Holding | undefined,
): ServiceChange {
	const present = service.metadata.finalizers ?? [];
	// The shared finalizer is ours only where we had something to guard by it; else it is a cloud controller's.
	const guarded = holding
		? providerTraits[holding.provider as ProviderName]?.needsUndo
		: wasWorkedFor(service);
	const finalizer = present.includes(finalizers.classed)
		? finalizers.classed
		: guarded
			? finalizers.classless
			: "";
	const change: ServiceChange = {
		annotations: {
			[annotations.assigned]: null,
			[annotations.provisionedBy]: null,
		},
	};
	if (present.includes(finalizer)) change.removeFinalizer = finalizer;
	const drop = ourConditions(service);
	if (drop.length > 0) change.dropConditions = drop;
	if (ingressIsOurs(service)) change.ingress = [];
	return change;
}

function ourConditions(service: Service): string[] {
	const types = new Set<string>(Object.values(conditions));
	return (service.status?.conditions ?? [])
		.map((condition) => condition.type)
		.filter((type) => types.has(type));
}

/** A Service that left us without holding anything: it had only been told why it cannot be served. */
function forget(world: World): Step {
	const { service } = world;
	const traces =
		ourConditions(service).length > 0 ||
		service.metadata.annotations?.[annotations.assigned] !== undefined;
	if (!traces) return { do: "nothing" };
	if (world.mustNote) return { do: "note-addresses" };
	return { do: "patch", change: cleared(service, undefined) };
}

function describe(world: World): Step {
	const change: ServiceChange = { ...conditionChange(world, explain(world)) };
	if (isForged(world)) change.annotations = { [annotations.assigned]: null };
	return Object.keys(change).length > 0
		? { do: "patch", change }
		: { do: "nothing" };
}

/** A record of addresses that the Service does not hold, nor ever did: whoever may edit it can write one. */
function isForged({ service, recordHeld }: World): boolean {
	return (
		recordHeld === false &&
		assignmentOf(service)?.pools !== undefined &&
		!vouchedAssignmentOf(service)
	);
}

function conditionChange(
	world: World,
	wanted: Verdict[],
): ServiceChange | undefined {
	const changed = changedConditions(
		world.service.status?.conditions ?? [],
		wanted,
		world.now,
	);
	return changed.length > 0 ? { conditions: changed } : undefined;
}

function serve(world: World, ours: OwnWorld, className: string): Step {
	if (ours.addressing.kind === "Refused") return describeWaiting(world);
	if (!ours.classGuarded) return { do: "guard-class", className };
	if (ours.needsUndo) {
		const guard = guardChange(world, ours);
		if (guard) return guard;
	}
	const { outcome } = world;
	switch (outcome.kind) {
		case "Observed":
			return outcome.balancer.pending && !outcome.slow && hasIngress(world)
				? { do: "nothing" }
				: settle(world, ours, outcome.balancer);
		case "Failed": {
			const change = conditionChange(world, explain(world));
			return sayFailed(change, outcome, {
				type: "Warning",
				reason: eventReasons.syncFailed,
				note: `Error syncing load balancer: ${outcome.message}`,
			});
		}
		case "InFlight":
			return { do: "nothing" };
		default:
			return { do: "ensure", desired: ours.desired };
	}
}

/** To be told to wait is no failure, and worth no event. */
function sayFailed(
	change: ServiceChange | undefined,
	outcome: { delayed?: true },
	event: Announcement,
): Step {
	if (!change) return { do: "nothing" };
	return outcome.delayed
		? { do: "patch", change }
		: { do: "patch", change, event };
}

function hasIngress(world: World): boolean {
	return (world.service.status?.loadBalancer?.ingress ?? []).length > 0;
}

/** No address can be had: said once, as upstream says a balancer is unavailable. */
function describeWaiting(world: World): Step {
	if (world.ours?.addressing.kind !== "Refused") return describe(world);
	const { service } = world;
	const change: ServiceChange = { ...conditionChange(world, explain(world)) };
	// What it held is somebody else's, or will be: it must not be shown any longer.
	if (assignmentOf(service)?.pools) {
		change.annotations = { [annotations.assigned]: null };
		if (ingressIsOurs(service)) change.ingress = [];
	}
	if (Object.keys(change).length === 0) return { do: "nothing" };
	return {
		do: "patch",
		change,
		event: {
			type: "Warning",
			reason: eventReasons.syncFailed,
			note: world.ours.addressing.message,
		},
	};
}

/** Finalizer, holder and (from our pools) the record, before anything outside the API is touched. */
function guardChange(world: World, ours: OwnWorld): Step | undefined {
	const { service } = world;
	const wanted = {
		...holderChange(world),
		...(ours.addressing.kind === "Pools"
			? recordChange(world, ours.addressing.assignment)
			: {}),
	};
	const finalizer = finalizerOf(service);
	const unguarded = !service.metadata.finalizers?.includes(finalizer);
	if (!unguarded && Object.keys(wanted).length === 0) return undefined;
	// With the condition that bears the record out, always in the same patch.
	const change: ServiceChange = {
		annotations: wanted,
		...conditionChange(world, explain(world)),
	};
	if (!unguarded) return { do: "patch", change };
	return {
		do: "patch",
		change: { addFinalizer: finalizer, ...change },
		// Put back on a Service that is served, it announces nothing new.
		...(hasIngress(world)
			? {}
			: {
					event: {
						type: "Normal",
						reason: eventReasons.ensuring,
						note: "Ensuring load balancer",
					},
				}),
	};
}

/** The annotation that names who holds something for the Service, if it is not there as it should be. */
function holderChange(world: World): Record<string, string> {
	if (world.ownership.kind !== "Ours") return {};
	const { metadata, spec } = world.ownership.class;
	const held = holdingValue({
		className: metadata.name,
		provider: spec.provider,
	});
	const name = annotations.provisionedBy;
	return world.service.metadata.annotations?.[name] === held
		? {}
		: { [name]: held };
}

/** The annotation that records an assignment, if it is not recorded as it is. */
function recordChange(
	world: World,
	assignment: Omit<Assignment, "number">,
): Record<string, string> {
	const recorded = assignmentOf(world.service);
	const next: Assignment = { ...assignment, number: world.seen };
	if (recorded && sameAssignment(recorded, next)) return {};
	return { [annotations.assigned]: formatAssignment(next) };
}

/**
 * Where nothing outside the API must be undone, a Service has a finalizer only for the sake of a pool that keeps what it
 * releases: always the one of our own, which nobody else sets or takes off.
 */
function retentionGuard(
	{ metadata }: Service,
	{ needsUndo, retained = false }: OwnWorld,
): Pick<ServiceChange, "addFinalizer" | "removeFinalizer"> {
	const guarded = metadata.finalizers?.includes(finalizers.classed) ?? false;
	if (needsUndo || retained === guarded) return {};
	return guarded
		? { removeFinalizer: finalizers.classed }
		: { addFinalizer: finalizers.classed };
}

function settle(
	world: World,
	ours: OwnWorld,
	balancer: ObservedBalancer,
): Step {
	const { service, ownership } = world;
	if (ownership.kind !== "Ours") return { do: "nothing" };
	const change: ServiceChange = {
		...conditionChange(world, contested(world, explain(world))),
		...retentionGuard(service, ours),
	};
	const annotated = {
		...holderChange(world),
		...(balancer.addresses.length > 0
			? recordChange(
					world,
					ours.addressing.kind === "Pools"
						? ours.addressing.assignment
						: {
								addresses: balancer.addresses,
								class: ownership.class.metadata.name,
							},
				)
			: {}),
	};
	if (Object.keys(annotated).length > 0) change.annotations = annotated;
	const before = service.status?.loadBalancer?.ingress ?? [];
	const ingress = shownIngress(
		wantedIngress(balancer, before),
		before,
		mayShow(programmingFor(world, balancer.addresses)),
	);
	const differs = !sameIngress(ingress, before);
	if (differs) change.ingress = ingress;
	if (Object.keys(change).length === 0) return { do: "nothing" };
	const step: Step = { do: "patch", change };
	if (differs && before.length === 0)
		step.event = {
			type: "Normal",
			reason: eventReasons.ensured,
			note: "Ensured load balancer",
		};
	else if (world.contested && change.conditions)
		step.event = {
			type: "Warning",
			reason: eventReasons.syncFailed,
			note: quarrel(world.contested),
		};
	return step;
}

/** A Service whose marks somebody keeps taking off is served all the same, but may lose its address at any restart. */
function contested(world: World, verdicts: Verdict[]): Verdict[] {
	const { contested: lost } = world;
	if (!lost) return verdicts;
	return verdicts.map((each) =>
		each.type === conditions.provisioned && each.status === "True"
			? { ...each, reason: "Contested", message: quarrel(lost) }
			: each,
	);
}

/** What a Service is told whose marks somebody keeps taking off. */
export function quarrel(lost: readonly string[]): string {
	return `somebody keeps undoing what Fairlead writes: ${lost.join(", ")}; Fairlead puts it back ever more rarely. Have that controller or GitOps tool leave these alone`;
}

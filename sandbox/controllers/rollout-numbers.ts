import type { Deployment, ReplicaSet } from "../objects.ts";
import { annotations, numberIn } from "./revisions.ts";

/** How many pods a rollout may have, and must have. */
export interface Limits {
	maxSurge: number;
	maxUnavailable: number;
}

export const desiredOf = ({ spec }: Deployment | ReplicaSet): number =>
	spec.replicas ?? 1;

/** Percentages of surge are rounded up, of unavailability down; if both come to nothing, one may be unavailable. */
export function limitsOf(deployment: Deployment): Limits {
	const { strategy } = deployment.spec;
	const desired = desiredOf(deployment);
	if (strategy?.type === "Recreate") return { maxSurge: 0, maxUnavailable: 0 };
	const { maxSurge = "25%", maxUnavailable = "25%" } =
		strategy?.rollingUpdate ?? {};
	const surge = scaled(maxSurge, desired, Math.ceil);
	const unavailable = scaled(maxUnavailable, desired, Math.floor);
	return {
		maxSurge: surge,
		maxUnavailable: Math.min(
			desired,
			surge === 0 && unavailable === 0 ? 1 : unavailable,
		),
	};
}

function scaled(
	value: number | string,
	total: number,
	round: (share: number) => number,
): number {
	if (typeof value === "number") return value;
	return round((Number.parseInt(value, 10) * total) / 100);
}

export function sum(
	sets: readonly ReplicaSet[],
	count: (set: ReplicaSet) => number | undefined,
): number {
	return sets.reduce((total, set) => total + (count(set) ?? 0), 0);
}

/** Replicas that the ReplicaSet of the present template should have now. */
export function newSetSize(
	deployment: Deployment,
	all: readonly ReplicaSet[],
	present: number,
): number {
	const desired = desiredOf(deployment);
	if (deployment.spec.strategy?.type === "Recreate") return desired;
	if (present > desired) return desired;
	const room = desired + limitsOf(deployment).maxSurge - sum(all, desiredOf);
	return present + Math.max(0, Math.min(room, desired - present));
}

/**
 * Sizes for old ReplicaSets in a rolling update, in the order in which they are to be applied: first those pods go that
 * do not work anyway, then as many as the working ones allow.
 */
export function shrinkOld(
	deployment: Deployment,
	newSet: ReplicaSet,
	old: readonly ReplicaSet[],
): { set: ReplicaSet; to: number }[] {
	const minAvailable =
		desiredOf(deployment) - limitsOf(deployment).maxUnavailable;
	const newUnavailable =
		desiredOf(newSet) - (newSet.status?.availableReplicas ?? 0);
	let unhealthy =
		sum([...old, newSet], desiredOf) - minAvailable - newUnavailable;
	if (unhealthy <= 0) return [];
	const steps: { set: ReplicaSet; to: number }[] = [];
	const sizes = new Map(old.map((set) => [set, desiredOf(set)]));
	const shrink = (set: ReplicaSet, by: number) => {
		const to = (sizes.get(set) ?? 0) - by;
		sizes.set(set, to);
		steps.push({ set, to });
	};
	for (const set of old) {
		const broken = desiredOf(set) - (set.status?.availableReplicas ?? 0);
		const by = Math.min(unhealthy, broken);
		if (by <= 0) continue;
		shrink(set, by);
		unhealthy -= by;
	}
	let spare =
		sum([...old, newSet], ({ status }) => status?.availableReplicas) -
		minAvailable;
	for (const set of old) {
		const by = Math.min(spare, sizes.get(set) ?? 0);
		if (by <= 0) continue;
		shrink(set, by);
		spare -= by;
	}
	return steps;
}

/**
 * Sizes when a Deployment is scaled in the middle of a rollout: what is added or removed is shared out in proportion, so
 * that scaling does not hasten the rollout.
 */
export function shareOut(
	deployment: Deployment,
	active: readonly ReplicaSet[],
): { set: ReplicaSet; to: number }[] {
	const desired = desiredOf(deployment);
	const allowed = desired > 0 ? desired + limitsOf(deployment).maxSurge : 0;
	const difference = allowed - sum(active, desiredOf);
	// Equal sizes: the newer grow first, the older shrink first.
	const ordered = [...active].sort(
		(a, b) =>
			desiredOf(b) - desiredOf(a) ||
			(difference > 0 ? byAge(b, a) : byAge(a, b)),
	);
	let done = 0;
	const sizes = ordered.map((set) => {
		const left = difference - done;
		const fraction = left === 0 ? 0 : fractionOf(deployment, set);
		const by =
			difference > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
		done += by;
		return { set, to: desiredOf(set) + by };
	});
	const largest = sizes[0];
	if (largest) largest.to = Math.max(0, largest.to + difference - done);
	return sizes;
}

function fractionOf(deployment: Deployment, set: ReplicaSet): number {
	const size = desiredOf(set);
	const desired = desiredOf(deployment);
	if (desired === 0) return -size;
	const max = desired + limitsOf(deployment).maxSurge;
	const before =
		numberIn(set, annotations.maxReplicas) || deployment.status?.replicas;
	return before ? Math.round((size * max) / before) - size : 0;
}

/** Older first; the name decides between those of one second. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
	const [x, y] = [a, b].map(
		({ metadata }) => `${metadata.creationTimestamp ?? "9"} ${metadata.name}`,
	) as [string, string];
	return x < y ? -1 : 1;
}

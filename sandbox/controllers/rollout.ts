import type { Pod } from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { Deployment, ReplicaSet } from "../objects.ts";
import {
	bothTimes,
	type DeploymentStatus,
	deploymentStatus,
	hasDeadline,
	historyLimit,
	isComplete,
	progressOf,
	setCondition,
} from "./deployment-status.ts";
import { controllerReference } from "./ownership.ts";
import { isTerminal } from "./pod-state.ts";
import {
	annotations,
	hashLabel,
	newSetAnnotations,
	nextRevision,
	numberIn,
	sameTemplate,
	templateHash,
} from "./revisions.ts";
import {
	byAge,
	desiredOf,
	limitsOf,
	newSetSize,
	shareOut,
	shrinkOld,
} from "./rollout-numbers.ts";

export interface World {
	deployment: Deployment;
	/** The ReplicaSets it controls. */
	sets: readonly ReplicaSet[];
	/** The pods of those, whatever they are doing. */
	pods: readonly Pod[];
	/** Milliseconds since the epoch. */
	now: number;
}

/** What is to be done next; when it is done, the world is looked at again. */
export interface Plan {
	/** The ReplicaSet of the present template, if it must be made. */
	create: ReplicaSet | undefined;
	/** One after the other; the same ReplicaSet may be there more than once. */
	changes: { set: ReplicaSet; next: ReplicaSet }[];
	/** Old ReplicaSets beyond what history shall keep. */
	cleanUp: ReplicaSet[];
	status: DeploymentStatus;
	/** For the Deployment's annotation. */
	revision: string | undefined;
}

/** Decides as pkg/controller/deployment does: one step at a time, so that every step rests on what has really happened. */
export function planRollout(world: World): Plan {
	const { deployment, now } = world;
	const { newSet: found, old } = splitSets(deployment, world.sets);
	const before = withPauseNoted(deployment, now);
	const plan: Plan = {
		create: undefined,
		changes: [],
		cleanUp: [],
		status: {},
		revision: undefined,
	};
	const change = (set: ReplicaSet, next: ReplicaSet): ReplicaSet => {
		if (next !== set) plan.changes.push({ set, next });
		return next;
	};
	let newSet = found && change(found, refreshed(before, found, old));
	const finish = (rollout: boolean): Plan => {
		const { status } = before;
		const noted = {
			...before,
			status: withNewSetNoted(before, newSet, plan, now),
		};
		plan.revision = newSet?.metadata.annotations?.[annotations.revision];
		const apply = (set: ReplicaSet) =>
			plan.changes.findLast(
				({ next }) => next.metadata.uid === set.metadata.uid,
			)?.next ?? set;
		plan.status = deploymentStatus(
			// Progress is measured against what was reported, not against what is about to be.
			{ ...noted, status: { ...status, ...conditionsOf(noted.status) } },
			newSet && apply(newSet),
			old.map(apply),
			{ rollout, now },
		);
		return plan;
	};

	if (deployment.metadata.deletionTimestamp !== undefined) return finish(false);
	const { paused, strategy } = deployment.spec;
	if (paused || wasScaled(deployment, [...old, ...(newSet ? [newSet] : [])])) {
		for (const { set, to, force } of scaling(before, newSet, old))
			change(set, resized(before, set, to, force));
		if (paused) plan.cleanUp = beyondHistory(deployment, old);
		return finish(false);
	}
	if (strategy?.type === "Recreate") {
		const active = old.filter((set) => desiredOf(set) > 0);
		for (const set of active) change(set, resized(before, set, 0));
		if (active.length > 0 || oldPodsRun(world, newSet, old))
			return finish(true);
	}
	if (!newSet) {
		newSet = makeNewSet(before, old);
		plan.create = newSet;
	} else {
		const size = newSetSize(before, [...old, newSet], desiredOf(newSet));
		if (size !== desiredOf(newSet)) {
			newSet = change(newSet, resized(before, newSet, size));
			return finish(true);
		}
	}
	if (strategy?.type !== "Recreate") {
		const active = old.filter((set) => desiredOf(set) > 0);
		const latest = new Map(active.map((set) => [set, set]));
		for (const { set, to } of shrinkOld(before, newSet, active))
			latest.set(
				set,
				change(
					latest.get(set) ?? set,
					resized(before, latest.get(set) ?? set, to),
				),
			);
		if (plan.changes.some(({ set }) => old.includes(set))) return finish(true);
	}
	if (isComplete(deployment, deployment.status ?? {}))
		plan.cleanUp = beyondHistory(deployment, old);
	return finish(true);
}

/** The ReplicaSet of the present template (the oldest, if there are several), and all others, oldest first. */
export function splitSets(
	{ spec }: Deployment,
	sets: readonly ReplicaSet[],
): { newSet: ReplicaSet | undefined; old: ReplicaSet[] } {
	const ordered = [...sets].sort(byAge);
	const newSet = ordered.find((set) =>
		sameTemplate(set.spec.template, spec.template),
	);
	return { newSet, old: ordered.filter((set) => set !== newSet) };
}

/** A resumed Deployment gets its whole deadline anew. */
function withPauseNoted(deployment: Deployment, now: number): Deployment {
	const reason = progressOf(deployment.status)?.reason;
	const paused = deployment.spec.paused === true;
	if (
		!hasDeadline(deployment) ||
		deployment.metadata.deletionTimestamp !== undefined ||
		reason === "ProgressDeadlineExceeded" ||
		(reason === "DeploymentPaused") === paused
	)
		return deployment;
	const status = conditionsOf(deployment.status);
	setCondition(status, {
		type: "Progressing",
		status: "Unknown",
		reason: paused ? "DeploymentPaused" : "DeploymentResumed",
		message: paused ? "Deployment is paused" : "Deployment is resumed",
		...bothTimes(now),
	});
	return { ...deployment, status: { ...deployment.status, ...status } };
}

/** The Progressing condition begins when a ReplicaSet is made or found. */
function withNewSetNoted(
	deployment: Deployment,
	newSet: ReplicaSet | undefined,
	{ create }: Plan,
	now: number,
): DeploymentStatus {
	const { status } = deployment;
	const noted = { ...status, ...conditionsOf(status) };
	if (!newSet || !hasDeadline(deployment)) return noted;
	if (!create && progressOf(status)) return noted;
	const name = JSON.stringify(newSet.metadata.name);
	setCondition(noted, {
		type: "Progressing",
		status: "True",
		reason: create ? "NewReplicaSetCreated" : "FoundNewReplicaSet",
		message: create
			? `Created new replica set ${name}`
			: `Found new replica set ${name}`,
		...bothTimes(now),
	});
	return noted;
}

const conditionsOf = (status: DeploymentStatus | undefined) => ({
	conditions: [...(status?.conditions ?? [])],
});

function refreshed(
	deployment: Deployment,
	set: ReplicaSet,
	old: readonly ReplicaSet[],
): ReplicaSet {
	const present = set.metadata.annotations ?? {};
	const wanted = newSetAnnotations(deployment, present, nextRevision(old));
	const { minReadySeconds = 0 } = deployment.spec;
	const same =
		(set.spec.minReadySeconds ?? 0) === minReadySeconds &&
		Object.entries(wanted).every(([key, value]) => present[key] === value);
	if (same) return set;
	return {
		...set,
		metadata: { ...set.metadata, annotations: wanted },
		spec: { ...set.spec, minReadySeconds },
	};
}

/** Whether somebody changed how many pods there shall be, since the ReplicaSets were last sized. */
function wasScaled(
	deployment: Deployment,
	sets: readonly ReplicaSet[],
): boolean {
	return sets.some((set) => {
		if (desiredOf(set) === 0) return false;
		const then = numberIn(set, annotations.desiredReplicas);
		return then !== undefined && then !== desiredOf(deployment);
	});
}

function scaling(
	deployment: Deployment,
	newSet: ReplicaSet | undefined,
	old: readonly ReplicaSet[],
): { set: ReplicaSet; to: number; force: boolean }[] {
	const all = newSet ? [...old, newSet] : [...old];
	const active = all.filter((set) => desiredOf(set) > 0);
	const desired = desiredOf(deployment);
	if (active.length <= 1) {
		const only = active[0] ?? newSet ?? old.at(-1);
		return only ? [{ set: only, to: desired, force: false }] : [];
	}
	if (newSet && isSaturated(deployment, newSet))
		return active
			.filter((set) => set !== newSet)
			.map((set) => ({ set, to: 0, force: false }));
	if (deployment.spec.strategy?.type === "Recreate") return [];
	return shareOut(deployment, active).map((each) => ({ ...each, force: true }));
}

function isSaturated(deployment: Deployment, set: ReplicaSet): boolean {
	const desired = desiredOf(deployment);
	return (
		desiredOf(set) === desired &&
		numberIn(set, annotations.desiredReplicas) === desired &&
		(set.status?.availableReplicas ?? 0) === desired
	);
}

/** The ReplicaSet with `to` replicas; the same one if there is nothing to change (annotations alone change if `force`). */
function resized(
	deployment: Deployment,
	set: ReplicaSet,
	to: number,
	force = false,
): ReplicaSet {
	const noted = { ...set.metadata.annotations, ...sizeNotes(deployment) };
	const same = Object.entries(noted).every(
		([key, value]) => set.metadata.annotations?.[key] === value,
	);
	if (desiredOf(set) === to && (same || !force)) return set;
	return {
		...set,
		metadata: { ...set.metadata, annotations: noted },
		spec: { ...set.spec, replicas: to },
	};
}

function sizeNotes(deployment: Deployment): Record<string, string> {
	const desired = desiredOf(deployment);
	return {
		[annotations.desiredReplicas]: String(desired),
		[annotations.maxReplicas]: String(desired + limitsOf(deployment).maxSurge),
	};
}

/** Recreate waits until the old pods are really gone, not only on their way out. */
function oldPodsRun(
	{ pods }: World,
	newSet: ReplicaSet | undefined,
	old: readonly ReplicaSet[],
): boolean {
	if (old.some(({ status }) => (status?.replicas ?? 0) > 0)) return true;
	return pods.some(
		(pod) =>
			!isTerminal(pod) &&
			!pod.metadata.ownerReferences?.some(
				({ uid }) => uid === newSet?.metadata.uid,
			),
	);
}

function makeNewSet(
	deployment: Deployment,
	old: readonly ReplicaSet[],
): ReplicaSet {
	const { metadata, spec, status } = deployment;
	const { template, selector, minReadySeconds } = spec;
	const hash = templateHash(template, status?.collisionCount);
	const labels = { ...template.metadata?.labels, [hashLabel]: hash };
	const { namespace } = metadata;
	return {
		metadata: {
			name: `${metadata.name.slice(0, 252 - hash.length)}-${hash}`,
			...(namespace === undefined ? {} : { namespace }),
			labels,
			annotations: {
				...newSetAnnotations(deployment, {}, nextRevision(old)),
				...sizeNotes(deployment),
			},
			ownerReferences: [controllerReference(resources.deployments, deployment)],
		},
		spec: {
			replicas: newSetSize(deployment, old, 0),
			...(minReadySeconds === undefined ? {} : { minReadySeconds }),
			selector: {
				...selector,
				matchLabels: { ...selector.matchLabels, [hashLabel]: hash },
			},
			template: { ...template, metadata: { ...template.metadata, labels } },
		},
	};
}

/** Old ReplicaSets with no pods that are more than history shall keep, the oldest revisions first. */
function beyondHistory(
	deployment: Deployment,
	old: readonly ReplicaSet[],
): ReplicaSet[] {
	const limit = historyLimit(deployment);
	if (limit === undefined) return [];
	const alive = old.filter(
		({ metadata }) => metadata.deletionTimestamp === undefined,
	);
	return alive
		.sort(
			(a, b) =>
				(numberIn(a, annotations.revision) ?? 0) -
					(numberIn(b, annotations.revision) ?? 0) || byAge(a, b),
		)
		.slice(0, Math.max(0, alive.length - limit))
		.filter(
			(set) =>
				(set.status?.replicas ?? 0) === 0 &&
				desiredOf(set) === 0 &&
				(set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
		);
}

import type { Deployment, ReplicaSet } from "../objects.ts";
import { timestamp } from "./loop.ts";
import { counted } from "./replica-set-status.ts";
import { desiredOf, limitsOf, sum } from "./rollout-numbers.ts";

export type DeploymentStatus = NonNullable<Deployment["status"]>;
type Condition = NonNullable<DeploymentStatus["conditions"]>[number];

/** "No deadline", as the API has it. */
const never = 2 ** 31 - 1;

/** The status by what the ReplicaSets say; `rollout` also judges progress, which scaling and pausing do not. */
export function deploymentStatus(
	deployment: Deployment,
	newSet: ReplicaSet | undefined,
	old: readonly ReplicaSet[],
	{ rollout, now }: { rollout: boolean; now: number },
): DeploymentStatus {
	const all = newSet ? [...old, newSet] : old;
	const available = sum(all, ({ status }) => status?.availableReplicas);
	const present = deployment.status ?? {};
	const status: DeploymentStatus = {
		observedGeneration: deployment.metadata.generation ?? 0,
		...counted({
			replicas: sum(all, (set) => set.status?.replicas),
			updatedReplicas: newSet?.status?.replicas ?? 0,
			readyReplicas: sum(all, (set) => set.status?.readyReplicas),
			availableReplicas: available,
			unavailableReplicas: Math.max(0, sum(all, desiredOf) - available),
		}),
		terminatingReplicas: sum(all, (set) => set.status?.terminatingReplicas),
		...(present.collisionCount === undefined
			? {}
			: { collisionCount: present.collisionCount }),
		conditions: present.conditions ?? [],
	};
	const enough =
		available >= desiredOf(deployment) - limitsOf(deployment).maxUnavailable;
	setCondition(status, {
		type: "Available",
		status: enough ? "True" : "False",
		reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
		message: enough
			? "Deployment has minimum availability."
			: "Deployment does not have minimum availability.",
		...bothTimes(now),
	});
	if (rollout) judge(deployment, newSet, old, status, now);
	return status;
}

/** Sets the conditions that tell how a rollout goes (pkg/controller/deployment/progress.go). */
function judge(
	deployment: Deployment,
	newSet: ReplicaSet | undefined,
	old: readonly ReplicaSet[],
	status: DeploymentStatus,
	now: number,
): void {
	const current = progressOf(deployment.status);
	const subject = newSet
		? `ReplicaSet ${JSON.stringify(newSet.metadata.name)}`
		: `Deployment ${JSON.stringify(deployment.metadata.name)}`;
	const say = (is: "True" | "False", reason: string, how: string) => ({
		type: "Progressing",
		status: is,
		reason,
		message: `${subject} ${how}.`,
		...bothTimes(now),
	});
	const settled =
		(status.replicas ?? 0) === (status.updatedReplicas ?? 0) &&
		current?.reason === "NewReplicaSetAvailable";
	if (!hasDeadline(deployment)) removeCondition(status, "Progressing");
	else if (settled) {
		// No rollout is under way: there is no progress to judge.
	} else if (isComplete(deployment, status))
		setCondition(
			status,
			say("True", "NewReplicaSetAvailable", "has successfully progressed"),
		);
	else if (hasProgressed(deployment.status ?? {}, status)) {
		const condition = say("True", "ReplicaSetUpdated", "is progressing");
		// The same reason again: it is later that the last progress was seen.
		if (current?.status === "True" && current.lastTransitionTime)
			condition.lastTransitionTime = current.lastTransitionTime;
		removeCondition(status, "Progressing");
		setCondition(status, condition);
	} else if (isOverdue(deployment, status, now))
		setCondition(
			status,
			say("False", "ProgressDeadlineExceeded", "has timed out progressing"),
		);
	const failure = [...(newSet ? [newSet] : []), ...old]
		.flatMap((set) => set.status?.conditions ?? [])
		.find(({ type }) => type === "ReplicaFailure");
	if (failure) {
		const { lastTransitionTime } = failure;
		setCondition(status, {
			...failure,
			...(lastTransitionTime ? { lastUpdateTime: lastTransitionTime } : {}),
		});
	} else removeCondition(status, "ReplicaFailure");
}

/** All pods are of the present template and available, and no others are left. */
export function isComplete(
	deployment: Deployment,
	status: DeploymentStatus,
): boolean {
	const desired = desiredOf(deployment);
	return (
		(status.updatedReplicas ?? 0) === desired &&
		(status.replicas ?? 0) === desired &&
		(status.availableReplicas ?? 0) === desired &&
		(status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
	);
}

function hasProgressed(
	before: DeploymentStatus,
	after: DeploymentStatus,
): boolean {
	const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus) =>
		replicas - updatedReplicas;
	return (
		(after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
		old(after) < old(before) ||
		(after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
		(after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
	);
}

function isOverdue(
	deployment: Deployment,
	status: DeploymentStatus,
	now: number,
): boolean {
	const progress = progressOf(status);
	if (!progress || progress.reason === "NewReplicaSetAvailable") return false;
	if (progress.reason === "ProgressDeadlineExceeded") return true;
	return deadlineInMs(deployment, progress, now) < 0;
}

/** Milliseconds until it must be looked at again whether the rollout is stuck; undefined if there is no need to. */
export function checkProgressInMs(
	deployment: Deployment,
	status: DeploymentStatus,
	now: number,
): number | undefined {
	const progress = progressOf(status);
	if (
		!hasDeadline(deployment) ||
		!progress ||
		isComplete(deployment, status) ||
		progress.reason === "ProgressDeadlineExceeded"
	)
		return undefined;
	// Times are whole seconds.
	return Math.max(0, deadlineInMs(deployment, progress, now)) + 1_000;
}

function deadlineInMs(
	deployment: Deployment,
	{ lastUpdateTime = "" }: Condition,
	now: number,
): number {
	const { progressDeadlineSeconds = 600 } = deployment.spec;
	const from = Date.parse(lastUpdateTime) || now;
	return from + progressDeadlineSeconds * 1000 - now;
}

export function hasDeadline({ spec }: Deployment): boolean {
	return (
		spec.progressDeadlineSeconds !== undefined &&
		spec.progressDeadlineSeconds !== never
	);
}

/** The most old ReplicaSets to keep; undefined: all. */
export function historyLimit({ spec }: Deployment): number | undefined {
	return spec.revisionHistoryLimit === never
		? undefined
		: spec.revisionHistoryLimit;
}

export function progressOf(
	status: DeploymentStatus | undefined,
): Condition | undefined {
	return status?.conditions?.find(({ type }) => type === "Progressing");
}

/** Sets a condition unless it says already the same; a status that stays keeps its time. */
export function setCondition(
	status: DeploymentStatus,
	condition: Condition,
): void {
	const present = status.conditions?.find(
		({ type }) => type === condition.type,
	);
	const stays = present?.status === condition.status;
	if (stays && present?.reason === condition.reason) return;
	removeCondition(status, condition.type);
	status.conditions?.push({
		...condition,
		...(stays && present?.lastTransitionTime
			? { lastTransitionTime: present.lastTransitionTime }
			: {}),
	});
}

function removeCondition(status: DeploymentStatus, type: string): void {
	status.conditions = (status.conditions ?? []).filter(
		(each) => each.type !== type,
	);
}

export function bothTimes(now: number): {
	lastUpdateTime: string;
	lastTransitionTime: string;
} {
	return {
		lastUpdateTime: timestamp(now),
		lastTransitionTime: timestamp(now),
	};
}

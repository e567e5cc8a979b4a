import type { Pod } from "../../operator/api/core.ts";
import type { ReplicaSet } from "../objects.ts";
import { timestamp } from "./loop.ts";
import { availableInMs, isReady } from "./pod-state.ts";
import { hasLabels } from "./selectors.ts";

type Status = NonNullable<ReplicaSet["status"]>;

export interface Replicas {
	/** That count: active and claimed. */
	active: readonly Pod[];
	/** Claimed, on their way out. */
	terminating: readonly Pod[];
	/** Why there are not as many as there should be, if something went wrong. */
	failure:
		| { reason: "FailedCreate" | "FailedDelete"; message: string }
		| undefined;
}

/** The status that `set` should have, and in how many milliseconds it changes without anybody doing anything. */
export function replicaSetStatus(
	set: ReplicaSet,
	{ active, terminating, failure }: Replicas,
	now: number,
): { status: Status; changesInMs: number | undefined } {
	const { template, minReadySeconds = 0 } = set.spec;
	const labels = template.metadata?.labels ?? {};
	const waits = active.map((pod) => availableInMs(pod, minReadySeconds, now));
	const coming = waits.filter((ms) => ms !== undefined && ms > 0) as number[];
	const status: Status = {
		replicas: active.length,
		...counted({
			fullyLabeledReplicas: active.filter(({ metadata }) =>
				hasLabels(labels, metadata.labels),
			).length,
			readyReplicas: active.filter(isReady).length,
			availableReplicas: waits.filter((ms) => ms === 0).length,
		}),
		terminatingReplicas: terminating.length,
		observedGeneration: set.metadata.generation ?? 0,
	};
	const conditions = conditionsOf(set, failure, now);
	if (conditions.length > 0) status.conditions = conditions;
	return {
		status,
		changesInMs: coming.length > 0 ? Math.min(...coming) : undefined,
	};
}

/** Without the zeroes, which the API leaves out. */
export function counted<T extends Record<string, number>>(
	counts: T,
): Partial<T> {
	return Object.fromEntries(
		Object.entries(counts).filter(([, count]) => count !== 0),
	) as Partial<T>;
}

function conditionsOf(
	set: ReplicaSet,
	failure: Replicas["failure"],
	now: number,
): NonNullable<Status["conditions"]> {
	const present = set.status?.conditions ?? [];
	const type = "ReplicaFailure";
	const others = present.filter((each) => each.type !== type);
	if (!failure) return others;
	// As upstream: the first failure is kept until things go well.
	if (others.length < present.length) return present;
	const { reason, message } = failure;
	const lastTransitionTime = timestamp(now);
	return [
		...others,
		{ type, status: "True", reason, message, lastTransitionTime },
	];
}

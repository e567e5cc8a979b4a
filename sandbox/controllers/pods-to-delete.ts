import type { Pod } from "../../operator/api/core.ts";
import { isActive, isReady, readySince } from "./pod-state.ts";

/**
 * Which `count` of `pods` go first when a ReplicaSet shrinks, by the rules of ActivePodsWithRanks in
 * pkg/controller/controller_utils.go. `related` are the pods of all ReplicaSets of the same owner, these among them.
 */
export function podsToDelete(
	pods: readonly Pod[],
	related: readonly Pod[],
	count: number,
	now: number,
): Pod[] {
	if (count >= pods.length) return [...pods];
	const onNode = new Map<string, number>();
	for (const { spec } of related.filter(isActive)) {
		const node = spec.nodeName ?? "";
		onNode.set(node, (onNode.get(node) ?? 0) + 1);
	}
	return [...pods].sort((a, b) => compare(a, b, onNode, now)).slice(0, count);
}

/** Negative when `a` goes before `b`. */
function compare(
	a: Pod,
	b: Pod,
	onNode: ReadonlyMap<string, number>,
	now: number,
): number {
	return (
		Number(isAssigned(a)) - Number(isAssigned(b)) ||
		phaseRank(a) - phaseRank(b) ||
		Number(isReady(a)) - Number(isReady(b)) ||
		deletionCost(a) - deletionCost(b) ||
		(onNode.get(b.spec.nodeName ?? "") ?? 0) -
			(onNode.get(a.spec.nodeName ?? "") ?? 0) ||
		youngerFirst(readyTime(a), readyTime(b), now, a, b) ||
		restarts(b) - restarts(a) ||
		youngerFirst(createdAt(a), createdAt(b), now, a, b)
	);
}

const isAssigned = ({ spec }: Pod) => Boolean(spec.nodeName);

function phaseRank({ status }: Pod): number {
	if (status?.phase === "Running") return 2;
	return status?.phase === "Unknown" ? 1 : 0;
}

const costAnnotation = "controller.kubernetes.io/pod-deletion-cost";

function deletionCost({ metadata }: Pod): number {
	const text = metadata.annotations?.[costAnnotation] ?? "";
	return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

function restarts({ status }: Pod): number {
	return Math.max(
		0,
		...(status?.containerStatuses ?? []).map((each) => each.restartCount),
	);
}

const readyTime = (pod: Pod) =>
	isReady(pod) ? (readySince(pod) ?? "unknown") : "not ready";

const createdAt = ({ metadata }: Pod) =>
	metadata.creationTimestamp === undefined
		? "unknown"
		: Date.parse(metadata.creationTimestamp);

/**
 * Ages count by powers of two: pods of about the same age go in an order that age does not decide (by uid), so that a
 * rollout's last pods are not always the ones to go.
 */
function youngerFirst(
	a: number | string,
	b: number | string,
	now: number,
	one: Pod,
	other: Pod,
): number {
	if (a === b) return 0;
	if (typeof a === "string" || typeof b === "string")
		return typeof a === "string" ? -1 : 1;
	return (
		magnitude(now - a) - magnitude(now - b) ||
		((one.metadata.uid ?? "") < (other.metadata.uid ?? "") ? -1 : 1)
	);
}

/** Of an age in milliseconds, in powers of two of nanoseconds. */
function magnitude(age: number): number {
	return age > 0 ? Math.floor(Math.log2(age * 1e6)) : -1;
}

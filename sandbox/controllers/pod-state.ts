import type { Pod } from "../../operator/api/core.ts";

/** Has run to its end, well or badly. */
export function isTerminal({ status }: Pod): boolean {
	return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** Counts as a replica: neither at its end nor asked to end. */
export function isActive(pod: Pod): boolean {
	return !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Asked to end, and not there yet. */
export function isTerminating(pod: Pod): boolean {
	return !isTerminal(pod) && pod.metadata.deletionTimestamp !== undefined;
}

export function isReady(pod: Pod): boolean {
	return readyCondition(pod)?.status === "True";
}

/** Milliseconds since the epoch at which a ready pod became ready; undefined if it is not, or nobody says when. */
export function readySince(pod: Pod): number | undefined {
	const at = isReady(pod) && readyCondition(pod)?.lastTransitionTime;
	return at ? Date.parse(at) : undefined;
}

/** Milliseconds until a pod has been ready for so long; 0 if it has, undefined if nothing but a change makes it so. */
export function availableInMs(
	pod: Pod,
	minReadySeconds: number,
	now: number,
): number | undefined {
	if (!isReady(pod)) return undefined;
	if (minReadySeconds === 0) return 0;
	const since = readySince(pod);
	if (since === undefined) return undefined;
	return Math.max(0, since + minReadySeconds * 1000 - now);
}

export function readyCondition({ status }: Pod) {
	return status?.conditions?.find(({ type }) => type === "Ready");
}

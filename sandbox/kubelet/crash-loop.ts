/** pkg/kubelet: backOffPeriod and MaxContainerBackOff. */
const firstMs = 10_000;
const longestMs = 300_000;

/** How long a container that keeps ending is left alone: nothing before its first restart, then 10 s doubling to 5 min. */
export interface CrashLoop {
	/** Milliseconds that must lie between its end and its next start. */
	delayMs: number;
	/** Monotonic milliseconds of its last start. */
	startedAt: number;
}

/** The pause after a restart at `now`; a container that was left alone for twice the longest pause begins anew. */
export function afterRestart(
	before: CrashLoop | undefined,
	endedAt: number,
	now: number,
): CrashLoop {
	const settled =
		before === undefined || endedAt - before.startedAt > 2 * longestMs;
	return {
		delayMs: settled ? firstMs : Math.min(before.delayMs * 2, longestMs),
		startedAt: now,
	};
}

/** Monotonic milliseconds from which a container that ended at `endedAt` may start again. */
export function restartAt(
	loop: CrashLoop | undefined,
	endedAt: number,
): number {
	if (loop === undefined || endedAt - loop.startedAt > 2 * longestMs)
		return endedAt;
	return endedAt + loop.delayMs;
}

/** As Go prints it: 10s, 1m20s, 5m0s. */
export function goSeconds(ms: number): string {
	const seconds = Math.round(ms / 1000);
	const minutes = Math.floor(seconds / 60);
	return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

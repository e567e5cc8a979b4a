export interface Backoff {
	baseMs: number;
	capMs: number;
}

/**
 * Milliseconds to wait after `failures` failures in a row (1 or more): exponential with full jitter, so that many who
 * failed together do not come back together.
 */
export function backoffMs(
	{ baseMs, capMs }: Backoff,
	failures: number,
	random: () => number,
): number {
	return random() * Math.min(capMs, baseMs * 2 ** Math.max(0, failures - 1));
}

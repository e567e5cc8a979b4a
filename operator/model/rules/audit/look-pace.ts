/** Of the time, a look may take one part in so many: a tenth. */
const share = 10;

/** The last look, on the monotonic clock, in milliseconds. */
export interface Look {
	endedAt: number;
	tookMs: number;
}

/**
 * When to look next, given when somebody would like to: looks that take long, on a node with many Services, come more seldom,
 * however much changes and whatever they find.
 */
export function nextLookAt(wantedAt: number, last: Look | undefined): number {
	if (!last) return wantedAt;
	return Math.max(wantedAt, last.endedAt + last.tookMs * (share - 1));
}

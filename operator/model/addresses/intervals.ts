/** Addresses of one family from `start` to `end`, both included. */
export interface Interval {
	start: bigint;
	end: bigint;
}

/** The same addresses as few intervals as possible, ascending, none touching another. */
export function mergeIntervals(intervals: readonly Interval[]): Interval[] {
	const sorted = [...intervals].sort((a, b) =>
		a.start < b.start ? -1 : a.start > b.start ? 1 : 0,
	);
	const merged: Interval[] = [];
	for (const { start, end } of sorted) {
		const last = merged.at(-1);
		if (last && start <= last.end + 1n) {
			if (end > last.end) last.end = end;
		} else merged.push({ start, end });
	}
	return merged;
}

/** What of `from` is not in `taken`; both as `mergeIntervals` gives them, and so is the result. */
export function subtractIntervals(
	from: readonly Interval[],
	taken: readonly Interval[],
): Interval[] {
	const left: Interval[] = [];
	let next = 0;
	for (const { start, end } of from) {
		let at = start;
		while (next < taken.length && (taken[next] as Interval).end < start) next++;
		for (let index = next; index < taken.length && at <= end; index++) {
			const hole = taken[index] as Interval;
			if (hole.start > end) break;
			if (hole.start > at) left.push({ start: at, end: hole.start - 1n });
			at = hole.end + 1n;
		}
		if (at <= end) left.push({ start: at, end });
	}
	return left;
}

/** What is in both; both as `mergeIntervals` gives them, and so is the result. */
export function intersectIntervals(
	a: readonly Interval[],
	b: readonly Interval[],
): Interval[] {
	const both: Interval[] = [];
	for (let i = 0, j = 0; i < a.length && j < b.length; ) {
		const [x, y] = [a[i] as Interval, b[j] as Interval];
		const start = x.start > y.start ? x.start : y.start;
		const end = x.end < y.end ? x.end : y.end;
		if (start <= end) both.push({ start, end });
		if (x.end < y.end) i++;
		else j++;
	}
	return both;
}

export function countAddresses(intervals: readonly Interval[]): bigint {
	return intervals.reduce((sum, { start, end }) => sum + end - start + 1n, 0n);
}

/** Index of the interval of ascending, disjoint `intervals` that holds `value`; -1 if none does. */
export function findInterval(
	intervals: readonly Interval[],
	value: bigint,
): number {
	let low = 0;
	let high = intervals.length - 1;
	while (low <= high) {
		const middle = (low + high) >>> 1;
		const { start, end } = intervals[middle] as Interval;
		if (value < start) high = middle - 1;
		else if (value > end) low = middle + 1;
		else return middle;
	}
	return -1;
}

/** The middle of some measurements; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle];
	if (upper === undefined) throw new Error("no measurement");
	return sorted.length % 2
		? upper
		: ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The measurement that this share of all stays below, 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
	const sorted = values.toSorted((a, b) => a - b);
	const found =
		sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
	if (found === undefined) throw new Error("no measurement");
	return found;
}

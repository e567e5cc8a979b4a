/** @import { TrafficSample } from "./state.d.ts" */

/**
 * What came new in each of the last `seconds` seconds, oldest first. A count that went down began anew (the cloud
 * restarted) and counts from there.
 *
 * @param {readonly TrafficSample[]} samples Oldest first; the first is only counted from.
 * @param {"total" | "bytes"} what
 * @param {number} now Milliseconds since the epoch.
 * @param {number} seconds
 * @returns {number[]}
 */
export function perSecond(samples, what, now, seconds) {
	/** @type {number[]} */
	const buckets = Array.from({ length: seconds }, () => 0);
	for (const [index, sample] of samples.entries()) {
		const before = samples[index - 1];
		if (before === undefined) continue;
		const came =
			sample[what] >= before[what] ? sample[what] - before[what] : sample[what];
		// A sample of the second that runs now belongs to the last bucket, also when the clock lags behind it.
		const ago = Math.max(0, Math.floor((now - sample.at) / 1000));
		const bucket = seconds - 1 - ago;
		if (bucket >= 0) buckets[bucket] = (buckets[bucket] ?? 0) + came;
	}
	return buckets;
}

/**
 * Mean per second over the last five seconds.
 *
 * @param {readonly TrafficSample[]} samples
 * @param {"total" | "bytes"} what
 * @param {number} now
 */
export const rate = (samples, what, now) =>
	perSecond(samples, what, now, 5).reduce((sum, came) => sum + came, 0) / 5;

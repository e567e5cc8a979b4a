/** Undoes a timer; calling it twice, or after the timer fired, does nothing. */
export type Cancel = () => void;

/** Time as every part of Fairlead sees it; passed in, so that tests decide what time it is. */
export interface Clock {
	/** Wall time in milliseconds since the epoch: for stamps people and other machines read, never for durations. */
	now(): number;
	/** Milliseconds from an arbitrary origin that never run backwards: for durations and deadlines. */
	monotonic(): number;
	/** Calls `run` once, `ms` milliseconds from now; does not keep the process alive by itself. */
	after(ms: number, run: () => void): Cancel;
}

export const systemClock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	after(ms, run) {
		let timer: NodeJS.Timeout;
		const wait = (left: number) => {
			const part = Math.min(left, longestTimeoutMs);
			timer = setTimeout(() => (left > part ? wait(left - part) : run()), part);
			timer.unref();
		};
		wait(ms);
		return () => clearTimeout(timer);
	},
};

/** What is longer Node fires at once. Source: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args. */
const longestTimeoutMs = 2 ** 31 - 1;

/** Wall time as the API server writes it, RFC 3339 with whole seconds: the first such moment that is not before `ms`. */
export function timeText(ms: number): string {
	return `${new Date(Math.ceil(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** Milliseconds since the epoch of an RFC 3339 time; NaN for what is none. */
export function timeOf(text: string): number {
	return Date.parse(text);
}

/** Resolves after `ms` milliseconds of `clock`; rejects with the signal's reason as soon as it is aborted. */
export function sleep(
	clock: Clock,
	ms: number,
	signal?: AbortSignal,
): Promise<void> {
	return new Promise((resolve, reject) => {
		if (signal?.aborted) return reject(signal.reason as Error);
		const stop = () => {
			cancel();
			reject(signal?.reason as Error);
		};
		const cancel = clock.after(ms, () => {
			signal?.removeEventListener("abort", stop);
			resolve();
		});
		signal?.addEventListener("abort", stop, { once: true });
	});
}

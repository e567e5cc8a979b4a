/**
 * Work several callers wait for at once. It goes on when one of them is aborted; `close` ends it for all. At most one
 * run at a time; who calls while one runs gets its result.
 */
export function sharedWork(run: (signal: AbortSignal) => Promise<void>): {
	join(signal: AbortSignal): Promise<void>;
	running(): boolean;
	close(): void;
} {
	const ended = new AbortController();
	let current: Promise<void> | undefined;
	return {
		join(signal) {
			current ??= run(ended.signal).finally(() => {
				current = undefined;
			});
			return orAborted(current, signal);
		},
		running: () => current !== undefined,
		close: () => ended.abort(new Error("the provider was closed")),
	};
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		const stop = () => reject(signal.reason as Error);
		if (signal.aborted) stop();
		signal.addEventListener("abort", stop, { once: true });
		work
			.then(resolve, reject)
			.finally(() => signal.removeEventListener("abort", stop));
	});
}

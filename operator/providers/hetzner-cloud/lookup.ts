/**
 * Finds one thing for each of many who look at once, with as few reads as can be: who comes while a read is under way
 * waits for the next. A read goes on when one of those who wait is aborted; `close` ends it for all.
 */
export interface Lookup<T> {
	/** What the key stands for now; the read that tells began after this call. */
	get(key: string, signal: AbortSignal): Promise<T[]>;
	close(): void;
}

interface Waiting<T> {
	key: string;
	resolve: (found: T[]) => void;
	reject: (error: unknown) => void;
}

/** `read` gets at most `most` different keys and gives what it found for each. */
export function createLookup<T>(
	most: number,
	read: (keys: string[], signal: AbortSignal) => Promise<Map<string, T[]>>,
): Lookup<T> {
	const ended = new AbortController();
	let waiting: Waiting<T>[] = [];
	let reading = false;

	async function drain(): Promise<void> {
		reading = true;
		// Those who come in the same turn share the first read.
		await new Promise((resolve) => setImmediate(resolve));
		while (waiting.length > 0) {
			const keys = [...new Set(waiting.map(({ key }) => key))].slice(0, most);
			const taken = new Set(keys);
			const served = waiting.filter(({ key }) => taken.has(key));
			waiting = waiting.filter(({ key }) => !taken.has(key));
			try {
				const found = await read(keys, ended.signal);
				for (const { key, resolve } of served) resolve(found.get(key) ?? []);
			} catch (error) {
				for (const { reject } of served) reject(error);
			}
		}
		reading = false;
	}

	return {
		get(key, signal) {
			return new Promise((resolve, reject) => {
				if (signal.aborted) return reject(signal.reason as Error);
				const stop = () => reject(signal.reason as Error);
				signal.addEventListener("abort", stop, { once: true });
				const over = () => signal.removeEventListener("abort", stop);
				waiting.push({
					key,
					resolve(found) {
						over();
						resolve(found);
					},
					reject(error) {
						over();
						reject(error as Error);
					},
				});
				if (!reading) void drain();
			});
		},
		close: () => ended.abort(new Error("the provider was closed")),
	};
}

/**
 * Runs `work` for a key so that no two runs of one key overlap and every call is followed by a run that began after it:
 * calls that come while one runs share the next.
 */
export class Coalesced {
	readonly #work: (key: string) => Promise<void>;
	readonly #runs = new Map<
		string,
		{ now: Promise<void>; next: Promise<void> | undefined }
	>();

	constructor(work: (key: string) => Promise<void>) {
		this.#work = work;
	}

	/** Resolves, or rejects, as the run does. */
	run(key: string): Promise<void> {
		const running = this.#runs.get(key);
		if (running) {
			running.next ??= running.now.then(
				() => this.#start(key),
				() => this.#start(key),
			);
			return running.next;
		}
		return this.#start(key);
	}

	#start(key: string): Promise<void> {
		const run = { now: this.#work(key), next: undefined };
		this.#runs.set(key, run);
		const done = () => {
			if (this.#runs.get(key) === run && run.next === undefined)
				this.#runs.delete(key);
		};
		run.now.then(done, done);
		return run.now;
	}
}

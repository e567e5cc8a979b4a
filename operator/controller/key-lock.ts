/**
 * One at a time per key, in the order asked. Two parts of the controller that write the same Service at the same moment
 * cost more than a conflict: an API server that allocates NodePorts for an update which then loses the race keeps them
 * allocated to nobody until it looks itself, minutes later.
 */
export class KeyLock {
	readonly #last = new Map<string, Promise<unknown>>();

	/** Resolves, or rejects, as `work` does. */
	async run<T>(key: string, work: () => Promise<T>): Promise<T> {
		const before = this.#last.get(key);
		const mine = before ? before.then(work, work) : work();
		this.#last.set(key, mine);
		try {
			return await mine;
		} finally {
			if (this.#last.get(key) === mine) this.#last.delete(key);
		}
	}
}

/**
 * Gives equal values one copy. Thousands of Services say the same in most of their fields, and each would keep what the
 * parser made for it alone. What is shared must not be changed, like everything in a cache.
 */
export class SharedValues {
	readonly #limit: number;
	readonly #known = new Map<string, unknown>();

	/** `limit`: values remembered at most; beyond that all are forgotten, and sharing begins anew. */
	constructor(limit = 4_096) {
		this.#limit = limit;
	}

	/** The copy of a text that is kept. */
	text<T extends string>(value: T): T {
		return this.#keep(value, value);
	}

	/** The copy of plain JSON that is kept. */
	json<T extends object>(value: T): T {
		// The NUL keeps it apart from texts, in which the API server allows none.
		return this.#keep(`\0${JSON.stringify(value)}`, value);
	}

	#keep<T>(key: string, value: T): T {
		const known = this.#known.get(key);
		if (known !== undefined) return known as T;
		if (this.#known.size >= this.#limit) this.#known.clear();
		this.#known.set(key, value);
		return value;
	}
}

import { compareVersions } from "../../model/resource-version.ts";

/** What waits for a resourceVersion, least first: O(log n) to add, and to take what a version sets free. */
export class WaitingHeap<T> {
	readonly #entries: { version: string; value: T }[] = [];

	get size(): number {
		return this.#entries.length;
	}

	add(version: string, value: T): void {
		const entries = this.#entries;
		let at = entries.push({ version, value }) - 1;
		while (at > 0) {
			const parent = (at - 1) >> 1;
			if (!this.#isLess(at, parent)) return;
			this.#swap(at, parent);
			at = parent;
		}
	}

	/** What waits for a version up to `version`, which waits no more. */
	*take(version: string): IterableIterator<T> {
		for (;;) {
			const [first] = this.#entries;
			if (!first || compareVersions(first.version, version) > 0) return;
			this.#dropFirst();
			yield first.value;
		}
	}

	/** Lets go of what `isWanted` denies; O(n log n). */
	keep(isWanted: (value: T) => boolean): void {
		for (const { version, value } of this.#entries.splice(0))
			if (isWanted(value)) this.add(version, value);
	}

	#dropFirst(): void {
		const entries = this.#entries;
		this.#swap(0, entries.length - 1);
		entries.pop();
		for (let at = 0; ; ) {
			const left = 2 * at + 1;
			if (left >= entries.length) return;
			const right = left + 1;
			const least =
				right < entries.length && this.#isLess(right, left) ? right : left;
			if (!this.#isLess(least, at)) return;
			this.#swap(least, at);
			at = least;
		}
	}

	#isLess(a: number, b: number): boolean {
		return (
			compareVersions(this.#entries[a]?.version, this.#entries[b]?.version) < 0
		);
	}

	#swap(a: number, b: number): void {
		const entries = this.#entries;
		[entries[a], entries[b]] = [entries[b], entries[a]] as [
			{ version: string; value: T },
			{ version: string; value: T },
		];
	}
}

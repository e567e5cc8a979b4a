import type { Interval } from "./intervals.ts";

/**
 * Finds the lowest free address of some intervals. It keeps a frontier below which everything is in use except the
 * holes, so it costs O(log n) per address however large, dense or sparse the intervals are, and its memory grows with
 * what is in use, never with what could be.
 */
export class FreeAddresses {
	readonly #intervals: readonly Interval[];
	/** In use, or never to be handed out. */
	readonly #blocked: (value: bigint) => boolean;
	#interval = 0;
	#frontier: bigint;
	/** Addresses below the frontier that came back: a binary heap, in which some may be in use again. */
	#holes: bigint[] = [];

	/** `intervals` are ascending and disjoint. */
	constructor(
		intervals: readonly Interval[],
		blocked: (value: bigint) => boolean,
	) {
		this.#intervals = intervals;
		this.#blocked = blocked;
		this.#frontier = intervals[0]?.start ?? 0n;
	}

	/** The lowest address that is not in use; undefined when all are. It stays the answer until it is in use. */
	lowest(): bigint | undefined {
		while (this.#holes.length > 0) {
			const hole = this.#holes[0] as bigint;
			if (!this.#blocked(hole)) return hole;
			this.#dropLowestHole();
		}
		for (;;) {
			const interval = this.#intervals[this.#interval];
			if (!interval) return undefined;
			while (this.#frontier <= interval.end) {
				if (!this.#blocked(this.#frontier)) return this.#frontier;
				this.#frontier++;
			}
			const next = this.#intervals[++this.#interval];
			if (next) this.#frontier = next.start;
		}
	}

	/** The lowest address that is neither in use nor to `skip`; walks past everything above the lowest free one. */
	lowestBut(skip: (value: bigint) => boolean): bigint | undefined {
		const lowest = this.lowest();
		if (lowest === undefined) return undefined;
		for (const { start, end } of this.#intervals)
			for (let at = start > lowest ? start : lowest; at <= end; at++)
				if (!this.#blocked(at) && !skip(at)) return at;
		return undefined;
	}

	/** An address of these intervals is in use now. Telling saves a look at it, nothing more. */
	taken(value: bigint): void {
		if (value === this.#frontier) this.#frontier++;
	}

	/** An address of these intervals is no longer in use; `inUse` others still are. */
	returned(value: bigint, inUse: number): void {
		if (value >= this.#frontier && this.#interval < this.#intervals.length)
			return;
		this.#addHole(value);
		// Walking the frontier over what is in use again is paid for by the returns since it was last moved back.
		if (this.#holes.length > 2 * inUse + 64) {
			const lowest = this.#holes[0] as bigint;
			this.#holes = [];
			this.#frontier = lowest;
			this.#interval = this.#intervals.findIndex(({ end }) => end >= lowest);
		}
	}

	#addHole(value: bigint): void {
		const heap = this.#holes;
		let at = heap.length;
		while (at > 0) {
			const parent = (at - 1) >>> 1;
			const above = heap[parent] as bigint;
			if (above <= value) break;
			heap[at] = above;
			at = parent;
		}
		heap[at] = value;
	}

	#dropLowestHole(): void {
		const heap = this.#holes;
		const value = heap.pop() as bigint;
		if (heap.length === 0) return;
		let at = 0;
		for (;;) {
			let child = 2 * at + 1;
			if (child >= heap.length) break;
			const right = child + 1;
			if (
				right < heap.length &&
				(heap[right] as bigint) < (heap[child] as bigint)
			)
				child = right;
			const below = heap[child] as bigint;
			if (value <= below) break;
			heap[at] = below;
			at = child;
		}
		heap[at] = value;
	}
}

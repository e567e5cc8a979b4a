/** Why a number could not be taken. */
export type Refusal = "allocated" | "outside" | "full";

/**
 * Numbers from `first` on, `size` of them, given out at random from above the static band and only then from within it,
 * so that people may choose from the band without conflicts (pkg/registry/core/service/allocator, bitmap.go).
 */
export class NumberPool {
	readonly first: bigint;
	readonly size: bigint;
	readonly #band: bigint;
	readonly #taken = new Set<bigint>();
	readonly #random: (bytes: number) => Uint8Array;

	constructor(
		first: bigint,
		size: bigint,
		band: bigint,
		random: (bytes: number) => Uint8Array,
	) {
		this.first = first;
		this.size = size;
		this.#band = band < size ? band : 0n;
		this.#random = random;
	}

	take(number: bigint): Refusal | undefined {
		if (number < this.first || number >= this.first + this.size)
			return "outside";
		if (this.#taken.has(number)) return "allocated";
		this.#taken.add(number);
		return undefined;
	}

	/** Any free number, or undefined if there is none. */
	next(): bigint | undefined {
		const found =
			this.#free(this.first + this.#band, this.size - this.#band) ??
			this.#free(this.first, this.#band);
		if (found !== undefined) this.#taken.add(found);
		return found;
	}

	release(number: bigint): void {
		this.#taken.delete(number);
	}

	/** From a random place on, round once. */
	#free(first: bigint, size: bigint): bigint | undefined {
		if (size <= 0n || BigInt(this.#taken.size) >= this.size) return undefined;
		const start =
			BigInt(`0x${Buffer.from(this.#random(8)).toString("hex")}`) % size;
		for (let step = 0n; step < size; step++) {
			const number = first + ((start + step) % size);
			if (!this.#taken.has(number)) return number;
		}
		return undefined;
	}
}

/** Size of the static band: 1/32 of the range for ports, 1/16 for addresses, within limits (KEP-3070, KEP-3668). */
export function staticBand(
	size: bigint,
	{ min, max, step }: { min: bigint; max: bigint; step: bigint },
): bigint {
	if (size <= min) return 0n;
	const part = size / step;
	return part < min ? min : part > max ? max : part;
}

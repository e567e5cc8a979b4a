import {
	type AddressRange,
	formatAddress,
	parseAddress,
} from "./address-range.ts";

/** The addresses of one range that are in use. Nothing below `lowest` is free, so a full stretch is scanned once. */
export class AddressPool {
	readonly range: AddressRange;
	readonly #used = new Set<bigint>();
	#lowest: bigint;

	constructor(range: AddressRange) {
		this.range = range;
		this.#lowest = range.first;
	}

	/** The lowest free address; undefined when all are taken. Taking it is the caller's business. */
	lowestFree(): string | undefined {
		const { last, step, family } = this.range;
		while (this.#lowest <= last && this.#used.has(this.#lowest))
			this.#lowest += step;
		return this.#lowest <= last
			? formatAddress(this.#lowest, family)
			: undefined;
	}

	take(address: string): void {
		this.#used.add(parseAddress(address));
	}

	release(address: string): void {
		const value = parseAddress(address);
		if (
			this.#used.delete(value) &&
			value < this.#lowest &&
			value >= this.range.first
		)
			this.#lowest = value;
	}
}

import { FairleadError } from "../../operator/errors.ts";

/**
 * Hands out addresses in order, and again those that were given back, longest unused first: whoever still remembers the
 * one who had an address before is least likely to be misled.
 */
export class AddressPool {
	readonly #owner: string;
	readonly #total: number;
	/** Insertion order is the order of use. */
	readonly #free: Set<string>;

	constructor(owner: string, addresses: readonly string[]) {
		this.#owner = owner;
		this.#total = addresses.length;
		this.#free = new Set(addresses);
	}

	/** @throws NetworkUnavailable when all are in use */
	take(): string {
		const [address] = this.#free;
		if (address === undefined)
			throw new FairleadError(
				"NetworkUnavailable",
				`${this.#owner} has no pod address left: all ${this.#total} are in use`,
			);
		this.#free.delete(address);
		return address;
	}

	giveBack(address: string): void {
		this.#free.add(address);
	}
}

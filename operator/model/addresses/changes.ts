import type { Entry } from "./address-book.ts";
import type { AssignedAddress } from "./allocation.ts";
import type { FreeAddresses } from "./free-addresses.ts";
import type { AddressRequest } from "./request.ts";
import { addressKey, groupKey, holdKey, poolKey } from "./waiting-room.ts";

/** Something that those who wait under `key` may be able to use now. */
export interface Offer {
	key: string;
	/** For an offer of a pool: it stands as long as the pool has a free address. */
	free?: FreeAddresses;
	/** Up to whom, by age, it has been offered. */
	tried: AddressRequest | undefined;
}

/** What one call to the allocator has changed for others. */
export class Changes {
	readonly freed: AssignedAddress[] = [];
	/** Most calls change nothing for others. */
	#offers: Map<string, Offer> | undefined;

	offers(): Iterable<Offer> {
		return this.#offers?.values() ?? [];
	}

	/** An address is about to lose a holder or a hold, or one of its holders a port. */
	available({ address, owner, group, holds }: Entry): void {
		this.#offer(addressKey(address));
		if (owner)
			this.#offer(
				poolKey(owner.pool.name, address.family),
				owner[address.family].free,
			);
		if (group !== undefined) this.#offer(groupKey(group, address.family));
		for (const hold of holds)
			if (hold.for) this.heldFor(hold.for.namespace, hold.for.name);
	}

	/** An address has a new holder, whom others may join. */
	joinable({ address, group }: Entry): void {
		if (group !== undefined) this.#offer(groupKey(group, address.family));
	}

	heldFor(namespace: string, name: string): void {
		this.#offer(holdKey(namespace, name));
	}

	#offer(key: string, free?: FreeAddresses): void {
		this.#offers ??= new Map();
		this.#offers.set(key, { key, tried: undefined, ...(free ? { free } : {}) });
	}
}

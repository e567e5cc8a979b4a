import type { IPFamily } from "../../api/core.ts";
import { FreeAddresses } from "./free-addresses.ts";
import { formatIp, type IpAddress } from "./ip.ts";
import {
	arrangePools,
	families,
	isAvoided,
	type Pool,
	type PoolSet,
	poolCapacity,
} from "./pool.ts";
import type { Reason } from "./reasons.ts";
import type { AddressRequest } from "./request.ts";
import { sharingGroup, sharingRefusal } from "./sharing.ts";
import { SharingGroups } from "./sharing-groups.ts";

/** Keeps a free address out of use, or for one Service: a reservation, a retained address, one still being withdrawn. */
export interface Hold {
	/** One address has at most one hold of a code: `Draining`, `Reserved`, `Retained`. */
	code: string;
	/** Follows the address in a sentence: `is reserved for shop/web`. */
	message: string;
	/** The only Service that may have it; absent: nobody. */
	for?: { namespace: string; name: string };
}

export interface Holder {
	request: AddressRequest;
	/** In the order of the request's families. */
	holdings: Holding[];
}

export interface Holding {
	entry: Entry;
	/** The pool it is recorded under: the one it was assigned from, or the last that had it before the present pools. */
	pool: string;
}

/** An address that somebody holds, or that is kept out of use. */
export interface Entry {
	readonly address: IpAddress;
	/** The pool that hands it out now; absent when no pool has it, or its pool avoids it. */
	owner: PoolState | undefined;
	holders: Holder[];
	/** The sharing group of its holders; more than one holder only with a group. */
	group: string | undefined;
	/** With a group: who uses which port. */
	ports: Map<string, Holder> | undefined;
	holds: readonly Hold[];
}

export interface PoolState {
	readonly pool: Pool;
	/** Position in the order pools are drawn from. */
	readonly rank: number;
	readonly IPv4: FamilyState;
	readonly IPv6: FamilyState;
}

export interface FamilyState {
	readonly capacity: bigint;
	readonly free: FreeAddresses;
	/** Addresses with a holder, and addresses without one that a hold keeps out of use. */
	assigned: number;
	held: number;
}

const noHolds: readonly Hold[] = [];

/** What the holder has of `family`. */
export function heldOf(holder: Holder, family: IPFamily): Holding | undefined {
	for (const holding of holder.holdings)
		if (holding.entry.address.family === family) return holding;
	return undefined;
}

/** The book to look at. */
export type AddressView = Pick<
	AddressBook,
	| "pools"
	| "poolNamed"
	| "entry"
	| "ownerOf"
	| "avoidedBy"
	| "refusal"
	| "lowestFree"
	| "outside"
>;

/** Who holds which address, and which are free; it decides nothing but whether an address can be had. */
export class AddressBook {
	/** By value; IPv4 as numbers, which a Map finds much faster than bigints. */
	readonly #entries: Record<IPFamily, Map<number | bigint, Entry>> = {
		IPv4: new Map(),
		IPv6: new Map(),
	};
	readonly #groups = new SharingGroups();
	readonly #heldFor = new Map<string, Set<Entry>>();
	readonly #outside = new Set<Entry>();
	#set: PoolSet = arrangePools([]);
	#states: PoolState[] = [];
	#byName = new Map<string, PoolState>();

	/** In the order they are drawn from. */
	get pools(): readonly PoolState[] {
		return this.#states;
	}

	poolNamed(name: string): PoolState | undefined {
		return this.#byName.get(name);
	}

	setPools(pools: readonly Pool[]): void {
		this.#set = arrangePools(pools);
		this.#states = this.#set.pools.map((pool, rank) => ({
			pool,
			rank,
			IPv4: this.#familyState(pool, "IPv4"),
			IPv6: this.#familyState(pool, "IPv6"),
		}));
		this.#byName = new Map(
			this.#states.map((state) => [state.pool.name, state]),
		);
		this.#outside.clear();
		for (const family of families)
			for (const entry of this.#entries[family].values()) {
				entry.owner = this.ownerOf(entry.address);
				if (!entry.owner) this.#outside.add(entry);
				this.#count(entry, 1);
			}
	}

	/** The pool an address belongs to and could be handed out from. */
	ownerOf(address: IpAddress): PoolState | undefined {
		const pool = this.#set.ownerOf(address);
		return pool && !isAvoided(pool, address)
			? this.#byName.get(pool.name)
			: undefined;
	}

	/** The pool that has the address but leaves it out. */
	avoidedBy(address: IpAddress): Pool | undefined {
		const pool = this.#set.ownerOf(address);
		return pool && isAvoided(pool, address) ? pool : undefined;
	}

	entry({ family, value }: IpAddress): Entry | undefined {
		return this.#entries[family].get(keyOf(family, value));
	}

	*entries(): Iterable<Entry> {
		for (const family of families) yield* this.#entries[family].values();
	}

	/** Addresses that a hold keeps for exactly this Service. */
	heldFor(namespace: string, name: string): Iterable<Entry> {
		if (this.#heldFor.size === 0) return [];
		return this.#heldFor.get(`${namespace}/${name}`) ?? [];
	}

	/** Addresses of `family` that Services of this sharing group hold and on which none of `ports` is in use. */
	joinable(
		group: string,
		family: IPFamily,
		ports: readonly string[],
	): Iterable<Entry> {
		return this.#groups.joinable(group, family, ports);
	}

	/** The lowest free address of the pool but those to `skip`; costs as much as there is to skip. */
	lowestFree(
		pool: string,
		family: IPFamily,
		skip: (address: IpAddress) => boolean,
	): IpAddress | undefined {
		const value = this.#byName
			.get(pool)
			?.[family].free.lowestBut((each) => skip({ family, value: each }));
		return value === undefined ? undefined : { family, value };
	}

	/** Addresses somebody holds, or that are kept, and that no pool hands out. */
	get outside(): ReadonlySet<Entry> {
		return this.#outside;
	}

	/** Why the request cannot have the address, whatever pool it is in; undefined if it can. */
	refusal(
		request: AddressRequest,
		address: IpAddress,
		holds: "Respect" | "Ignore" = "Respect",
	): Reason | undefined {
		const entry = this.entry(address);
		if (!entry) return undefined;
		const about = {
			...(entry.owner ? { pool: entry.owner.pool.name } : {}),
			family: address.family,
		};
		const kept = holds === "Respect" ? entry.holds : noHolds;
		const hold = kept.find(
			({ for: only }) =>
				only?.namespace !== request.namespace || only.name !== request.name,
		);
		if (hold) {
			const ip = formatIp(address);
			return {
				...about,
				ip,
				code: "AddressHeld",
				message: `${ip} ${hold.message}`,
			};
		}
		const group = sharingGroup(request);
		const clash = request.ports
			.map((port) => entry.ports?.get(port))
			.find((holder) => holder && holder.request.uid !== request.uid);
		if (group !== undefined && group === entry.group && !clash)
			return undefined;
		const other = (
			clash ??
			entry.holders.find((holder) => holder.request.uid !== request.uid)
		)?.request;
		if (!other) return undefined;
		const ip = formatIp(address);
		return {
			...about,
			ip,
			code: "AddressInUse",
			message: `${ip} is held by ${other.namespace}/${other.name}, ${sharingRefusal(request, other)}`,
		};
	}

	/** Gives the address to the holder; that it may have it is the caller's business. */
	attach(holder: Holder, address: IpAddress, pool?: string): Entry {
		const entry = this.#open(address);
		this.#count(entry, -1);
		// Nearly every list has one member, for which a literal takes a fraction of the memory of a push.
		if (entry.holders.length === 0) entry.holders = [holder];
		else entry.holders.push(holder);
		this.#groups.share(entry, holder);
		this.#count(entry, 1);
		const holding = { entry, pool: pool ?? entry.owner?.pool.name ?? "" };
		holder.holdings =
			holder.holdings.length === 0 ? [holding] : [...holder.holdings, holding];
		this.#order(holder);
		return entry;
	}

	/** Takes an address away from a holder; true if nobody holds it now. */
	detach(holder: Holder, entry: Entry): boolean {
		this.#count(entry, -1);
		holder.holdings = holder.holdings.filter((own) => own.entry !== entry);
		entry.holders = entry.holders.filter((other) => other !== holder);
		this.#groups.unshare(entry, holder, entry.holders.length);
		this.#count(entry, 1);
		this.#closeIfUnused(entry);
		return entry.holders.length === 0;
	}

	/** The holder asks for something else from now on; the caller has made sure that its addresses allow it. */
	setRequest(holder: Holder, request: AddressRequest): void {
		const entries = holder.holdings.map(({ entry }) => entry);
		for (const entry of entries)
			this.#groups.unshare(entry, holder, entry.holders.length - 1);
		holder.request = request;
		for (const entry of entries) this.#groups.share(entry, holder);
		this.#order(holder);
	}

	/** Adds a hold, in place of one with the same code. */
	hold(address: IpAddress, hold: Hold): void {
		const entry = this.#open(address);
		this.#setHolds(entry, [
			...entry.holds.filter(({ code }) => code !== hold.code),
			hold,
		]);
	}

	/** Removes the hold of that code; false if there was none. */
	unhold(address: IpAddress, code: string): boolean {
		const entry = this.entry(address);
		const left = entry?.holds.filter((hold) => hold.code !== code);
		if (!entry || !left || left.length === entry.holds.length) return false;
		this.#setHolds(entry, left);
		this.#closeIfUnused(entry);
		return true;
	}

	#order({ request: { families: order }, holdings }: Holder): void {
		if (holdings.length > 1)
			holdings.sort(
				(a, b) =>
					order.indexOf(a.entry.address.family) -
					order.indexOf(b.entry.address.family),
			);
	}

	#familyState(pool: Pool, family: IPFamily): FamilyState {
		const entries = this.#entries[family];
		const inUse =
			family === "IPv4"
				? (value: bigint) => entries.has(Number(value))
				: (value: bigint) => entries.has(value);
		const blocked = pool.avoidFirstAndLast
			? (value: bigint) => inUse(value) || isAvoided(pool, { family, value })
			: inUse;
		return {
			capacity: poolCapacity(pool, family),
			free: new FreeAddresses(pool.intervals[family], blocked),
			assigned: 0,
			held: 0,
		};
	}

	#open(address: IpAddress): Entry {
		const entries = this.#entries[address.family];
		const key = keyOf(address.family, address.value);
		let entry = entries.get(key);
		if (!entry) {
			entry = {
				address,
				owner: this.ownerOf(address),
				holders: [],
				group: undefined,
				ports: undefined,
				holds: noHolds,
			};
			entries.set(key, entry);
			if (entry.owner) entry.owner[address.family].free.taken(address.value);
			else this.#outside.add(entry);
		}
		return entry;
	}

	#closeIfUnused(entry: Entry): void {
		if (entry.holders.length > 0 || entry.holds.length > 0) return;
		const { family, value } = entry.address;
		this.#entries[family].delete(keyOf(family, value));
		this.#outside.delete(entry);
		const state = entry.owner?.[family];
		state?.free.returned(value, state.assigned + state.held);
	}

	#setHolds(entry: Entry, holds: readonly Hold[]): void {
		this.#count(entry, -1);
		for (const { for: only } of entry.holds) {
			if (!only) continue;
			const key = `${only.namespace}/${only.name}`;
			const held = this.#heldFor.get(key);
			held?.delete(entry);
			if (held?.size === 0) this.#heldFor.delete(key);
		}
		entry.holds = holds.length > 0 ? holds : noHolds;
		for (const { for: only } of entry.holds) {
			if (!only) continue;
			const key = `${only.namespace}/${only.name}`;
			const held = this.#heldFor.get(key) ?? new Set();
			this.#heldFor.set(key, held.add(entry));
		}
		this.#count(entry, 1);
	}

	#count(entry: Entry, by: 1 | -1): void {
		const state = entry.owner?.[entry.address.family];
		if (!state) return;
		if (entry.holders.length > 0) state.assigned += by;
		else if (entry.holds.length > 0) state.held += by;
	}
}

function keyOf(family: IPFamily, value: bigint): number | bigint {
	return family === "IPv4" ? Number(value) : value;
}

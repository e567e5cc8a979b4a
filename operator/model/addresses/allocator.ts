import type { IPFamily } from "../../api/core.ts";
import type { FamilyCount } from "../../api/fairlead.ts";
import {
	AddressBook,
	type AddressView,
	type Entry,
	type Hold,
	type Holder,
	type Holding,
	heldOf,
} from "./address-book.ts";
import type {
	Adoption,
	Allocation,
	AllocatorOptions,
	AssignedAddress,
	Claim,
	Effects,
	PoolChange,
	Snapshot,
} from "./allocation.ts";
import { Changes, type Offer } from "./changes.ts";
import { findAddress, isMisplaced, refusals, waitKeys } from "./finding.ts";
import { compareIp, formatIp, type IpAddress, parseIp } from "./ip.ts";
import { holdingNotice } from "./notices.ts";
import { familyCount, type Pool } from "./pool.ts";
import type { Reason } from "./reasons.ts";
import { type AddressRequest, compareAge } from "./request.ts";
import { isSharedAlike } from "./sharing.ts";
import { type Waiter, WaitingRoom } from "./waiting-room.ts";

/**
 * Hands out the addresses of pools: the lowest free address of the first pool in (priority, name) order that admits the
 * Service. The same calls in the same order always give the same answers. What somebody holds is never moved or taken
 * away because pools change; only what the Service itself asks for moves it.
 *
 * Services that get less than they ask for wait; whatever becomes free is given at once to the oldest of those who can
 * use it, and the answer of the call that freed it says to whom (`wake`).
 */
export class Allocator {
	readonly #book = new AddressBook();
	readonly #holders = new Map<string, Holder>();
	readonly #waiting = new WaitingRoom();
	readonly #holdFreed: NonNullable<AllocatorOptions["holdFreed"]>;

	constructor(pools: readonly Pool[], options: AllocatorOptions = {}) {
		this.#holdFreed = options.holdFreed ?? (() => []);
		this.#book.setPools(pools);
	}

	/**
	 * Gives holders the addresses recorded on them, before anything new is allocated. Who comes first does not matter
	 * within one call: of several that claim an address and cannot share it the oldest has it, then the lowest UID. Pools
	 * do not matter either. Each should be allocated afterwards, which completes or corrects what it has.
	 */
	adopt(claims: readonly Claim[]): Adoption[] {
		const inOrder = [...claims].sort((a, b) =>
			compareAge(a.request, b.request),
		);
		return inOrder.map(({ request, addresses }) => {
			const reasons: Reason[] = [];
			const holder = this.#holderOf(request);
			for (const { ip, pool } of addresses) {
				const address = parseIp(ip);
				if (!address.ok) {
					reasons.push({ code: "AddressInvalid", message: address.reason });
					continue;
				}
				const { family } = address.value;
				const held = heldOf(holder, family)?.entry.address;
				if (held && compareIp(held, address.value) === 0) continue;
				const refusal: Reason | undefined = held
					? {
							family,
							ip,
							code: "RequestConflict",
							message: `${ip} is recorded beside ${formatIp(held)}; a Service has one ${family} address`,
						}
					: this.#book.refusal(request, address.value, "Ignore");
				if (refusal) reasons.push(refusal);
				else this.#book.attach(holder, address.value, pool);
			}
			if (holder.holdings.length > 0) this.#holders.set(request.uid, holder);
			return { uid: request.uid, addresses: this.#assigned(holder), reasons };
		});
	}

	/**
	 * Brings what the Service holds in line with what it asks for now; repeating it changes nothing. A Service that asks
	 * for another address or pool keeps its own until it can have that one.
	 */
	allocate(request: AddressRequest): Allocation {
		const changes = new Changes();
		const { holder, ok, reasons } = this.#bring(request, changes);
		const { freed, wake } = this.#effects(changes);
		return {
			ok,
			addresses: this.#assigned(holder),
			reasons,
			notices: this.#notices(holder),
			freed,
			wake,
		};
	}

	/** The Service needs nothing any more. */
	release(uid: string): Effects {
		const changes = new Changes();
		this.#waiting.leave(uid);
		const holder = this.#holders.get(uid);
		for (const { entry } of [...(holder?.holdings ?? [])])
			this.#leave(holder as Holder, entry, changes);
		this.#holders.delete(uid);
		return this.#effects(changes);
	}

	/** Puts other pools in place of all there are. Every holder keeps its addresses. */
	setPools(pools: readonly Pool[]): Effects & { changed: PoolChange[] } {
		const before = this.#standings();
		// As the records on the Services say by now, so that a restart between two edits changes nothing.
		for (const holder of this.#holders.values())
			for (const holding of holder.holdings)
				holding.pool = this.#poolOf(holder, holding);
		this.#book.setPools(pools);
		const changed: PoolChange[] = [];
		for (const [holding, { uid, pool, notice }] of this.#standings()) {
			const was = before.get(holding);
			if (was?.pool === pool && was?.notice?.code === notice?.code) continue;
			changed.push({
				uid,
				ip: formatIp(holding.entry.address),
				...(was?.pool === undefined ? {} : { from: was.pool }),
				...(pool === undefined ? {} : { to: pool }),
				...(notice ? { notice } : {}),
			});
		}
		const changes = new Changes();
		const woken: string[] = [];
		for (const { request } of this.#waiting.all()) {
			if (!this.#bring(request, changes).gained) continue;
			// What it left is for older ones first, who were tried before it was free.
			woken.push(request.uid, ...this.#serve(changes, request));
		}
		const { freed, wake } = this.#effects(changes);
		return { changed, freed, wake: [...new Set([...woken, ...wake])] };
	}

	/** Keeps an address out of use, or for one Service. Who holds it now keeps it; the hold counts once it is free. */
	hold(address: IpAddress, hold: Hold): Effects {
		const changes = new Changes();
		this.#book.hold(address, hold);
		if (hold.for) changes.heldFor(hold.for.namespace, hold.for.name);
		return this.#effects(changes);
	}

	/** Ends the hold of that code. */
	unhold(address: IpAddress, code: string): Effects {
		const changes = new Changes();
		const entry = this.#book.entry(address);
		if (entry && this.#book.unhold(address, code)) changes.available(entry);
		return this.#effects(changes);
	}

	/** Who holds which address and which are free, to look at. */
	get book(): AddressView {
		return this.#book;
	}

	/** What a Service holds. */
	addressesOf(uid: string): AssignedAddress[] {
		const holder = this.#holders.get(uid);
		return holder ? this.#assigned(holder) : [];
	}

	/** What is out of order with what a Service holds. */
	noticesOf(uid: string): Reason[] {
		const holder = this.#holders.get(uid);
		return holder ? this.#notices(holder) : [];
	}

	/** For every pool that would not serve the request now, and for a requested address: why not. Changes nothing. */
	explain(request: AddressRequest): Reason[] {
		return request.families.flatMap((family, index) =>
			refusals(this.#book, request, family).filter(
				(reason) => index === 0 || reason.family !== undefined,
			),
		);
	}

	/** Counts for the status of every pool, in the order pools are drawn from. */
	counts(): { pool: string; ipv4: FamilyCount; ipv6: FamilyCount }[] {
		return this.#book.pools.map(({ pool, IPv4, IPv6 }) => ({
			pool: pool.name,
			ipv4: familyCount(IPv4.capacity, IPv4.assigned, IPv4.held),
			ipv6: familyCount(IPv6.capacity, IPv6.assigned, IPv6.held),
		}));
	}

	/** The pools as they are in force, in the order they are drawn from, with their problems. */
	pools(): Pool[] {
		return this.#book.pools.map(({ pool }) => pool);
	}

	/** Everything there is to know, as plain JSON in an order of its own: equal histories give equal text. */
	snapshot(): Snapshot {
		const byUid = <T extends { uid: string }>(list: T[]) =>
			list.sort((a, b) => (a.uid < b.uid ? -1 : 1));
		return {
			holders: byUid(
				[...this.#holders.values()].map((holder) => ({
					uid: holder.request.uid,
					addresses: this.#assigned(holder),
					notices: this.#notices(holder),
				})),
			),
			waiting: byUid(
				this.#waiting
					.all()
					.map(({ request, reasons }) => ({ uid: request.uid, reasons })),
			),
			holds: [...this.#book.entries()]
				.filter(({ holds }) => holds.length > 0)
				.sort((a, b) => compareIp(a.address, b.address))
				.map(({ address, holds }) => ({ ip: formatIp(address), holds })),
			pools: this.counts(),
		};
	}

	#holderOf(request: AddressRequest): Holder {
		return this.#holders.get(request.uid) ?? { request, holdings: [] };
	}

	/** The work of `allocate`: settles what is held, then looks for what is missing. */
	#bring(
		request: AddressRequest,
		changes: Changes,
	): { holder: Holder; ok: boolean; gained: boolean; reasons: Reason[] } {
		const holder = this.#holderOf(request);
		const isNew = holder.holdings.length === 0;
		const reasons = this.#settle(holder, request, changes);
		let findings: { address: IpAddress; instead: Entry | undefined }[] = [];
		const blocked: IPFamily[] = [];
		let missing = 0;
		let misplaced = 0;
		for (const family of request.families) {
			const held = heldOf(holder, family);
			if (held && !isMisplaced(held, request)) continue;
			const address = findAddress(this.#book, request, family);
			if (address) {
				findings = [...findings, { address, instead: held?.entry }];
				continue;
			}
			for (const reason of refusals(this.#book, request, family))
				if (blocked.length === 0 || reason.family !== undefined)
					reasons.push(reason);
			blocked.push(family);
			if (held) misplaced++;
			else missing++;
		}
		const takesPart = request.policy === "PreferDualStack";
		// A new Service gets both families or none: half of what it requires would serve nobody.
		if (missing > 0 && !takesPart && holder.holdings.length === 0)
			findings = [];
		for (const { address, instead } of findings) {
			if (instead) this.#leave(holder, instead, changes);
			changes.joinable(this.#book.attach(holder, address));
		}
		const holds = holder.holdings.length > 0;
		if (holds && isNew) this.#holders.set(request.uid, holder);
		else if (!holds && !isNew) this.#holders.delete(request.uid);
		if (blocked.length === 0) this.#waiting.leave(request.uid);
		else {
			// To who must have all or nothing, other families are of no use until the first one missing is free.
			const awaited = takesPart || holds ? blocked : blocked.slice(0, 1);
			const keys = new Set(
				awaited.flatMap((family) => waitKeys(this.#book, request, family)),
			);
			this.#waiting.enter({ request, reasons, keys: [...keys] });
		}
		const ok = misplaced === 0 && (missing === 0 || (takesPart && holds));
		return { holder, ok, gained: findings.length > 0, reasons };
	}

	/** Applies a changed request to what is held: gives up families no longer wanted and addresses it can no longer share. */
	#settle(holder: Holder, request: AddressRequest, changes: Changes): Reason[] {
		const lost: Reason[] = [];
		if (holder.request === request) return lost;
		const sharesAsBefore = isSharedAlike(holder.request, request);
		for (const { entry } of [...holder.holdings]) {
			const { family } = entry.address;
			if (!request.families.includes(family)) {
				this.#leave(holder, entry, changes);
				continue;
			}
			if (sharesAsBefore) continue;
			const refusal = this.#book.refusal(request, entry.address, "Ignore");
			if (refusal) {
				lost.push(refusal);
				this.#leave(holder, entry, changes);
			} else changes.available(entry);
		}
		this.#book.setRequest(holder, request);
		if (!sharesAsBefore)
			for (const { entry } of holder.holdings) changes.joinable(entry);
		return lost;
	}

	#leave(holder: Holder, entry: Entry, changes: Changes): void {
		const holding = heldOf(holder, entry.address.family) as Holding;
		const pool = this.#poolOf(holder, holding);
		// Before it is detached: a shared address forgets its group with its last holder.
		changes.available(entry);
		if (!this.#book.detach(holder, entry)) return;
		const { address } = entry;
		changes.freed.push({
			ip: formatIp(address),
			family: address.family,
			pool,
		});
		for (const hold of this.#holdFreed(address, holder.request)) {
			this.#book.hold(address, hold);
			if (hold.for) changes.heldFor(hold.for.namespace, hold.for.name);
		}
	}

	#effects(changes: Changes): Effects {
		const wake = this.#serve(changes);
		return { freed: changes.freed, wake };
	}

	/** Gives what became available to those who wait for it, the oldest first, until nobody (older than `before`) can use it. */
	#serve(changes: Changes, before?: AddressRequest): string[] {
		if (this.#waiting.size === 0) return [];
		const woken = new Set<string>();
		for (;;) {
			let oldest: { waiter: Waiter; offer: Offer } | undefined;
			for (const offer of changes.offers()) {
				if (offer.free && offer.free.lowest() === undefined) continue;
				const waiter = this.#waiting.next(offer.key, offer.tried);
				if (
					waiter &&
					(!before || compareAge(waiter.request, before) < 0) &&
					(!oldest || compareAge(waiter.request, oldest.waiter.request) < 0)
				)
					oldest = { waiter, offer };
			}
			if (!oldest) return [...woken];
			const { request } = oldest.waiter;
			oldest.offer.tried = request;
			if (this.#bring(request, changes).gained) woken.add(request.uid);
		}
	}

	#assigned(holder: Holder): AssignedAddress[] {
		return holder.holdings.map((holding) => {
			const { address } = holding.entry;
			const pool = this.#poolOf(holder, holding);
			return { ip: formatIp(address), family: address.family, pool };
		});
	}

	/** A Service that asked for a pool by name goes on being recorded under that name when the pool is renamed or split. */
	#poolOf({ request }: Holder, { entry, pool }: Holding): string {
		return pool !== "" && request.requestedPool === pool
			? pool
			: (entry.owner?.pool.name ?? pool);
	}

	#notices(holder: Holder): Reason[] {
		const notices: Reason[] = [];
		for (const holding of holder.holdings) {
			const notice = holdingNotice(this.#book, holder, holding);
			if (notice) notices.push(notice);
		}
		return notices;
	}

	#standings(): Map<
		Holding,
		{ uid: string; pool: string | undefined; notice: Reason | undefined }
	> {
		const standings = new Map();
		for (const holder of this.#holders.values())
			for (const holding of holder.holdings)
				standings.set(holding, {
					uid: holder.request.uid,
					pool: holding.entry.owner?.pool.name,
					notice: holdingNotice(this.#book, holder, holding),
				});
		return standings;
	}
}

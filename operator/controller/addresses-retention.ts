import type { Service } from "../api/core.ts";
import type { HeldAddress } from "../api/fairlead.ts";
import { objectKey } from "../api/meta.ts";
import type { Cancel, Clock } from "../clock.ts";
import { isFairleadError } from "../errors.ts";
import type {
	AssignedAddress,
	Effects,
} from "../model/addresses/allocation.ts";
import type { Allocator } from "../model/addresses/allocator.ts";
import {
	addHeld,
	type Announcer,
	heldEntries,
	holdOf,
	nextExpiry,
	readHeld,
	standingHeld,
} from "../model/addresses/held.ts";
import { type IpAddress, parseIp } from "../model/addresses/ip.ts";
import type { AddressRequest } from "../model/addresses/request.ts";
import { assignmentOf } from "../model/assignment.ts";
import type { Caches } from "./caches.ts";

export interface RetentionOptions {
	caches: Caches;
	allocator: Allocator;
	clock: Clock;
	/** Whether nodes announce the addresses of this class. */
	announces: (className: string) => boolean;
	/** The agents that announce now. */
	announcers: () => readonly Announcer[];
	/** Resolves when the status of the pool says what is held back. */
	write: (pool: string) => Promise<void>;
	/** What is held back has changed. */
	changed: () => void;
	/** Somebody may have got something. */
	took: (effects: Effects) => void;
}

/** The longest pause before looking again: timers hold 31 bits of milliseconds. */
const longestPauseMs = 24 * 3_600_000;

/**
 * Addresses kept out of use after their Service is gone, during one term. A pool's status says so before the Service is
 * let go, and for as long as it is so: whatever the process is killed between, the address is either still recorded on the
 * Service, or kept in the pool, or both.
 */
export class Retention {
	readonly #options: RetentionOptions;
	/** By pool, oldest first. */
	readonly #held = new Map<string, HeldAddress[]>();
	/** UIDs of Services whose leaving is written down, or was too much to be. */
	readonly #noted = new Set<string>();
	#cancel: Cancel = () => {};
	#stopped = false;

	/** Takes up what the pools' status says; the allocator has adopted all holders. */
	constructor(options: RetentionOptions) {
		this.#options = options;
		const { caches, allocator } = options;
		for (const { metadata, status } of caches.pools.values()) {
			const held = readHeld(status?.held)
				.filter((entry) => !this.#isTakenUp(entry))
				.map((entry) => this.#withRelease(entry));
			if (held.length === 0) continue;
			this.#held.set(metadata.name, held);
			for (const entry of held)
				allocator.hold(addressOf(entry.address), holdOf(entry));
		}
	}

	/** What the status of the pool must say, oldest first. */
	heldOf(pool: string): readonly HeldAddress[] {
		return this.#held.get(pool) ?? none;
	}

	/** Whether any of these pools keeps what is released. */
	retains(pools: readonly string[]): boolean {
		return pools.some((pool) => this.#retentionMs(pool) > 0);
	}

	/** Whether the Service, which is to be let go, holds anything that must be written down first. */
	mustNote(service: Service): boolean {
		const { uid = "" } = service.metadata;
		return !this.#noted.has(uid) && this.#left(service).length > 0;
	}

	/**
	 * Resolves when the pools say what the Service leaves behind; throws what keeps them from being written. A status that
	 * is refused as such keeps nobody: it would be refused again.
	 */
	async note(service: Service): Promise<void> {
		const pools = this.#keep(service);
		await Promise.all(
			pools.map((pool) =>
				this.#options.write(pool).catch((error: unknown) => {
					if (!isFairleadError(error, "KubeInvalid")) throw error;
				}),
			),
		);
		this.#noted.add(service.metadata.uid ?? "");
	}

	/** Before the allocator forgets a Service that may have vanished without a word. */
	leaving(service: Service): void {
		const { uid = "" } = service.metadata;
		if (!this.#noted.delete(uid)) this.#keep(service);
		this.#released(objectKey(service));
	}

	/** Of what is recorded on the Service and really its own nothing needs to be kept any longer: records can be copied. */
	holds(service: Service): void {
		const { uid = "" } = service.metadata;
		this.#noted.delete(uid);
		if (this.#held.size === 0) return;
		const recorded = assignmentOf(service)?.addresses ?? [];
		const own = this.#options.allocator.addressesOf(uid).map(({ ip }) => ip);
		for (const address of own.filter((each) => recorded.includes(each)))
			for (const [pool, held] of this.#held) {
				const kept = held.filter(
					(entry) => entry.address !== address || entry.reason !== "Retained",
				);
				if (kept.length < held.length) this.#set(pool, kept);
			}
	}

	/** Ends what has expired, been announced by nobody any more, or lost its pool; sees to it that this happens again. */
	tend(): void {
		const { clock, announcers, allocator } = this.#options;
		const now = clock.now();
		for (const [pool, held] of this.#held) {
			const exists = allocator.book.poolNamed(pool) !== undefined;
			const retains = this.#retentionMs(pool) > 0;
			const standing = standingHeld(held, now, announcers()).filter(
				({ reason }) => (reason === "Retained" ? retains : exists),
			);
			if (standing.length < held.length) this.#set(pool, standing);
		}
		this.#cancel();
		// What still runs at the end of a term may release something.
		if (this.#stopped) return;
		const next = nextExpiry([...this.#held.values()].flat());
		this.#cancel =
			next === undefined
				? () => {}
				: clock.after(Math.min(Math.max(0, next - now), longestPauseMs), () =>
						this.tend(),
					);
	}

	stop(): void {
		this.#stopped = true;
		this.#cancel();
	}

	/** Keeps what the Service leaves behind out of use; returns the pools that must say so. */
	#keep(service: Service): string[] {
		const { allocator, clock, took } = this.#options;
		const pools = new Set<string>();
		for (const { address, pool, announced } of this.#left(service)) {
			const before = this.heldOf(pool);
			const held = addHeld(
				before,
				heldEntries(
					{
						address: address.ip,
						service: objectKey(service),
						retentionMs: this.#retentionMs(pool),
						announced,
					},
					clock.now(),
				),
			);
			this.#held.set(pool, held);
			for (const entry of held)
				if (entry.address === address.ip && !before.includes(entry))
					took(allocator.hold(addressOf(entry.address), holdOf(entry)));
			pools.add(pool);
		}
		if (pools.size > 0) {
			this.#options.changed();
			this.tend();
		}
		return [...pools];
	}

	/** Addresses that nobody holds once the Service is gone and that are not simply free then. */
	#left(
		service: Service,
	): { address: AssignedAddress; pool: string; announced: boolean }[] {
		const { allocator, announces } = this.#options;
		const { uid = "" } = service.metadata;
		return allocator.addressesOf(uid).flatMap((address) => {
			const entry = allocator.book.entry(addressOf(address.ip));
			const pool = entry?.owner?.pool;
			if (!pool) return [];
			const announced = announces(assignmentOf(service)?.class ?? "");
			if (pool.retentionMs === 0 && !announced) return [];
			const stay = entry.holders.some(
				({ request }) => request.uid !== uid && !this.#isLeaving(request),
			);
			return stay ? [] : [{ address, pool: pool.name, announced }];
		});
	}

	/** The record is off the Service: nodes that have got as far as here no longer announce. */
	#released(service: string): void {
		for (const [pool, held] of this.#held)
			if (held.some((entry) => isWaiting(entry) && entry.service === service)) {
				this.#held.set(
					pool,
					held.map((entry) =>
						entry.service === service ? this.#withRelease(entry) : entry,
					),
				);
				this.#options.changed();
			}
	}

	/** The entry with the version of its release, if that has happened. */
	#withRelease(entry: HeldAddress): HeldAddress {
		return isWaiting(entry)
			? { ...entry, released: this.#options.caches.services.newest ?? "0" }
			: entry;
	}

	/** Whether somebody who stays holds the address: the one it was kept for came back, or it is not kept after all. */
	#isTakenUp({ address, reason }: HeldAddress): boolean {
		if (reason !== "Retained") return false;
		const entry = this.#options.allocator.book.entry(addressOf(address));
		return (entry?.holders ?? []).some(
			({ request }) => !this.#isLeaving(request),
		);
	}

	#isLeaving({ namespace, name, uid }: AddressRequest): boolean {
		const service = this.#options.caches.services.get(`${namespace}/${name}`);
		const { uid: own, deletionTimestamp } = service?.metadata ?? {};
		if (!service || !own || deletionTimestamp !== undefined) return true;
		// What it holds beside its balancer (external IPs) is under its UID with a suffix, and of no type.
		if (uid !== own) return !uid.startsWith(own);
		return service.spec.type !== "LoadBalancer";
	}

	#retentionMs(pool: string): number {
		return this.#options.allocator.book.poolNamed(pool)?.pool.retentionMs ?? 0;
	}

	/** Puts a shorter list in place of a pool's, and frees what is not in it. */
	#set(pool: string, held: HeldAddress[]): void {
		const { allocator, took, changed } = this.#options;
		const before = this.heldOf(pool);
		if (held.length > 0) this.#held.set(pool, held);
		else this.#held.delete(pool);
		for (const entry of before)
			if (!held.includes(entry))
				took(allocator.unhold(addressOf(entry.address), entry.reason));
		changed();
	}
}

const none: readonly HeldAddress[] = [];

function isWaiting({ reason, released }: HeldAddress): boolean {
	return reason === "Releasing" && released === undefined;
}

function addressOf(text: string): IpAddress {
	const address = parseIp(text);
	if (!address.ok) throw new Error(address.reason);
	return address.value;
}

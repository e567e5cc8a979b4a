import { isDeepStrictEqual } from "node:util";
import type { Service } from "../api/core.ts";
import { objectKey } from "../api/meta.ts";
import type { AddressView, Hold } from "../model/addresses/address-book.ts";
import { addressingOf } from "../model/addresses/addressing.ts";
import type {
	Allocation,
	Claim,
	Effects,
} from "../model/addresses/allocation.ts";
import { Allocator } from "../model/addresses/allocator.ts";
import { formatIp, type IpAddress, parseIp } from "../model/addresses/ip.ts";
import { arrangePools, compilePool } from "../model/addresses/pool.ts";
import type { PoolFacts } from "../model/addresses/pool-status.ts";
import { preferredClaim } from "../model/addresses/preferring.ts";
import {
	type AddressRequest,
	compareAge,
	readRequest,
} from "../model/addresses/request.ts";
import { assignmentOf, vouchedAssignmentOf } from "../model/assignment.ts";
import {
	externalIPRecordOf,
	vouchedExternalIPRecordOf,
} from "../model/external-ips/record.ts";
import {
	externalHolder,
	isExternalHolder,
	wantedExternalIPs,
} from "../model/external-ips/request.ts";
import { providerTraits } from "../model/provider-traits.ts";
import type { Addressing } from "../model/world.ts";
import type { Clock } from "../clock.ts";
import { AddressWishes } from "./address-wishes.ts";
import { Retention } from "./addresses-retention.ts";
import {
	ownAddresses,
	staysAssigned,
	withoutOwn,
} from "./external-ips/own-addresses.ts";
import type { Caches } from "./caches.ts";

export interface AddressesOptions {
	caches: Caches;
	clock: Clock;
	/** Services that got, or may now get, an address they were waiting for. */
	wake: (key: string) => void;
	/** As `wake`, of those that waited for an external IP. */
	wakeExternal: (key: string) => void;
	/** The status of pools may have changed. */
	changed: () => void;
	/** Resolves when the status of the pool says what is so now. */
	write: (pool: string) => Promise<void>;
}

/** The addresses of our pools during one term of leadership: what Services hold is read off them at its start. */
export class Addresses {
	readonly #options: AddressesOptions;
	readonly #allocator: Allocator;
	/** Namespace/name of everybody who was ever asked about, by UID. */
	readonly #keys = new Map<string, string>();
	readonly #wishes: AddressWishes;
	readonly #retention: Retention;

	/** The caches must be complete: everybody's recorded address is taken before anything new is given out. */
	constructor(options: AddressesOptions) {
		this.#options = options;
		this.#wishes = new AddressWishes(options.caches);
		this.#allocator = new Allocator(this.#pools());
		this.#adopt();
		const { caches, clock, changed, write } = options;
		this.#retention = new Retention({
			caches,
			allocator: this.#allocator,
			clock,
			announces: (className) => {
				const provider = caches.classes.get(className)?.spec.provider;
				return provider !== undefined && providerTraits[provider].announces;
			},
			// No agent of this version announces anything.
			announcers: () => [],
			write,
			changed,
			took: (effects) => this.#took(effects),
		});
	}

	/** Time goes on for what is held back. */
	start(): void {
		this.#retention.tend();
	}

	/**
	 * Gives those whose record nothing bears out, as after their status was wiped, what it says, if they may have it by the
	 * ordinary rules; the oldest come first. To be called when all that is held back is, and before anything is given out.
	 */
	restore(): void {
		const { caches } = this.#options;
		const unvouched: { service: Service; request: AddressRequest }[] = [];
		for (const service of caches.services.values()) {
			const { uid = "", deletionTimestamp } = service.metadata;
			if (deletionTimestamp !== undefined) continue;
			if (!this.#holds(uid) && assignmentOf(service)) {
				const request = this.#wishes.ofServed(service);
				if (request) unvouched.push({ service, request });
			}
			if (externalIPRecordOf(service) && wantedExternalIPs(service)) {
				const request = this.#wishes.external(service);
				if (!this.#holds(request.uid)) unvouched.push({ service, request });
			}
		}
		unvouched.sort((a, b) => compareAge(a.request, b.request));
		for (const { service, request } of unvouched) {
			this.#keys.set(request.uid, objectKey(service));
			this.#prefer(service, request);
		}
	}

	stop(): void {
		this.#retention.stop();
	}

	get allocator(): Allocator {
		return this.#allocator;
	}

	/** Who holds which address and which are free, to look at. */
	get book(): AddressView {
		return this.#allocator.book;
	}

	/** What the Service of this `namespace/name` holds. */
	heldBy(key: string): string[] {
		const uid = this.#options.caches.services.get(key)?.metadata.uid;
		return uid === undefined
			? []
			: this.#allocator.addressesOf(uid).map((each) => each.ip);
	}

	/** Whether the Service holds each address that is recorded on it. */
	holdsRecord(service: Service): boolean {
		const own = this.#allocator.addressesOf(service.metadata.uid ?? "");
		return (assignmentOf(service)?.addresses ?? []).every((address) =>
			own.some(({ ip }) => ip === address),
		);
	}

	/** What the Service gets from the pools now; repeating it changes nothing. */
	addressing(service: Service, className: string): Addressing {
		const result = this.#wishes.of(service, className);
		const { uid } = result.request;
		if (!result.ok) {
			this.#retention.holds(service);
			// Wishes that contradict each other move nobody from what it holds.
			const { reasons } = result;
			const addresses = this.#allocator.addressesOf(uid);
			const notices = this.#allocator.noticesOf(uid);
			return addressingOf(
				{ ok: false, addresses, reasons, notices },
				className,
			);
		}
		this.#keys.set(uid, objectKey(service));
		// It may have come back with its record, from a backup, and with its status or without.
		if (!this.#holds(uid)) {
			const claim = this.#claim(service);
			if (claim && !this.#isKeptFrom(claim)) this.#allocator.adopt([claim]);
			else if (!claim) this.#prefer(service, result.request);
		}
		const allocation = this.#allocator.allocate(result.request);
		this.#retention.holds(service);
		this.#wake(allocation.wake);
		const recorded = assignmentOf(service)?.addresses ?? [];
		const now = allocation.addresses.map((each) => each.ip);
		if (allocation.freed.length > 0 || recorded.join() !== now.join())
			this.#options.changed();
		return addressingOf(allocation, className);
	}

	/** Whether any of these pools keeps what its Services release. */
	retains(pools: readonly string[]): boolean {
		return this.#retention.retains(pools);
	}

	/** Whether the Service, which is to be let go, holds anything its pool must write down first. */
	mustNote(service: Service): boolean {
		return this.#retention.mustNote(service);
	}

	/** Resolves when that is written; throws what keeps it from being written. */
	note(service: Service): Promise<void> {
		return this.#retention.note(service);
	}

	/** Keeps an address out of everybody else's use. */
	hold(address: IpAddress, hold: Hold): void {
		this.#took(this.#allocator.hold(address, hold));
		this.#options.changed();
	}

	unhold(address: IpAddress, code: string): void {
		this.#took(this.#allocator.unhold(address, code));
		this.#options.changed();
	}

	/** Everything the status of a pool says; undefined when there is no such pool. */
	factsOf(name: string): PoolFacts | undefined {
		const { book } = this.#allocator;
		const pool = book.poolNamed(name)?.pool;
		const count = this.#allocator.counts().find((each) => each.pool === name);
		if (!pool || !count) return undefined;
		const outside = [...book.outside].flatMap(({ address, holders }) =>
			holders
				.filter(({ holdings }) =>
					holdings.some(
						({ entry, pool: from }) =>
							entry.address === address && from === name,
					),
				)
				.map(({ request }) => ({
					ip: formatIp(address),
					service: `${request.namespace}/${request.name}`,
				})),
		);
		const { ipv4, ipv6 } = count;
		const held = this.#retention.heldOf(name);
		return { pool, ipv4, ipv6, held, outside };
	}

	/** Addresses the user asks for, where the provider picks: it gives them or says why not. */
	requested(service: Service): string[] {
		const result = readRequest(service, {
			className: "",
			namespaceLabels: {},
		});
		return result.ok ? result.request.requestedAddresses.map(formatIp) : [];
	}

	/** The Service needs no address of ours any more. */
	release(service: Service): void {
		const { uid = "" } = service.metadata;
		if (!this.#keys.has(uid)) return;
		this.#retention.leaving(service);
		this.#keys.delete(uid);
		this.#took(this.#allocator.release(uid));
		this.#options.changed();
	}

	/** The external IPs the Service gets from the pools now; repeating it changes nothing. */
	external(service: Service): Allocation {
		const request = this.#wishes.external(service);
		this.#keys.set(request.uid, objectKey(service));
		if (!this.#holds(request.uid)) this.#prefer(service, request);
		const allocation = this.#allocator.allocate(request);
		this.#wake(allocation.wake);
		const recorded = externalIPRecordOf(service)?.addresses ?? [];
		const now = allocation.addresses.map((each) => each.ip);
		if (allocation.freed.length > 0 || recorded.join() !== now.join())
			this.#options.changed();
		return allocation;
	}

	/** The Service needs no external IP of ours any more. */
	releaseExternal({ metadata }: Service): void {
		const holder = externalHolder(metadata.uid ?? "");
		if (!this.#keys.delete(holder)) return;
		this.#took(this.#allocator.release(holder));
		this.#options.changed();
	}

	/** Pools were edited: holders keep what they have, who waited is tried again. */
	poolsChanged(): void {
		const { book } = this.#allocator;
		const retaining = () =>
			book.pools
				.filter(({ pool }) => pool.retentionMs > 0)
				.map(({ pool }) => pool.name)
				.sort()
				.join();
		const before = retaining();
		const { changed, wake } = this.#allocator.setPools(this.#pools());
		this.#wake([...wake, ...changed.map((each) => each.uid)]);
		// Whether its holders need a finalizer goes with it.
		if (retaining() !== before) this.#wake(this.#keys.keys());
		this.#retention.tend();
		this.#options.changed();
	}

	/** The addresses of nodes or Services changed, which pools for external IPs alone do not hand out. */
	ownChanged(): void {
		const known = this.#allocator.pools();
		if (known.every(({ uses }) => uses.has("LoadBalancer"))) return;
		// A Node that comes or goes is seldom in such a pool, and the allocator asks every holder when pools change.
		const before = new Map(known.map((pool) => [pool.name, pool.intervals]));
		const same = this.#pools().every(({ name, intervals }) =>
			isDeepStrictEqual(intervals, before.get(name)),
		);
		if (same) return;
		this.poolsChanged();
		// What became the cluster's own leaves its holder, for which another is found when its Service is looked at.
		const stays = this.#staysAssigned();
		for (const [uid, key] of [...this.#keys]) {
			if (!isExternalHolder(uid)) continue;
			const service = this.#options.caches.services.get(key);
			const held = this.#allocator.addressesOf(uid);
			if (!service || held.every(stays)) continue;
			this.#took(this.#allocator.release(uid));
			const request = this.#wishes.external(service);
			this.#allocator.adopt([{ request, addresses: held.filter(stays) }]);
			this.#wake([uid]);
		}
	}

	#staysAssigned() {
		const own = ownAddresses(this.#options.caches);
		return staysAssigned(own, (name) => this.book.poolNamed(name)?.pool);
	}

	#pools() {
		const { caches } = this.#options;
		const { pools } = arrangePools([...caches.pools.values()].map(compilePool));
		return withoutOwn(pools, ownAddresses(caches));
	}

	#adopt(): void {
		const claims: Claim[] = [];
		const stays = this.#staysAssigned();
		for (const service of this.#options.caches.services.values()) {
			const external = vouchedExternalIPRecordOf(service);
			if (external) {
				const request = this.#wishes.external(service);
				this.#keys.set(request.uid, objectKey(service));
				const addresses = external.addresses
					.map((ip, at) => ({ ip, pool: external.pools[at] ?? "" }))
					.filter(stays);
				claims.push({ request, addresses });
			}
			const claim = this.#claim(service);
			if (!claim) continue;
			this.#keys.set(claim.request.uid, objectKey(service));
			claims.push(claim);
		}
		this.#allocator.adopt(claims);
	}

	/** Whatever became of its class or its wishes: what a Service holds is not anybody else's. */
	#claim(service: Service): Claim | undefined {
		const recorded = vouchedAssignmentOf(service);
		const { pools } = recorded ?? {};
		if (!recorded || !pools) return undefined;
		const { request } = this.#wishes.of(service, recorded.class);
		return {
			request,
			addresses: recorded.addresses.map((ip, at) => ({
				ip,
				pool: pools[at] ?? "",
			})),
		};
	}

	/** What its record says goes to who holds nothing, if the request could have it without one. */
	#prefer(service: Service, request: AddressRequest): void {
		const recorded =
			request.use === "ExternalIP"
				? externalIPRecordOf(service)
				: assignmentOf(service);
		if (!recorded?.pools) return;
		const addresses = recorded.addresses.map((ip) => ({ ip, pool: "" }));
		const claim = preferredClaim(this.book, { request, addresses });
		if (claim) this.#allocator.adopt([claim]);
	}

	#holds(holder: string): boolean {
		return this.#allocator.addressesOf(holder).length > 0;
	}

	/** Whether any of the addresses is kept for somebody else by now. */
	#isKeptFrom({ request, addresses }: Claim): boolean {
		return addresses.some(({ ip }) => {
			const address = parseIp(ip);
			const holds = address.ok ? this.book.entry(address.value)?.holds : [];
			return holds?.some(
				({ for: only }) =>
					only?.namespace !== request.namespace || only.name !== request.name,
			);
		});
	}

	#took({ wake }: Effects): void {
		this.#wake(wake);
	}

	#wake(uids: Iterable<string>): void {
		for (const uid of uids) {
			const key = this.#keys.get(uid);
			if (key && isExternalHolder(uid)) this.#options.wakeExternal(key);
			else if (key) this.#options.wake(key);
		}
	}
}

import type { Service } from "../api/core.ts";
import { objectKey } from "../api/meta.ts";
import { Allocator } from "../model/addresses/allocator.ts";
import { canonicalSourceRanges } from "../model/addresses/cidr.ts";
import { formatIp } from "../model/addresses/ip.ts";
import { arrangePools, compilePool } from "../model/addresses/pool.ts";
import { type Reason, reasonText } from "../model/addresses/reasons.ts";
import { readRequest, type RequestResult } from "../model/addresses/request.ts";
import { assignmentOf } from "../model/assignment.ts";
import type { Addressing } from "../model/world.ts";
import type { Caches } from "./caches.ts";

export interface AddressesOptions {
	caches: Caches;
	/** Services that got, or may now get, an address they were waiting for. */
	wake: (key: string) => void;
	/** Counts of pools may have changed. */
	changed: () => void;
}

/** The addresses of our pools during one term of leadership: what Services hold is read off them at its start. */
export class Addresses {
	readonly #options: AddressesOptions;
	readonly #allocator: Allocator;
	/** Namespace/name of everybody who was ever asked about, by UID. */
	readonly #keys = new Map<string, string>();

	/** The caches must be complete: everybody's recorded address is taken before anything new is given out. */
	constructor(options: AddressesOptions) {
		this.#options = options;
		this.#allocator = new Allocator(this.#pools());
		this.#adopt();
	}

	get allocator(): Allocator {
		return this.#allocator;
	}

	/** What the Service gets from the pools now; repeating it changes nothing. */
	addressing(service: Service, className: string): Addressing {
		const result = this.#request(service, className);
		const { uid } = result.request;
		if (!result.ok) {
			// Wishes that contradict each other move nobody from what it holds.
			const held = this.#allocator.addressesOf(uid);
			return held.length > 0
				? assigned(held, className)
				: refused(result.reasons);
		}
		this.#keys.set(uid, objectKey(service));
		const { addresses, reasons, wake, freed } = this.#allocator.allocate(
			result.request,
		);
		this.#wake(wake);
		const recorded = assignmentOf(service)?.addresses ?? [];
		const now = addresses.map((each) => each.ip);
		if (freed.length > 0 || recorded.join() !== now.join())
			this.#options.changed();
		if (addresses.length === 0) return refused(reasons);
		return assigned(addresses, className);
	}

	/** Addresses the user asks for, where the provider picks: it gives them or says why not. */
	requested(service: Service): string[] {
		const result = readRequest(service, {
			className: "",
			namespaceLabels: {},
		});
		return result.ok ? result.request.requestedAddresses.map(formatIp) : [];
	}

	/** Canonical CIDRs of both families; empty: everybody. */
	sourceRanges(service: Service): string[] {
		const { IPv4, IPv6 } = canonicalSourceRanges(
			service.spec,
			service.metadata.annotations,
		);
		if (IPv4.open && IPv6.open) return [];
		const cidrs = [
			...(IPv4.open ? ["0.0.0.0/0"] : IPv4.cidrs),
			...(IPv6.open ? ["::/0"] : IPv6.cidrs),
		];
		// Ranges were given and none can be read: no client has this address, so nobody comes in.
		return cidrs.length > 0 ? cidrs : ["255.255.255.255/32"];
	}

	/** The Service needs no address of ours any more. */
	release(service: Service): void {
		const { uid = "" } = service.metadata;
		if (!this.#keys.delete(uid)) return;
		this.#wake(this.#allocator.release(uid).wake);
		this.#options.changed();
	}

	/** Pools were edited: holders keep what they have, who waited is tried again. */
	poolsChanged(): void {
		const { changed, wake } = this.#allocator.setPools(this.#pools());
		this.#wake([...wake, ...changed.map((each) => each.uid)]);
		this.#options.changed();
	}

	#pools() {
		return arrangePools(
			[...this.#options.caches.pools.values()].map(compilePool),
		).pools;
	}

	#adopt(): void {
		const claims: Parameters<Allocator["adopt"]>[0][number][] = [];
		for (const service of this.#options.caches.services.values()) {
			const recorded = assignmentOf(service);
			if (!recorded?.pools) continue;
			// Whatever became of its class or its wishes: what a Service holds is not anybody else's.
			const { request } = this.#request(service, recorded.class);
			this.#keys.set(request.uid, objectKey(service));
			claims.push({
				request,
				addresses: recorded.addresses.map((ip, at) => ({
					ip,
					pool: recorded.pools?.[at] ?? "",
				})),
			});
		}
		this.#allocator.adopt(claims);
	}

	#request(service: Service, className: string): RequestResult {
		const namespace = this.#options.caches.namespaces.get(
			service.metadata.namespace ?? "",
		);
		return readRequest(service, {
			className,
			namespaceLabels: namespace?.metadata.labels ?? {},
		});
	}

	#wake(uids: Iterable<string>): void {
		for (const uid of uids) {
			const key = this.#keys.get(uid);
			if (key) this.#options.wake(key);
		}
	}
}

function assigned(
	held: readonly { ip: string; pool: string }[],
	className: string,
): Addressing {
	return {
		kind: "Pools",
		assignment: {
			addresses: held.map((each) => each.ip),
			class: className,
			pools: held.map((each) => each.pool),
		},
	};
}

function refused(reasons: readonly Reason[]): Addressing {
	const [first] = reasons;
	const [only, ...others] = new Set(reasons.map((reason) => reason.code));
	return {
		kind: "Refused",
		reason: others.length > 0 ? "NoAddressAvailable" : (only ?? "NoPools"),
		message: first
			? reasons.map(reasonText).join("; ")
			: "there is no AddressPool this Service may draw from",
	};
}

import type { EndpointSlice, Service } from "../api/core.ts";
import { type KubeObject, objectKey } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import type { Change, Store } from "../cluster/index.ts";
import { recordAddress } from "./addresses.ts";
import {
	clusterIps,
	endpointLabel,
	isPublished,
	type ServiceRecords,
	serviceRecords,
} from "./service-records.ts";

export interface DnsStores {
	services: Store<Service>;
	endpointSlices: Store<EndpointSlice>;
	namespaces: Store<KubeObject>;
}

interface Entry {
	service?: Service;
	slices: Map<string, EndpointSlice>;
	/** Made when first asked for after a change; null: the name does not exist. */
	records?: ServiceRecords | null | undefined;
}

/** The name of a Service and, for an endpoint of it, the endpoint's label. */
export interface NamedAddress {
	namespace: string;
	name: string;
	endpoint?: string;
}

type Origin = "service" | "endpoint" | "ingress";

/** Who has an address: by what they are and their key. */
type Owners = Record<Origin, Set<string>>;

/**
 * Services and endpoints by the names and addresses that DNS asks for, kept true by the stores' changes. A change costs
 * what the changed object holds and a question what it is answered with, whatever the size of the cluster.
 */
export class ServiceIndex {
	/** Seconds since the epoch of the latest change: the serial number of the zones. */
	serial: number;
	readonly #clock: Clock;
	readonly #stores: DnsStores;
	readonly #entries = new Map<string, Entry>();
	readonly #addresses = new Map<string, Owners>();
	readonly #stops: (() => void)[];

	constructor(stores: DnsStores, clock: Clock) {
		this.#clock = clock;
		this.#stores = stores;
		this.serial = seconds(clock);
		for (const object of stores.services.values())
			this.#service({ type: "added", object });
		for (const object of stores.endpointSlices.values())
			this.#slice({ type: "added", object });
		this.#stops = [
			stores.services.onChange((change) => this.#service(change)),
			stores.endpointSlices.onChange((change) => this.#slice(change)),
			stores.namespaces.onChange(() => this.#changed()),
		];
	}

	/** The stores are not listened to any more. */
	close(): void {
		for (const stop of this.#stops) stop();
	}

	get size(): number {
		return this.#stores.services.size;
	}

	hasNamespace(namespace: string): boolean {
		return this.#stores.namespaces.has(namespace);
	}

	service(namespace: string, name: string): Service | undefined {
		return this.#entries.get(`${namespace}/${name}`)?.service;
	}

	records(namespace: string, name: string): ServiceRecords | undefined {
		const entry = this.#entries.get(`${namespace}/${name}`);
		if (!entry?.service) return undefined;
		if (entry.records === undefined)
			entry.records =
				serviceRecords(entry.service, entry.slices.values()) ?? null;
		return entry.records ?? undefined;
	}

	/** Whose an address is, in its canonical text, by origin; names of Services that exist, each once. */
	named(address: string, origin: Origin): NamedAddress[] {
		const owners = this.#addresses.get(address)?.[origin];
		const found = new Map<string, NamedAddress>();
		for (const key of owners ?? [])
			for (const named of origin === "endpoint"
				? this.#endpoints(key, address)
				: this.#namesOf(key))
				found.set(`${named.namespace}/${named.name}/${named.endpoint}`, named);
		return [...found.values()];
	}

	#namesOf(key: string): NamedAddress[] {
		const service = this.#entries.get(key)?.service;
		return service ? [nameOf(service)] : [];
	}

	#endpoints(sliceKey: string, address: string): NamedAddress[] {
		const slice = this.#stores.endpointSlices.get(sliceKey);
		const service = slice && this.#entries.get(ownerOf(slice) ?? "")?.service;
		if (!slice || !service) return [];
		const found: NamedAddress[] = [];
		for (const endpoint of slice.endpoints ?? [])
			for (const text of endpoint.addresses)
				if (
					recordAddress(text)?.text === address &&
					isPublished(service, endpoint)
				)
					found.push({
						...nameOf(service),
						endpoint: endpointLabel(endpoint, text),
					});
		return found;
	}

	#service(change: Change<Service>): void {
		const key = objectKey(change.object);
		const entry = this.#entry(key);
		if (change.type === "updated") this.#fileService(key, change.old, false);
		if (change.type === "deleted") {
			this.#fileService(key, change.object, false);
			delete entry.service;
		} else {
			this.#fileService(key, change.object, true);
			entry.service = change.object;
		}
		this.#touch(key, entry);
	}

	#slice(change: Change<EndpointSlice>): void {
		const key = objectKey(change.object);
		if (change.type === "updated") this.#dropSlice(key, change.old);
		if (change.type === "deleted") this.#dropSlice(key, change.object);
		else {
			const owner = ownerOf(change.object);
			if (owner !== undefined) {
				const entry = this.#entry(owner);
				entry.slices.set(key, change.object);
				for (const { addresses } of change.object.endpoints ?? [])
					for (const text of addresses) this.#file(text, "endpoint", key, true);
				this.#touch(owner, entry);
			}
		}
		this.#changed();
	}

	#dropSlice(key: string, slice: EndpointSlice): void {
		const owner = ownerOf(slice);
		if (owner === undefined) return;
		const entry = this.#entry(owner);
		entry.slices.delete(key);
		for (const { addresses } of slice.endpoints ?? [])
			for (const text of addresses) this.#file(text, "endpoint", key, false);
		this.#touch(owner, entry);
	}

	#fileService(key: string, service: Service, has: boolean): void {
		for (const text of clusterIps(service))
			this.#file(text, "service", key, has);
		for (const { ip } of service.status?.loadBalancer?.ingress ?? [])
			if (ip) this.#file(ip, "ingress", key, has);
	}

	#file(text: string, origin: Origin, key: string, has: boolean): void {
		const address = recordAddress(text)?.text;
		if (address === undefined) return;
		let owners = this.#addresses.get(address);
		if (has) {
			owners ??= {
				service: new Set(),
				endpoint: new Set(),
				ingress: new Set(),
			};
			this.#addresses.set(address, owners);
			owners[origin].add(key);
			return;
		}
		if (!owners) return;
		owners[origin].delete(key);
		const { service, endpoint, ingress } = owners;
		if (service.size + endpoint.size + ingress.size === 0)
			this.#addresses.delete(address);
	}

	#entry(key: string): Entry {
		let entry = this.#entries.get(key);
		if (!entry) {
			entry = { slices: new Map() };
			this.#entries.set(key, entry);
		}
		return entry;
	}

	#touch(key: string, entry: Entry): void {
		entry.records = undefined;
		if (!entry.service && entry.slices.size === 0) this.#entries.delete(key);
		this.#changed();
	}

	#changed(): void {
		this.serial = seconds(this.#clock);
	}
}

/** `namespace/name` of the Service an EndpointSlice belongs to. */
function ownerOf(slice: EndpointSlice): string | undefined {
	const name = slice.metadata.labels?.["kubernetes.io/service-name"];
	return name ? `${slice.metadata.namespace ?? ""}/${name}` : undefined;
}

function nameOf({ metadata }: Service): NamedAddress {
	return { namespace: metadata.namespace ?? "", name: metadata.name };
}

function seconds(clock: Clock): number {
	return Math.floor(clock.now() / 1000);
}

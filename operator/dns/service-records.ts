import type { Endpoint, EndpointSlice, Service } from "../api/core.ts";
import { type RecordAddress, recordAddress } from "./addresses.ts";
import { labelsOf } from "./names.ts";

/** Where a SRV record points: an endpoint's label under the Service's name, or "" for the Service's own name. */
export interface ServicePortTarget {
	host: string;
	port: number;
}

/** What a Service says in DNS, names left of its own: Kubernetes DNS specification 1.1, sections 2.3 to 2.5. */
export interface ServiceRecords {
	/** The target of an ExternalName Service, which has nothing else. */
	alias?: string;
	/** At the Service's own name: cluster IPs, or the addresses of a headless Service's endpoints. */
	addresses: RecordAddress[];
	/** SRV targets by `_port._protocol`; of named ports only. */
	ports: Map<string, ServicePortTarget[]>;
	/** `_tcp`, `_udp`, `_sctp` as far as `ports` has them. */
	protocols: Set<string>;
	/** SRV targets at the Service's own name: of every port, as kube-dns and CoreDNS have it. */
	targets: ServicePortTarget[];
	/** Addresses by endpoint label. */
	endpoints: Map<string, RecordAddress[]>;
}

/**
 * What a Service says in DNS; undefined when its name does not exist: a headless one without endpoints to tell of, or
 * an ExternalName that is an address, which no CNAME record can point to.
 */
export function serviceRecords(
	service: Service,
	slices: Iterable<EndpointSlice>,
): ServiceRecords | undefined {
	const { spec } = service;
	const records: ServiceRecords = {
		addresses: [],
		ports: new Map(),
		protocols: new Set(),
		targets: [],
		endpoints: new Map(),
	};
	if (spec.type === "ExternalName") {
		const alias = aliasOf(spec.externalName ?? "");
		return alias === undefined ? undefined : { ...records, alias };
	}
	const headless = isHeadless(service);
	const once = firsts();
	if (!headless) {
		for (const text of clusterIps(service)) {
			const address = recordAddress(text);
			if (address) records.addresses.push(address);
		}
		for (const { name, protocol, port } of spec.ports ?? [])
			addPort(records, once, name, protocol, { host: "", port });
	}
	for (const slice of slices) addSlice(records, once, service, slice, headless);
	return headless && records.addresses.length === 0 ? undefined : records;
}

export function isHeadless(service: Service): boolean {
	return clusterIps(service)[0] === "None";
}

/** As they stand in the spec: "None" for a headless Service. */
export function clusterIps({ spec }: Service): string[] {
	if (spec.clusterIPs && spec.clusterIPs.length > 0) return spec.clusterIPs;
	return spec.clusterIP ? [spec.clusterIP] : [];
}

/** Whether DNS tells of an endpoint: ready or silent about it, or its Service wants it told before it is. */
export function isPublished(
	service: Service,
	{ conditions }: Endpoint,
): boolean {
	return (
		conditions?.ready !== false ||
		service.spec.publishNotReadyAddresses === true
	);
}

/** The endpoint's hostname, else its address with dashes, which for IPv6 must not end in one: as CoreDNS makes them. */
export function endpointLabel(endpoint: Endpoint, address: string): string {
	if (endpoint.hostname) return endpoint.hostname.toLowerCase();
	const dashed = address.toLowerCase().replace(/[.:]/g, "-");
	return dashed.endsWith("-") ? `${dashed}0` : dashed;
}

/** Tells whether something comes for the first time: slices may repeat each other while endpoints move between them. */
type Once = (...what: (string | number)[]) => boolean;

function firsts(): Once {
	const seen = new Set<string>();
	return (...what) => {
		const key = what.join(" ");
		if (seen.has(key)) return false;
		seen.add(key);
		return true;
	};
}

function addSlice(
	records: ServiceRecords,
	once: Once,
	service: Service,
	slice: EndpointSlice,
	headless: boolean,
): void {
	if (slice.addressType === "FQDN") return;
	for (const endpoint of slice.endpoints ?? []) {
		if (!isPublished(service, endpoint)) continue;
		for (const text of endpoint.addresses) {
			const address = recordAddress(text);
			if (!address) continue;
			const host = endpointLabel(endpoint, text);
			if (once("endpoint", host, address.text))
				listOf(records.endpoints, host).push(address);
			if (!headless) continue;
			if (once("address", address.text)) records.addresses.push(address);
			for (const { name, protocol, port } of slice.ports ?? [])
				if (port !== undefined && port !== null)
					addPort(records, once, name, protocol, { host, port });
		}
	}
}

function addPort(
	records: ServiceRecords,
	once: Once,
	name: string | undefined,
	protocol: string | undefined,
	target: ServicePortTarget,
): void {
	const { host, port } = target;
	if (once("target", host, port)) records.targets.push(target);
	if (!name) return;
	const label = `_${(protocol ?? "TCP").toLowerCase()}`;
	const key = `_${name.toLowerCase()}.${label}`;
	records.protocols.add(label);
	if (once("port", key, host, port)) listOf(records.ports, key).push(target);
}

function listOf<T>(map: Map<string, T[]>, key: string): T[] {
	let list = map.get(key);
	if (!list) map.set(key, (list = []));
	return list;
}

/** The name that an externalName or an ingress hostname is; undefined when it is an address or none. */
export function aliasOf(text: string): string | undefined {
	const name = text.replace(/\.$/, "");
	if (name === "" || recordAddress(name)) return undefined;
	try {
		labelsOf(name);
		return name;
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

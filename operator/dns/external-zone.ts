import { type RecordAddress, recordAddress } from "./addresses.ts";
import { apexName } from "./apex.ts";
import { nameWithin } from "./cluster-zone.ts";
import type { ServiceIndex } from "./service-index.ts";
import { aliasOf, type ServiceRecords } from "./service-records.ts";
import { nothing, type Zone, type ZoneName } from "./zone.ts";

export interface ExternalZoneOptions {
	/** Folded. */
	name: string;
	/** Seconds. */
	ttl: number;
	nameServer: readonly RecordAddress[];
}

/**
 * The zone of balancer addresses: `NAME.NAMESPACE.ZONE` has the ingress addresses of a LoadBalancer Service, or is an
 * alias of its ingress hostname where it has no address; `_port._protocol` before that has SRV records. A Service whose
 * balancer has no address yet does not exist.
 */
export function externalZone(
	index: ServiceIndex,
	options: ExternalZoneOptions,
): Zone {
	const { name, ttl } = options;
	const zone: Zone = { name, ttl, find, serial: () => index.serial };
	return zone;

	function find(labels: string[]): ZoneName | undefined {
		const own = apexName(zone, options.nameServer, labels);
		if (own) return own;
		const [namespace = "", service] = labels.toReversed();
		if (service === undefined)
			return index.hasNamespace(namespace) ? nothing : undefined;
		const records = ingressRecords(index, namespace, service);
		if (!records) return undefined;
		const below = labels.slice(0, -2);
		if (records.alias !== undefined)
			return below.length === 0 ? { alias: records.alias } : undefined;
		return nameWithin(records, `${service}.${namespace}.${name}`, ttl, below);
	}
}

function ingressRecords(
	index: ServiceIndex,
	namespace: string,
	name: string,
): ServiceRecords | undefined {
	const service = index.service(namespace, name);
	if (service?.spec.type !== "LoadBalancer") return undefined;
	const ingress = service.status?.loadBalancer?.ingress ?? [];
	const addresses = ingress
		.map(({ ip }) => recordAddress(ip ?? ""))
		.filter((address) => address !== undefined);
	const [alias] = ingress
		.map(({ hostname }) => aliasOf(hostname ?? ""))
		.filter((hostname) => hostname !== undefined);
	if (addresses.length === 0 && alias === undefined) return undefined;
	const inside = index.records(namespace, name);
	return {
		...(addresses.length === 0 && alias !== undefined ? { alias } : {}),
		addresses,
		ports: inside?.ports ?? new Map(),
		protocols: inside?.protocols ?? new Set(),
		targets: inside?.targets ?? [],
		endpoints: new Map(),
	};
}

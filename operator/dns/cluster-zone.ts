import { type RecordAddress, recordAddress } from "./addresses.ts";
import { addressData, apexName } from "./apex.ts";
import { type DnsRecord, type RecordData, types } from "./message.ts";
import type { ServiceIndex } from "./service-index.ts";
import type { ServicePortTarget, ServiceRecords } from "./service-records.ts";
import { nothing, only, type Zone, type ZoneName } from "./zone.ts";

export interface ClusterZoneOptions {
	/** Folded, as cluster.local. */
	name: string;
	/** Seconds. */
	ttl: number;
	/**
	 * What `1-2-3-4.NAMESPACE.pod.ZONE` is: `insecure`, the address it spells, as every cluster made by kubeadm has it,
	 * or nothing.
	 */
	pods: "insecure" | "disabled";
	nameServer: readonly RecordAddress[];
}

/** Seconds; the version of the schema does not change while a server runs. */
const versionTtl = 28_800;

/** The cluster's zone, by the Kubernetes DNS specification 1.1 (github.com/kubernetes/dns, docs/specification.md). */
export function clusterZone(
	index: ServiceIndex,
	options: ClusterZoneOptions,
): Zone {
	const { name, ttl } = options;
	const zone: Zone = { name, ttl, find, serial: () => index.serial };
	return zone;

	function find(labels: string[]): ZoneName | undefined {
		switch (labels.at(-1)) {
			case "svc":
				return findService(index, zone, labels.slice(0, -1));
			case "pod":
				return options.pods === "insecure"
					? findPod(index, labels.slice(0, -1))
					: undefined;
			case "dns-version":
				return labels.length === 1
					? {
							...only({ type: types.TXT, texts: ["1.1.0"] }),
							ttl: versionTtl,
						}
					: undefined;
			default:
				return apexName(zone, options.nameServer, labels);
		}
	}
}

function findService(
	index: ServiceIndex,
	zone: Zone,
	labels: string[],
): ZoneName | undefined {
	const [namespace, name] = labels.toReversed();
	if (namespace === undefined) return nothing;
	if (name === undefined)
		return index.hasNamespace(namespace) ? nothing : undefined;
	const records = index.records(namespace, name);
	if (!records) return undefined;
	const below = labels.slice(0, -2);
	if (records.alias !== undefined)
		return below.length === 0 ? { alias: records.alias } : undefined;
	return nameWithin(
		records,
		`${name}.${namespace}.svc.${zone.name}`,
		zone.ttl,
		below,
	);
}

/** The name `labels` left of a Service's own name. */
export function nameWithin(
	records: ServiceRecords,
	serviceName: string,
	ttl: number,
	labels: string[],
): ZoneName | undefined {
	const [first = ""] = labels;
	if (labels.length === 0)
		return withTargets(records, serviceName, ttl, records.targets, (type) =>
			ofType(records.addresses, type),
		);
	if (labels.length === 1) {
		const addresses = records.endpoints.get(first);
		if (addresses) return { records: (type) => ofType(addresses, type) };
		return records.protocols.has(first) ? nothing : undefined;
	}
	const targets = records.ports.get(labels.join("."));
	return targets && withTargets(records, serviceName, ttl, targets, () => []);
}

function withTargets(
	{ addresses, endpoints }: ServiceRecords,
	serviceName: string,
	ttl: number,
	targets: ServicePortTarget[],
	others: (type: number) => RecordData[],
): ZoneName {
	const nameOf = (host: string) =>
		host === "" ? serviceName : `${host}.${serviceName}`;
	// The same for each, and together about 100, as CoreDNS has it.
	const weight = Math.max(1, Math.floor(100 / targets.length));
	const records = (type: number): RecordData[] =>
		type === types.SRV
			? targets.map(({ host, port }) => ({
					type: types.SRV,
					priority: 0,
					weight,
					port,
					name: nameOf(host),
				}))
			: others(type);
	const additional = (type: number): DnsRecord[] => {
		if (type !== types.SRV) return [];
		const hosts = new Set(targets.map(({ host }) => host));
		return [...hosts].flatMap((host) =>
			(host === "" ? addresses : (endpoints.get(host) ?? [])).map(
				(address) => ({ name: nameOf(host), ttl, data: addressData(address) }),
			),
		);
	};
	return { records, additional };
}

function ofType(addresses: RecordAddress[], type: number): RecordData[] {
	if (type !== types.A && type !== types.AAAA) return [];
	return addresses.filter((one) => one.type === type).map(addressData);
}

/** `1-2-3-4` or an IPv6 address with dashes for colons, in a namespace that exists. */
function findPod(index: ServiceIndex, labels: string[]): ZoneName | undefined {
	const [namespace, label, more] = labels.toReversed();
	if (namespace === undefined) return nothing;
	if (!index.hasNamespace(namespace) || more !== undefined) return undefined;
	if (label === undefined) return nothing;
	const isIpv4 = /^[^-]+(-[^-]+){3}$/.test(label);
	const address = recordAddress(label.replaceAll("-", isIpv4 ? "." : ":"));
	return address && only(addressData(address));
}

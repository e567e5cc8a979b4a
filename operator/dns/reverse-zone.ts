import { reversedAddress } from "./addresses.ts";
import { apexName } from "./apex.ts";
import { types } from "./message.ts";
import type { NamedAddress, ServiceIndex } from "./service-index.ts";
import { nothing, only, type Zone, type ZoneName } from "./zone.ts";

export interface ReverseZoneOptions {
	family: "IPv4" | "IPv6";
	/** Seconds. */
	ttl: number;
	/** The zones that names are given in; no external one: balancer addresses have no names. */
	clusterZone: string;
	externalZone?: string;
}

/**
 * Names of addresses: a cluster IP is its Service's, any other the endpoints' that have it, or the balancers'. What is
 * not the cluster's is for upstream resolvers to know.
 */
export function reverseZone(
	index: ServiceIndex,
	options: ReverseZoneOptions,
): Zone {
	const zone: Zone = {
		name: options.family === "IPv4" ? "in-addr.arpa" : "ip6.arpa",
		ttl: options.ttl,
		shared: true,
		find,
		serial: () => index.serial,
	};
	return zone;

	function find(labels: string[]): ZoneName | undefined {
		if (labels.length === 0) return apexName(zone, [], labels);
		const address = reversedAddress(options.family, labels);
		if (address === undefined) return undefined;
		if (address === "part") return nothing;
		const names = namesOf(address.text);
		return names.length === 0
			? undefined
			: only(...names.map((name) => ({ type: types.PTR, name })));
	}

	function namesOf(address: string): string[] {
		const services = index.named(address, "service");
		if (services.length > 0) return services.map(inCluster);
		const endpoints = index.named(address, "endpoint");
		if (endpoints.length > 0) return endpoints.map(inCluster);
		if (options.externalZone === undefined) return [];
		return index
			.named(address, "ingress")
			.map(
				({ name, namespace }) => `${name}.${namespace}.${options.externalZone}`,
			);
	}

	function inCluster({ name, namespace, endpoint }: NamedAddress): string {
		const service = `${name}.${namespace}.svc.${options.clusterZone}`;
		return endpoint === undefined ? service : `${endpoint}.${service}`;
	}
}

import {
	type AddressRange,
	parsePoolEntry,
} from "../../model/addresses/cidr.ts";
import { parseIp } from "../../model/addresses/ip.ts";
import {
	subtractIntervals,
	mergeIntervals,
} from "../../model/addresses/intervals.ts";
import { families, type Pool } from "../../model/addresses/pool.ts";
import type { Caches } from "../caches.ts";
import { nodeAddresses } from "./address-users.ts";

type Sources = Pick<Caches, "nodes" | "serviceCIDRs" | "services" | "slices">;

/** Services whose addresses no other Service may take, whether or not the API server says where ClusterIPs come from. */
export const ownServices: readonly string[] = [
	"default/kubernetes",
	"kube-system/kube-dns",
];

/**
 * The cluster's own addresses, which no Service may take as an external IP: those of nodes, of Services as far as the
 * cluster says where they come from, of its DNS and of the Kubernetes API.
 */
export function ownAddresses(caches: Sources): AddressRange[] {
	const { nodes, serviceCIDRs, services, slices } = caches;
	const known = ownServices.flatMap(
		(key) => services.get(key)?.spec.clusterIPs ?? [],
	);
	const api = slices
		.byIndex("service", "default/kubernetes")
		.flatMap(({ endpoints }) => endpoints ?? [])
		.flatMap(({ addresses }) => addresses);
	return [
		...[...nodes.values()].flatMap(nodeAddresses).flatMap(single),
		...[...known, ...api].flatMap(single),
		...[...serviceCIDRs.values()]
			.flatMap(({ spec }) => spec.cidrs)
			.flatMap((text) => {
				const range = parsePoolEntry(text);
				return range.ok ? [range.value] : [];
			}),
	];
}

/**
 * Pools as the allocator is to see them: one that is for external IPs alone does not hand out the cluster's own addresses.
 * Others do: a balancer at a node's address is somebody's plan.
 */
export function withoutOwn(
	pools: readonly Pool[],
	own: readonly AddressRange[],
): Pool[] {
	return pools.map((pool) => {
		if (pool.uses.has("LoadBalancer")) return pool;
		const intervals = { ...pool.intervals };
		for (const family of families)
			intervals[family] = subtractIntervals(
				intervals[family],
				mergeIntervals(own.filter((range) => range.family === family)),
			);
		return { ...pool, intervals };
	});
}

/**
 * Which assigned external IPs a Service goes on having: what became the cluster's own leaves it, unless the pool that it is
 * from may hand that out.
 */
export function staysAssigned(
	own: readonly AddressRange[],
	poolNamed: (name: string) => Pool | undefined,
): (assigned: { ip: string; pool: string }) => boolean {
	return ({ ip, pool }) => {
		if (poolNamed(pool)?.uses.has("LoadBalancer")) return true;
		const address = parseIp(ip);
		if (!address.ok) return true;
		const { family, value } = address.value;
		return !own.some(
			(range) =>
				range.family === family && range.start <= value && value <= range.end,
		);
	};
}

function single(text: string): AddressRange[] {
	const address = parseIp(text);
	if (!address.ok) return [];
	const { family, value } = address.value;
	return [{ family, start: value, end: value }];
}

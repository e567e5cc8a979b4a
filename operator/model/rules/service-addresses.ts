import type { Service } from "../../api/core.ts";
import { type IpAddress, formatIp, parseIp } from "../addresses/ip.ts";
import { assignmentOf } from "../assignment.ts";
import type { HeldAddress } from "./program.ts";

/** The addresses of one Service, canonical; beside NodePorts, which are the node's. */
export interface ServiceAddresses {
	clusterIPs: IpAddress[];
	/** At which its balancer's packets really arrive at nodes. */
	ingress: IpAddress[];
	externalIPs: IpAddress[];
	held: HeldAddress[];
	/** One sentence for each address that cannot be read; the others count. */
	problems: string[];
}

/**
 * Ingress addresses are those of status with ipMode VIP: behind a Proxy, packets have the node's address. Before the
 * controller writes status it records what it assigned (DESIGN section 5); such a record counts too if the address came from a
 * pool, since then nobody but the nodes carries it. What a cloud assigned waits for the ipMode in status.
 */
export function serviceAddresses(service: Service): ServiceAddresses {
	const { spec } = service;
	const problems: string[] = [];
	const read = (texts: readonly string[], field: string): IpAddress[] => {
		const known = new Map<string, IpAddress>();
		for (const text of texts) {
			const address = parseIp(text.trim());
			if (address.ok) known.set(formatIp(address.value), address.value);
			else if (text.trim() !== "")
				problems.push(`${field}: ${address.reason}; it is left out`);
		}
		return [...known.values()];
	};
	const clusterIPs = read(
		spec.clusterIPs?.length
			? spec.clusterIPs
			: spec.clusterIP
				? [spec.clusterIP]
				: [],
		"spec.clusterIPs",
	);
	const balanced = spec.type === "LoadBalancer";
	const status = balanced ? (service.status?.loadBalancer?.ingress ?? []) : [];
	const vips = status.filter((each) => (each.ipMode ?? "VIP") === "VIP");
	const proxied = new Set(
		status.filter((each) => each.ipMode === "Proxy").map((each) => each.ip),
	);
	const record = balanced ? assignmentOf(service) : undefined;
	const assigned = read(
		record?.pools
			? record.addresses.filter((address) => !proxied.has(address))
			: [],
		"annotation fairlead.dev/assigned",
	);
	const ingress = read(
		[...vips.flatMap((each) => each.ip ?? []), ...assigned.map(formatIp)],
		"status.loadBalancer.ingress",
	);
	return {
		clusterIPs,
		ingress,
		externalIPs: read(spec.externalIPs ?? [], "spec.externalIPs"),
		held: [
			...clusterIPs.map((each) => ({ address: formatIp(each), echo: false })),
			...assigned.map((each) => ({ address: formatIp(each), echo: true })),
		],
		problems,
	};
}

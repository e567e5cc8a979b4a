import type { Service } from "../../api/core.ts";
import { isLinkLocal } from "../addresses/cidr.ts";
import { type IpAddress, formatIp, parseIp } from "../addresses/ip.ts";
import { vouchedAssignmentOf } from "../assignment.ts";
import type { Grant } from "../external-ips/grants.ts";
import { externalIPRecordOf } from "../external-ips/record.ts";
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

/** What an ExternalIPPolicy says of an external IP of a Service. */
export type ExternalIPJudge = (service: Service, address: IpAddress) => Grant;

/**
 * Ingress addresses are those of status with ipMode VIP: behind a Proxy, packets have the node's address. Before the
 * controller writes status it records what it assigned (DESIGN section 5); such a record counts too if status
 * bears it out and the address came from a pool, since then nobody but the nodes carries it. What a cloud assigned waits for the ipMode in status.
 * External IPs that Fairlead assigned count by their record, for the API server may keep no spec.externalIPs (KEP-5707);
 * those that `judge` does not grant are left out. Without one everything is carried, as kube-proxy does.
 */
export function serviceAddresses(
	service: Service,
	judge?: ExternalIPJudge,
): ServiceAddresses {
	const { spec } = service;
	const problems: string[] = [];
	const read = (texts: readonly string[], field: string): IpAddress[] => {
		const known = new Map<string, IpAddress>();
		for (const text of texts) {
			const address = parseIp(text.trim());
			if (address.ok && isLinkLocal(address.value))
				problems.push(
					`${field}: ${formatIp(address.value)} is link-local; it is left out`,
				);
			else if (address.ok) known.set(formatIp(address.value), address.value);
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
	const record = balanced ? vouchedAssignmentOf(service) : undefined;
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
	const granted = (each: IpAddress): boolean => {
		const grant = judge?.(service, each).kind ?? "Granted";
		if (grant !== "Granted")
			problems.push(
				`spec.externalIPs: ${formatIp(each)} is ${grant === "Denied" ? "one of the cluster's own addresses" : "granted by no AddressPool"}; it is left out`,
			);
		return grant === "Granted";
	};
	const recorded = read(
		externalIPRecordOf(service)?.addresses ?? [],
		"annotation fairlead.dev/assigned-external-ips",
	).map(formatIp);
	const externalIPs = read(
		[...(spec.externalIPs ?? []), ...recorded],
		"spec.externalIPs",
	).filter(granted);
	return {
		clusterIPs,
		ingress,
		externalIPs,
		held: [
			...clusterIPs.map((each) => ({ address: formatIp(each), echo: false })),
			...assigned.map((each) => ({ address: formatIp(each), echo: true })),
			...externalIPs
				.map(formatIp)
				.filter((address) => recorded.includes(address))
				.map((address) => ({ address, echo: true })),
		],
		problems,
	};
}

/** The addresses that Fairlead assigned to a Service, canonical: what it records and status bears out, and external IPs. */
export function fairleadAddresses(service: Service): Set<string> {
	const balanced = service.spec.type === "LoadBalancer";
	const texts = [
		...((balanced && vouchedAssignmentOf(service)?.addresses) || []),
		...(externalIPRecordOf(service)?.addresses ?? []),
	];
	const addresses = texts.map(parseIp);
	return new Set(
		addresses.flatMap((each) => (each.ok ? [formatIp(each.value)] : [])),
	);
}

export function hasExternalIPs(service: Service): boolean {
	return (
		(service.spec.externalIPs?.length ?? 0) > 0 ||
		externalIPRecordOf(service) !== undefined
	);
}

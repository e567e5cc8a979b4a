import type { Service } from "../../api/core.ts";
import { canonicalSourceRanges } from "../addresses/cidr.ts";

/**
 * Who may connect to a balancer: canonical CIDRs of both families; empty: everybody. As with kube-proxy a family of the
 * Service that no range speaks of is open. One the Service does not have is closed as soon as there are ranges: a cloud's
 * balancer answers on it all the same.
 */
export function balancerSourceRanges({ spec, metadata }: Service): string[] {
	const { IPv4, IPv6 } = canonicalSourceRanges(spec, metadata.annotations);
	if (IPv4.open && IPv6.open) return [];
	const families = spec.ipFamilies ?? ["IPv4"];
	const cidrs = [
		...(IPv4.open && families.includes("IPv4") ? ["0.0.0.0/0"] : IPv4.cidrs),
		...(IPv6.open && families.includes("IPv6") ? ["::/0"] : IPv6.cidrs),
	];
	// Ranges were given and none can be used: no client has this address, so nobody comes in.
	return cidrs.length > 0 ? cidrs : ["255.255.255.255/32"];
}

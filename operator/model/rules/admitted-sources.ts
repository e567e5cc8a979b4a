import {
	cidrRange,
	formatCidr,
	parseCidr,
	rangeContains,
} from "../addresses/cidr.ts";
import { type IpAddress, parseIp } from "../addresses/ip.ts";
import type { RulesNode } from "./rules-node.ts";

/**
 * Source ranges of one family, canonical, as they count on this node. Where the node has a balancer's address itself, what
 * it sends there comes from that very address: ranges that admit the node admit the balancer's addresses too
 * (k8s.io/kubernetes, pkg/proxy/nftables).
 */
export function admittedSources(
	cidrs: readonly string[],
	ingress: readonly IpAddress[],
	{ primaryAddresses = [] }: Pick<RulesNode, "primaryAddresses">,
): readonly string[] {
	const ranges = cidrs.flatMap((text) => {
		const cidr = parseCidr(text);
		return cidr.ok ? [cidr.value] : [];
	});
	const [first] = ranges;
	if (!first) return cidrs;
	const admitsNode = primaryAddresses.some((text) => {
		const address = parseIp(text);
		return (
			address.ok &&
			ranges.some((range) => rangeContains(cidrRange(range), address.value))
		);
	});
	if (!admitsNode) return cidrs;
	const prefixLength = first.family === "IPv6" ? 128 : 32;
	const own = ingress
		.filter(({ family }) => family === first.family)
		.map((each) => formatCidr({ ...each, prefixLength }));
	return [...new Set([...cidrs, ...own])];
}

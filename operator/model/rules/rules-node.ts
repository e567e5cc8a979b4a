import type { IPFamily, Node } from "../../api/core.ts";
import {
	cidrRange,
	formatCidr,
	isLinkLocal,
	parseCidr,
	rangeContains,
} from "../addresses/cidr.ts";
import { formatIp, type IpAddress, parseIp } from "../addresses/ip.ts";

/** What the compiler must know of the node whose program it makes. */
export interface RulesNode {
	name: string;
	/** Label topology.kubernetes.io/zone; absent: the node is in no zone. */
	zone?: string;
	/** Canonical addresses of this node at which NodePorts are served. */
	nodePortAddresses: readonly string[];
	/** The canonical primary address of each family, where NodePorts may be served or not. Absent: none is known. */
	primaryAddresses?: readonly string[];
	/** As in Program. */
	podCidrs: readonly string[];
	masqueradeAll: boolean;
	/** As in NodeSettings. */
	mode?: ProgramMode;
}

/**
 * `full`: every Service, in the place of kube-proxy. `balancers`: beside it, only addresses that Fairlead assigned, and
 * Services that label service-proxy-name hands over.
 */
export type ProgramMode = "full" | "balancers";

export interface NodeSettings {
	/** Where NodePorts are served: the node's primary address of each family, or those of its addresses in these CIDRs. */
	nodePortAddresses: "primary" | readonly string[];
	/** The CIDRs of all pods; undefined: those of this node's pods, from the Node's spec.podCIDRs. */
	clusterCidrs: readonly string[] | undefined;
	masqueradeAll: boolean;
	/** Absent: full. */
	mode?: ProgramMode;
}

export const defaultNodeSettings: NodeSettings = {
	nodePortAddresses: "primary",
	clusterCidrs: undefined,
	masqueradeAll: false,
};

/** Source: k8s.io/api/core/v1, LabelTopologyZone. */
const zoneLabel = "topology.kubernetes.io/zone";

/**
 * This node as its Node object and the agent's settings describe it. The primary address is the first InternalIP of a
 * family, or the first ExternalIP where there is none (as k8s.io/kubernetes, pkg/util/node GetNodeHostIPs). Of CIDRs, what
 * cannot be read is left out: flags are checked where they are given, Nodes by the API server.
 */
export function rulesNode(node: Node, settings: NodeSettings): RulesNode {
	const zone = node.metadata.labels?.[zoneLabel];
	return {
		name: node.metadata.name,
		...(zone ? { zone } : {}),
		nodePortAddresses: nodePortAddresses(node, settings.nodePortAddresses),
		primaryAddresses: nodePortAddresses(node, "primary"),
		podCidrs: canonicalCidrs(
			settings.clusterCidrs ?? node.spec?.podCIDRs ?? [],
		),
		masqueradeAll: settings.masqueradeAll,
		...(settings.mode ? { mode: settings.mode } : {}),
	};
}

function nodePortAddresses(
	node: Node,
	where: NodeSettings["nodePortAddresses"],
): string[] {
	const internal = addressesOf(node, "InternalIP");
	const external = addressesOf(node, "ExternalIP");
	const all = [...internal, ...external];
	if (where === "primary")
		return (["IPv4", "IPv6"] as const).flatMap((family) => {
			const primary = all.find((address) => address.family === family);
			return primary ? [formatIp(primary)] : [];
		});
	const ranges = where.flatMap((text) => {
		const cidr = parseCidr(text);
		return cidr.ok ? [cidrRange(cidr.value)] : [];
	});
	const chosen = all.filter((address) =>
		ranges.some((range) => rangeContains(range, address)),
	);
	return [...new Set(chosen.map(formatIp))];
}

function addressesOf(node: Node, type: string): IpAddress[] {
	return (node.status?.addresses ?? []).flatMap((each) => {
		if (each.type !== type) return [];
		const address = parseIp(each.address);
		return address.ok && !isLinkLocal(address.value) ? [address.value] : [];
	});
}

function canonicalCidrs(texts: readonly string[]): string[] {
	const cidrs = texts.flatMap((text) => {
		const cidr = parseCidr(text.trim());
		return cidr.ok ? [formatCidr(cidr.value)] : [];
	});
	return [...new Set(cidrs)];
}

/** Whether the settings of two nodes' programs differ only in what no Service's frontends depend on. */
export function sameForServices(a: RulesNode, b: RulesNode): boolean {
	return (
		a.name === b.name &&
		a.zone === b.zone &&
		(a.mode ?? "full") === (b.mode ?? "full") &&
		a.nodePortAddresses.join() === b.nodePortAddresses.join() &&
		a.primaryAddresses?.join() === b.primaryAddresses?.join()
	);
}

/** IPv6 if it has a colon: for text that is known to be an address. */
export function familyOf(address: string): IPFamily {
	return address.includes(":") ? "IPv6" : "IPv4";
}

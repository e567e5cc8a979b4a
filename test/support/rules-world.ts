import { assignedCondition } from "./assigned-condition.ts";
import type {
	Endpoint,
	EndpointSlice,
	IPFamily,
	Protocol,
	Service,
	ServiceSpec,
} from "../../operator/api/core.ts";
import { compile } from "../../operator/model/rules/compile.ts";
import {
	evaluate,
	type Packet,
	type SourceKind,
	type Verdict,
} from "../../operator/model/rules/evaluate.ts";
import type { Program } from "../../operator/model/rules/program.ts";
import type { RulesNode } from "../../operator/model/rules/rules-node.ts";

/** node-1 in zone-a, with pods in 10.244.1.0/24 and fd00:10:244:1::/64. */
export const node1: RulesNode = {
	name: "node-1",
	zone: "zone-a",
	nodePortAddresses: ["172.30.1.1", "fd00:172:30::1:1"],
	podCidrs: ["10.244.0.0/16", "fd00:10:244::/48"],
	masqueradeAll: false,
};

/** A Service `default/web` with ClusterIP 10.96.0.10 and port `http` 80, unless said otherwise. */
export function serviceOf(
	spec: ServiceSpec = {},
	more: {
		name?: string;
		namespace?: string;
		created?: string;
		labels?: Record<string, string>;
		annotations?: Record<string, string>;
		ingress?: { ip?: string; ipMode?: "VIP" | "Proxy"; hostname?: string }[];
		/** Addresses that condition AddressAssigned names. */
		vouched?: string[];
	} = {},
): Service {
	const { name = "web", namespace = "default", created, ingress } = more;
	const { vouched } = more;
	const { labels, annotations } = more;
	return {
		metadata: {
			name,
			namespace,
			creationTimestamp: created ?? "2026-01-01T00:00:00Z",
			...(labels ? { labels } : {}),
			...(annotations ? { annotations } : {}),
		},
		spec: {
			clusterIPs: ["10.96.0.10"],
			ports: [{ name: "http", port: 80, protocol: "TCP" }],
			...spec,
		},
		...(ingress || vouched
			? {
					status: {
						...(ingress ? { loadBalancer: { ingress } } : {}),
						...(vouched ? { conditions: [assignedCondition(...vouched)] } : {}),
					},
				}
			: {}),
	};
}

/**
 * A slice of a Service. An endpoint reads `ADDRESS@NODE`, then any of `not-ready`, `terminating` (serving, not ready),
 * `gone` (terminating, not serving), `zone:NAME`, `node:NAME`.
 */
export function sliceOf(
	endpoints: readonly string[],
	more: {
		name?: string;
		service?: string;
		namespace?: string;
		family?: IPFamily | "FQDN";
		ports?: { name?: string; protocol?: Protocol; port?: number }[];
		labels?: Record<string, string>;
	} = {},
): EndpointSlice {
	const { service = "web", namespace = "default", labels } = more;
	return {
		metadata: {
			name: more.name ?? `${service}-1`,
			namespace,
			labels: { "kubernetes.io/service-name": service, ...labels },
		},
		addressType: more.family ?? "IPv4",
		endpoints: endpoints.map(endpointOf),
		ports: more.ports ?? [{ name: "http", protocol: "TCP", port: 8080 }],
	};
}

function endpointOf(text: string): Endpoint {
	const [place = "", ...words] = text.split(" ");
	const [address = "", nodeName] = place.split("@");
	const named = (prefix: string) =>
		words
			.filter((word) => word.startsWith(prefix))
			.map((word) => ({ name: word.slice(prefix.length) }));
	const forZones = named("zone:");
	const forNodes = named("node:");
	const leaving = words.includes("terminating");
	const gone = words.includes("gone");
	const ready = !leaving && !gone && !words.includes("not-ready");
	return {
		addresses: [address],
		conditions: {
			ready,
			serving: ready || leaving,
			terminating: leaving || gone,
		},
		...(nodeName ? { nodeName } : {}),
		...(forZones.length + forNodes.length > 0
			? {
					hints: {
						...(forZones.length > 0 ? { forZones } : {}),
						...(forNodes.length > 0 ? { forNodes } : {}),
					},
				}
			: {}),
	};
}

const sources: Record<SourceKind, Record<IPFamily, string>> = {
	pod: { IPv4: "10.244.1.9", IPv6: "fd00:10:244:1::9" },
	node: { IPv4: "172.30.1.1", IPv6: "fd00:172:30::1:1" },
	outside: { IPv4: "172.30.0.1", IPv6: "fd00:172:30::1" },
};

/** Reads `outside -> 203.0.113.10 TCP 80`, or with its address `outside 198.51.100.7 -> …`. */
export function packetOf(text: string, pick: () => number = () => 0): Packet {
	const [from = "", to = ""] = text.split(" -> ");
	const [sourceIs = "", given] = from.split(" ");
	const [destination = "", protocol = "", port] = to.split(" ");
	const kind = sourceIs as SourceKind;
	return {
		sourceIs: kind,
		source: given ?? sources[kind][destination.includes(":") ? "IPv6" : "IPv4"],
		destination,
		protocol: protocol as Packet["protocol"],
		port: Number(port ?? 0),
		pick,
	};
}

/**
 * What becomes of a packet, as a row says it: `to 10.244.1.2:8080, 10.244.2.2:8080` (any of them, the sender's address
 * kept), `masqueraded to …`, `rejected`, `dropped`, `answered` or `not ours`.
 */
export function fate(program: Program, packet: Packet): string {
	const verdict = evaluate(program, packet);
	switch (verdict.verdict) {
		case "forwarded":
			return `${verdict.masquerade ? "masqueraded " : ""}to ${targets(verdict)}`;
		case "notOurs":
			return "not ours";
		default:
			return verdict.verdict;
	}
}

function targets({ candidates }: Verdict & { verdict: "forwarded" }): string {
	return candidates
		.map(({ endpoint: { address, port } }) =>
			address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
		)
		.sort()
		.join(", ");
}

/** Services and slices, and packets that meet a node (node-1 if not said) there: what they are, and their fate. */
export interface RulesTable {
	services?: Service[];
	slices: EndpointSlice[];
	node?: RulesNode;
	rows: [sentence: string, packet: string, fate: string][];
}

/** Makes a test of every row. */
export function describeTables(tables: Record<string, RulesTable>): void {
	for (const [what, table] of Object.entries(tables))
		describe(what, () => {
			const { services = [serviceOf()], slices, node = node1, rows } = table;
			const { program } = compile({ services, slices, node });
			it.each(rows)("%s", (_, packet, expected) => {
				expect(fate(program, packetOf(packet))).toBe(expected);
			});
		});
}

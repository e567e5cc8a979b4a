import type { NodePortConflict } from "../../api/fairlead.ts";
import type { AgentReport } from "../agent-report.ts";
import { saneFacts } from "./facts.ts";
import {
	commonRange,
	formatPortRange,
	inRange,
	type PortRange,
	withoutRanges,
} from "./port-range.ts";

/** What uses ports on nodes, as agents report it, or as it is read off the pods where none runs. */
export type NodeFacts = Pick<AgentReport, "node" | "ports">;

/** Whether a port is some Service's healthCheckNodePort, which the cluster's own machinery listens on. */
export type IsHealthCheck = (port: number) => boolean;

/**
 * What on the nodes clashes with NodePorts of `range`, by port and protocol; what is the same on several nodes stands
 * there once. A pod's hostPort that is also a listening socket, as with host networking, is told as the pod's.
 */
export function nodeConflicts(
	facts: Iterable<NodeFacts>,
	range: PortRange,
	isHealthCheck: IsHealthCheck,
): NodePortConflict[] {
	const findings = new Findings();
	for (const { node, ports: reported } of facts) {
		const ports = saneFacts(reported);
		const told = new Set<string>();
		for (const { port, protocol, pod } of ports.hostPorts ?? []) {
			if (!inRange(range, port)) continue;
			told.add(`${port}/${protocol}`);
			findings.add({ port, protocol, kind: "HostPort" }, node, `pod ${pod}`);
		}
		for (const { port, protocol, process } of ports.listening ?? []) {
			if (!inRange(range, port) || told.has(`${port}/${protocol}`)) continue;
			if (protocol === "TCP" && isHealthCheck(port)) continue;
			findings.add(
				{ port, protocol, kind: "ListeningSocket" },
				node,
				process === undefined ? "a process" : `process ${process}`,
			);
		}
		addEphemeral(findings, node, ports, range);
	}
	return findings.conflicts();
}

/** One finding for all ports, not one for each: nobody reads two thousand lines that say the same. */
function addEphemeral(
	findings: Findings,
	node: string,
	ports: NodeFacts["ports"],
	range: PortRange,
): void {
	if (!ports?.ephemeral) return;
	const [first, last] = ports.ephemeral;
	const common = commonRange({ first, last }, range);
	if (!common) return;
	const reserved = (ports.reserved ?? []).map(([from, to]) => ({
		first: from,
		last: to,
	}));
	const open = withoutRanges(common, reserved);
	const [start] = open;
	if (!start) return;
	findings.add(
		{ port: start.first, protocol: "TCP,UDP", kind: "EphemeralRange" },
		node,
		`ports ${list(open.map(formatPortRange))} are in net.ipv4.ip_local_port_range ${first}-${last} and not in ip_local_reserved_ports`,
	);
}

class Findings {
	readonly #found = new Map<
		string,
		{ what: NodePortConflict; nodes: Set<string>; holders: Set<string> }
	>();

	add(what: NodePortConflict, node: string, holder: string): void {
		// Another overlap on another node is another finding; other holders of one port are not.
		const detail = what.kind === "EphemeralRange" ? holder : "";
		const key = `${what.port}/${what.protocol}/${what.kind}/${detail}`;
		const known = this.#found.get(key) ?? {
			what,
			nodes: new Set<string>(),
			holders: new Set<string>(),
		};
		known.nodes.add(node);
		known.holders.add(holder);
		this.#found.set(key, known);
	}

	conflicts(): NodePortConflict[] {
		return [...this.#found.values()]
			.map(({ what, nodes, holders }) => {
				const [node = ""] = nodes;
				const who = list([...holders].sort());
				return nodes.size === 1
					? { ...what, node, holder: who }
					: {
							...what,
							holder: `${who} on ${nodes.size} nodes (${list([...nodes].sort())})`,
						};
			})
			.sort(byPort);
	}
}

export function byPort(a: NodePortConflict, b: NodePortConflict): number {
	const order = (each: NodePortConflict) =>
		[each.protocol, each.kind, each.node ?? "", each.holder ?? ""].join(" ");
	if (a.port !== b.port) return a.port - b.port;
	return order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0;
}

/** The first three, and how many more there are. */
export function list(items: readonly string[]): string {
	const shown = items.slice(0, 3).join(", ");
	return items.length > 3 ? `${shown} and ${items.length - 3} more` : shown;
}

/** A conflict in words: `pod shop/dns on node n1 has 30053/UDP as hostPort`. */
export function describeConflict(conflict: NodePortConflict): string {
	const { port, protocol, kind, node, holder = "somebody" } = conflict;
	const where = node === undefined ? "" : ` on node ${node}`;
	switch (kind) {
		case "HostPort":
			return `${holder}${where} has ${port}/${protocol} as hostPort`;
		case "ListeningSocket":
			return `${holder}${where} listens on ${port}/${protocol}`;
		case "EphemeralRange":
			return `${holder}${where}: the kernel gives them to outgoing connections`;
		case "OtherService":
			return `${holder} holds ${port}/${protocol}`;
	}
}

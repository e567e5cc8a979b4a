import type { Lease, Protocol } from "../api/core.ts";
import { agentAnnotations } from "../api/names.ts";
import type { Watermark } from "./watermark.ts";

export type RulesMode = "full" | "balancers" | "audit" | "off";

/**
 * What the agent of a node says of it, as JSON in annotation `fairlead.dev/agent-report` of its Lease. The Lease is
 * renewed as kubelets renew theirs; the report is written only when a Service of ours, or what stands below, changed,
 * and at most once a second.
 */
export interface AgentReport {
	node: string;
	/** What the agent does with the rules; only `full` and `balancers` program addresses. */
	rules: RulesMode;
	/** Everything up to these resourceVersions is in force; absent before the first sync. */
	reached?: Watermark;
	/** Services (`namespace/name`) this node's kernel refuses to carry as they should be, with a sentence each. */
	refused?: Record<string, string>;
	/** Ports of the node that a NodePort may clash with. */
	ports?: NodePortFacts;
}

export interface NodePortFacts {
	/** net.ipv4.ip_local_port_range, both ends included. */
	ephemeral?: [number, number];
	/** net.ipv4.ip_local_reserved_ports, as ranges: never given to outgoing connections. */
	reserved?: [number, number][];
	/** Sockets of the node's own processes in the NodePort range, sorted. */
	listening?: { port: number; protocol: Protocol; process?: string }[];
	/** hostPorts of pods on the node in the NodePort range, sorted. */
	hostPorts?: { port: number; protocol: Protocol; pod: string }[];
}

const modes: readonly string[] = ["full", "balancers", "audit", "off"];

/** Canonical text: the same report is the same string. */
export function formatReport(report: AgentReport): string {
	const { node, rules, reached, refused = {}, ports } = report;
	const sorted = Object.entries(refused).sort(([a], [b]) => (a < b ? -1 : 1));
	return JSON.stringify({
		node,
		rules,
		...(reached && {
			reached: {
				services: reached.services,
				endpointSlices: reached.endpointSlices,
			},
		}),
		...(sorted.length > 0 && { refused: Object.fromEntries(sorted) }),
		...(ports && { ports }),
	});
}

/** What an agent's Lease says; undefined for what is not a report: somebody edited it, and the agent writes it anew. */
export function reportOf(lease: Lease): AgentReport | undefined {
	const text = lease.metadata.annotations?.[agentAnnotations.report];
	let value: unknown;
	try {
		value = JSON.parse(text ?? "");
	} catch {
		return undefined;
	}
	if (!isRecord(value)) return undefined;
	const { node, rules, reached, refused, ports } = value;
	if (typeof node !== "string" || node === "") return undefined;
	if (typeof rules !== "string" || !modes.includes(rules)) return undefined;
	const report: AgentReport = { node, rules: rules as RulesMode };
	if (isRecord(reached)) {
		const { services, endpointSlices } = reached;
		if (isVersion(services) && isVersion(endpointSlices))
			report.reached = { services, endpointSlices };
	}
	if (isRecord(refused))
		report.refused = Object.fromEntries(
			Object.entries(refused).filter(
				(entry): entry is [string, string] => typeof entry[1] === "string",
			),
		);
	if (isRecord(ports)) report.ports = ports as NodePortFacts;
	return report;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isVersion(value: unknown): value is string {
	return typeof value === "string" && /^\d+$/.test(value);
}

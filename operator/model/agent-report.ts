import type { Protocol } from "../api/core.ts";

/**
 * What the agent of a node says of it, as JSON in annotation `fairlead.dev/agent-report` of its Lease. The Lease is
 * renewed as kubelets renew theirs; the report is written only when a Service of ours, or what stands below, changed,
 * and at most once a second.
 */
export interface AgentReport {
	node: string;
	/** What the agent does with the rules; only `full` and `balancers` program addresses. */
	rules: "full" | "balancers" | "audit" | "off";
	/** Everything up to these resourceVersions is in force; absent before the first sync. */
	reached?: { services: string; endpointSlices: string };
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

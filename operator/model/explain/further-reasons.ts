import type { StepName } from "./explanation.ts";

export interface ReasonEntry {
	/** The step it holds up or describes; Any: the one whose condition gives it. */
	step: StepName | "Any";
	/** What it means. */
	meaning: string;
	/** What somebody can do about it; absent where nothing is out of order. */
	help?: string;
	/** The reason of the condition that says the same with fewer facts at hand. */
	condition?: string;
}

/** Reasons of the conditions fairlead.dev/ExternalIPs and fairlead.dev/NodePorts; those they share with others stand there. */
export const furtherReasons = {
	Granted: {
		step: "ExternalIPs",
		meaning: "Pools grant every external IP of the Service.",
	},
	Unrestricted: {
		step: "ExternalIPs",
		meaning: "No pool is for external IPs, so nothing restricts them.",
	},
	AssignedOutsideSpec: {
		step: "ExternalIPs",
		meaning:
			"The external IP is assigned, and the API server does not take it into spec.externalIPs.",
	},
	NotGranted: {
		step: "ExternalIPs",
		meaning: "No pool grants the external IP to the namespace.",
		help: "Add it to an AddressPool with use ExternalIP that admits the namespace, or remove it.",
	},
	AddressOfCluster: {
		step: "ExternalIPs",
		meaning: "The external IP is one of the cluster's own addresses.",
		help: "Remove it from spec.externalIPs.",
	},
	SeveralProblems: {
		step: "ExternalIPs",
		meaning: "External IPs of the Service have problems of several kinds.",
		help: "The message names each address, what is wrong and what to do.",
	},
	SetBySomebodyElse: {
		step: "NodePorts",
		meaning: "Somebody else sets the NodePort that Fairlead should set.",
		help: "Remove nodePort from the manifest, or the annotation.",
	},
	KeptByManifest: {
		step: "NodePorts",
		meaning: "The manifest sets NodePorts that Fairlead should release.",
		help: "Remove nodePort from the manifest, or annotate the Service with fairlead.dev/release-node-ports: Keep.",
	},
	Contested: {
		step: "Any",
		meaning: "Somebody keeps undoing what Fairlead sets.",
		help: "Find who writes the Service besides Fairlead, and let one of them own the field.",
	},
	PortTaken: {
		step: "NodePorts",
		meaning: "Another Service has the port.",
		help: "Ask for another port, or free that one.",
	},
	PortReserved: {
		step: "NodePorts",
		meaning: "A NodePortPool keeps the port for others.",
		help: "Ask for a port outside the pool, or let the pool admit the Service.",
	},
	PoolExhausted: {
		step: "NodePorts",
		meaning: "Every port of the NodePortPool is taken.",
		help: "Widen the range of the pool, or free some ports.",
	},
	NotAdmitted: {
		step: "NodePorts",
		meaning: "The NodePortPool does not admit the Service.",
		help: "Change the pool's selectors, or the labels they look at.",
	},
	NoNodePorts: {
		step: "NodePorts",
		meaning: "The Service asks for NodePorts and has none.",
		help: "Set allocateLoadBalancerNodePorts to true, or remove the annotation.",
	},
	Invalid: {
		step: "NodePorts",
		meaning: "The annotation that asks for NodePorts cannot be read.",
		help: "Correct it as the message says.",
	},
	InvalidRequest: {
		step: "NodePorts",
		meaning: "The annotation that asks for NodePorts cannot be read.",
		help: "Correct annotation fairlead.dev/node-ports as the message says.",
	},
	UnknownPool: {
		step: "NodePorts",
		meaning: "The Service asks for a NodePortPool that does not exist.",
		help: "Create the NodePortPool, or change annotation fairlead.dev/node-ports.",
	},
	PoolInvalid: {
		step: "NodePorts",
		meaning: "The NodePortPool the Service asks for cannot be used as it is.",
		help: "Correct the field of the NodePortPool that the message names.",
	},
	Refused: {
		step: "NodePorts",
		meaning: "The API server refuses the NodePorts.",
		help: "The message is the API server's own.",
	},
	HostPort: {
		step: "NodePorts",
		meaning: "A pod has the same port as hostPort.",
		help: "Change one of the two.",
	},
	ListeningSocket: {
		step: "NodePorts",
		meaning: "A process of a node listens on the same port.",
		help: "Move the process, or ask for another NodePort.",
	},
	EphemeralRange: {
		step: "NodePorts",
		meaning: "The kernel gives the port to outgoing connections.",
		help: "Add it to net.ipv4.ip_local_reserved_ports, or narrow ip_local_port_range.",
	},
	OtherService: {
		step: "NodePorts",
		meaning: "A Service that the pool does not admit has the port.",
		help: "Free the port there.",
	},
} as const satisfies Record<string, ReasonEntry>;

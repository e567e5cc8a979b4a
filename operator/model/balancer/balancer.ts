import type { IPFamily, Protocol } from "../../api/core.ts";

/** Whose balancer it is. `name` is derived from the other two, so a lost answer to a create can be looked up. */
export interface BalancerIdentity {
	clusterId: string;
	serviceUid: string;
	name: string;
}

/** What one Service needs of one provider; plain data, lists in a canonical order. */
export interface DesiredBalancer {
	identity: BalancerIdentity;
	service: { namespace: string; name: string };
	/** Wanted address families, the Service's primary one first. */
	families: IPFamily[];
	/** Addresses the Service must get: requested by the user, or already recorded on it. Empty: any. */
	addresses: string[];
	/** Sorted by protocol, then port. */
	listeners: Listener[];
	/** Sorted by node name. */
	targets: Target[];
	/** Canonical CIDRs of both families, sorted; empty: everybody. */
	sourceRanges: string[];
	/** Seconds a client keeps its target; absent: no affinity. */
	affinitySeconds?: number;
	/**
	 * Whether another controller may have made a balancer for the Service already. Ask: it may, and is then in the way
	 * until the user says what is to become of it. Take: it is taken over. Absent: nobody looks.
	 */
	adopt?: "Ask" | "Take";
}

export interface Listener {
	protocol: Protocol;
	port: number;
	/** The Service's nodePort; 0 when it has none, which only providers that do not need one can serve. */
	nodePort: number;
	healthCheck: HealthCheck;
}

export interface HealthCheck {
	protocol: "TCP" | "HTTP";
	/** Port on the node. */
	port: number;
	/** For HTTP only. */
	path?: string;
	intervalSeconds: number;
	timeoutSeconds: number;
	/** Failures in a row that make a target unhealthy. */
	retries: number;
}

export interface Target {
	node: string;
	/** The Node's spec.providerID, for instance hcloud://42. */
	providerId?: string;
	/** The Node's InternalIPs, in its own order. */
	addresses: string[];
}

/** What a provider says of a balancer after one pass. */
export interface ObservedBalancer {
	/** The provider's own id, for people and logs. */
	id: string;
	/** Addresses it has, in the order of `families` wanted; may be known before the rest is done. */
	addresses: string[];
	/** VIP: packets arrive with the address as destination. Proxy: they arrive for the node. */
	ipMode: "VIP" | "Proxy";
	/** One per wanted listener, in the same order. */
	ports: ObservedPort[];
	/** Targets that could not be had, each with a sentence why. */
	targetProblems: { node: string; message: string }[];
	/** What the class asks for and this balancer cannot be changed to, one sentence; absent: nothing. */
	kept?: string;
	/** Set while work is in flight: what for (a sentence), and when to look again. */
	pending?: { waitingFor: string; retryAfterMs: number };
}

export interface ObservedPort {
	protocol: Protocol;
	port: number;
	state: "Configured" | "Configuring" | "Refused";
	/** For Refused: a CamelCase word fit for status.loadBalancer.ingress[].ports[].error. */
	reason?: string;
	message?: string;
}

/** What a provider can do at all; a Service that needs more gets the ports that work, and a reason for the others. */
export interface Capabilities {
	protocols: Protocol[];
	families: IPFamily[];
	sourceRanges: boolean;
	affinity: boolean;
	/** False: listeners need a nodePort. */
	withoutNodePorts: boolean;
	/** Pools: the controller picks the address. Provider: the provider does. */
	addressesFrom: "Pools" | "Provider";
}

/** A balancer that carries a cluster's labels, as a list of all of them has it. */
export interface ListedBalancer {
	identity: BalancerIdentity;
	id: string;
	service: { namespace: string; name: string };
	addresses: string[];
	/** Milliseconds since the epoch. */
	createdAt: number;
	/** The provider refuses to delete it until somebody lifts the protection. */
	protected: boolean;
}

import type { Condition, KubeObject } from "./meta.ts";

/** The kinds of group fairlead.dev/v1alpha1, as they stand on the wire; crds/ holds their schemas. */

export type ProviderName = "HetznerCloud" | "Layer2" | "Static";

export interface BalancerClass extends KubeObject {
	spec: {
		provider: ProviderName;
		/** Takes Services of type LoadBalancer that name no class. */
		default?: boolean;
		hetznerCloud?: {
			/** Base URL up to and including the version, for instance https://api.example.com/v1. */
			endpoint?: string;
			tokenSecretRef: { namespace: string; name: string; key?: string };
			location?: string;
			networkZone?: string;
			/** Name of the load balancer type; if not given new ones are lb11, and others stay as they are. */
			type?: string;
		};
		layer2?: {
			interfaces?: string[];
			nodeSelector?: LabelSelector;
			announcers?: number;
		};
		nodePorts?: "Keep" | "Release";
	};
	status?: { conditions?: Condition[] };
}

export interface LabelSelector {
	matchLabels?: Record<string, string>;
	matchExpressions?: {
		key: string;
		operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
		values?: string[];
	}[];
}

export interface FamilyCount {
	/** Counts are decimal strings: a /64 holds more addresses than a JSON number keeps exactly. */
	capacity: string;
	assigned: string;
	available: string;
}

export interface AddressPool extends KubeObject {
	spec: {
		/** CIDRs (203.0.113.0/24) and ranges (203.0.113.10-203.0.113.20), both families. */
		addresses: string[];
		uses?: ("LoadBalancer" | "ExternalIP")[];
		/** BalancerClass names that may draw from the pool; empty or absent: all. */
		classes?: string[];
		/** False: only Services that ask for the pool or for one of its addresses. Default true. */
		autoAssign?: boolean;
		/** Lower is drawn from first; default 100. */
		priority?: number;
		avoidFirstAndLast?: boolean;
		namespaceSelector?: LabelSelector;
		serviceSelector?: LabelSelector;
		/** How long a released address is kept for the same Service name, as a Go duration ("10m"). */
		retention?: string;
	};
	status?: {
		ipv4?: FamilyCount;
		ipv6?: FamilyCount;
		/** Released addresses that are still kept out of use, oldest first; what a restart must not forget. */
		held?: HeldAddress[];
		conditions?: Condition[];
	};
}

/** An address that its last holder left, and why it is not free yet. */
export interface HeldAddress {
	/** Canonical. */
	address: string;
	/**
	 * Retained: kept for a Service of the same namespace and name. Releasing: some node may still announce it.
	 */
	reason: "Retained" | "Releasing";
	/** Who held it last: `namespace/name`. */
	service: string;
	/** Retained: when it becomes free, RFC 3339. */
	until?: string;
	/** Releasing: nodes must have passed this Service resourceVersion. */
	released?: string;
}

/** Namespaced. Keeps addresses of a pool for one Service, which may not exist yet, or for nobody. */
export interface AddressReservation extends KubeObject {
	spec: {
		/** The AddressPool; it must admit the namespace. */
		pool: string;
		/** Which; absent or empty: one of each family the pool has, chosen once. */
		addresses?: string[];
		/** The Service of this namespace that gets them; absent: nobody does. */
		serviceName?: string;
	};
	status?: {
		/** What is reserved, canonical. */
		addresses?: string[];
		/** The Service that holds them now. */
		bound?: string;
		conditions?: Condition[];
	};
}

/** Keeps a range of NodePorts for Services that the selectors admit. */
export interface NodePortPool extends KubeObject {
	spec: {
		/** `30000-30063`, or one port. */
		range: string;
		namespaceSelector?: LabelSelector;
		serviceSelector?: LabelSelector;
	};
	status?: {
		used?: number;
		free?: number;
		conflicts?: NodePortConflict[];
		/** What the pool gave to whom, by Service: what re-creation and a restart must not forget. */
		assigned?: NodePortAssignment[];
		conditions?: Condition[];
	};
}

/** NodePorts that a pool gave to a Service. */
export interface NodePortAssignment {
	/** `namespace/name` */
	service: string;
	/** By the name of the Service's port, or `80/TCP` where it has none. */
	ports: Record<string, number>;
	/** When the Service went, RFC 3339; its ports are kept for one of the same name until the pool needs them. */
	released?: string;
}

export interface NodePortConflict {
	port: number;
	protocol: string;
	/**
	 * HostPort: a pod's. ListeningSocket: a process of the node's own. EphemeralRange: the kernel gives the port to
	 * outgoing connections. OtherService: a Service the pool does not admit.
	 */
	kind: "HostPort" | "ListeningSocket" | "EphemeralRange" | "OtherService";
	/** Where, if it is on one node. */
	node?: string;
	/** Who, for people: `pod kube-system/dns-abc`, `Service shop/web`, `process sshd`. */
	holder?: string;
}

/** What namespaces may put into spec.externalIPs; `compiled` is written by the controller from the pools. */
export interface ExternalIPPolicy extends KubeObject {
	spec: {
		/** In the order of the pools they come from. */
		grants: {
			pool: string;
			/** Canonical CIDRs. */
			cidrs: string[];
			namespaceSelector?: LabelSelector;
			serviceSelector?: LabelSelector;
		}[];
		/** Never granted, whatever a pool says: addresses of nodes, Services and DNS. Canonical CIDRs. */
		denied: string[];
	};
}

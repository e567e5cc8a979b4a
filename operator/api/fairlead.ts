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
			/** Name of the load balancer type; lb11 if not given. */
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
		conditions?: Condition[];
	};
}

import type { KubeObject } from "../api/meta.ts";

/** A kind as it is addressed on the wire. */
export interface Resource {
	/** "" for the core group. */
	group: string;
	version: string;
	plural: string;
	kind: string;
	namespaced: boolean;
}

/** One object of a resource, or a subresource of it. */
export interface Ref {
	namespace?: string;
	name: string;
	subresource?: "status" | "scale";
}

export interface ListOptions {
	namespace?: string;
	labelSelector?: string;
	fieldSelector?: string;
	limit?: number;
	continue?: string;
	resourceVersion?: string;
	resourceVersionMatch?: "Exact" | "NotOlderThan";
}

export interface KubeList<T> {
	metadata: {
		resourceVersion: string;
		continue?: string;
		remainingItemCount?: number;
	};
	items: T[];
}

export interface WatchOptions {
	namespace?: string;
	labelSelector?: string;
	fieldSelector?: string;
	resourceVersion?: string;
	resourceVersionMatch?: "NotOlderThan";
	allowWatchBookmarks?: boolean;
	/** WatchList: the present objects come as ADDED, then a bookmark with annotation k8s.io/initial-events-end. */
	sendInitialEvents?: boolean;
	timeoutSeconds?: number;
}

/** Whether that very version of an object (`namespace/name`, or its name) needs no telling. */
export type IsKnown = (key: string, resourceVersion: string) => boolean;

export type WatchEvent<T extends KubeObject> =
	| { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }
	| {
			type: "BOOKMARK";
			object: {
				metadata: {
					resourceVersion: string;
					annotations?: Record<string, string>;
				};
			};
	  }
	| { type: "ERROR"; object: Status };

/** metav1.Status */
export interface Status {
	kind: "Status";
	code?: number;
	reason?: string;
	message?: string;
	details?: {
		causes?: { reason?: string; message?: string; field?: string }[];
		retryAfterSeconds?: number;
	};
}

export type Patch =
	| { type: "merge" | "strategic-merge"; body: object }
	| { type: "json"; body: object[] }
	| { type: "apply"; body: object; fieldManager: string; force?: boolean };

export interface Preconditions {
	uid?: string;
	resourceVersion?: string;
}

export interface CallOptions {
	signal?: AbortSignal;
	/** Milliseconds for the whole call, answers read; default 30,000. Not for watches. */
	timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
	/** The server checks everything, unknown fields too, answers what would be stored, and stores nothing. */
	dryRun?: boolean;
}

/**
 * The Kubernetes API over raw JSON. Objects come back as they stand on the wire. Throws FairleadErrors (Kube…) whose
 * message names the request and what the server said; honours Retry-After of 429 and 503 by `retryAfterMs` on the error
 * (it never waits by itself: who calls decides).
 */
export interface KubeClient {
	get<T extends KubeObject>(
		resource: Resource,
		ref: Ref,
		options?: CallOptions,
	): Promise<T>;
	list<T extends KubeObject>(
		resource: Resource,
		list?: ListOptions,
		options?: CallOptions,
	): Promise<KubeList<T>>;
	create<T extends KubeObject>(
		resource: Resource,
		object: T,
		options?: WriteOptions,
	): Promise<T>;
	/** PUT: the object's own resourceVersion, if set, guards it. */
	replace<T extends KubeObject>(
		resource: Resource,
		object: T,
		options?: CallOptions & { subresource?: Ref["subresource"] },
	): Promise<T>;
	patch<T extends KubeObject>(
		resource: Resource,
		ref: Ref,
		patch: Patch,
		options?: WriteOptions,
	): Promise<T>;
	delete(
		resource: Resource,
		ref: Ref,
		preconditions?: Preconditions,
		/** `gracePeriodSeconds` 0: the last word of who ran the object, which is gone then. */
		options?: CallOptions & { gracePeriodSeconds?: number },
	): Promise<void>;
	/** Does with a pod what a subresource is there for: gives it to a node, or evicts it. The answer says nothing more. */
	act(
		resource: Resource,
		ref: {
			namespace: string;
			name: string;
			subresource: "binding" | "eviction";
		},
		body: object,
		options?: CallOptions,
	): Promise<void>;
	/**
	 * Opens a watch; resolves once the server has answered 200. Iterating yields what arrived together as one array and
	 * ends when the server closes; it throws when the connection breaks or a line is not JSON. In-stream ERROR events are
	 * yielded, not thrown. Aborting `signal` ends it at once. `onBytes` is called whenever anything arrives; of a version
	 * that `isKnown` the caller may be told by a bookmark instead.
	 */
	watch<T extends KubeObject>(
		resource: Resource,
		watch: WatchOptions,
		options: { signal: AbortSignal; onBytes?: () => void; isKnown?: IsKnown },
	): Promise<AsyncIterable<WatchEvent<T>[]>>;
	close(): void;
}

const core = (plural: string, kind: string, namespaced: boolean): Resource => ({
	group: "",
	version: "v1",
	plural,
	kind,
	namespaced,
});
const fairlead = (plural: string, kind: string): Resource => ({
	group: "fairlead.dev",
	version: "v1alpha1",
	plural,
	kind,
	namespaced: false,
});
const apps = (plural: string, kind: string): Resource => ({
	group: "apps",
	version: "v1",
	plural,
	kind,
	namespaced: true,
});

export const resources = {
	services: core("services", "Service", true),
	nodes: core("nodes", "Node", false),
	namespaces: core("namespaces", "Namespace", false),
	secrets: core("secrets", "Secret", true),
	pods: core("pods", "Pod", true),
	configMaps: core("configmaps", "ConfigMap", true),
	endpoints: core("endpoints", "Endpoints", true),
	serviceAccounts: core("serviceaccounts", "ServiceAccount", true),
	deployments: apps("deployments", "Deployment"),
	replicaSets: apps("replicasets", "ReplicaSet"),
	endpointSlices: {
		group: "discovery.k8s.io",
		version: "v1",
		plural: "endpointslices",
		kind: "EndpointSlice",
		namespaced: true,
	},
	serviceCIDRs: {
		group: "networking.k8s.io",
		version: "v1",
		plural: "servicecidrs",
		kind: "ServiceCIDR",
		namespaced: false,
	},
	leases: {
		group: "coordination.k8s.io",
		version: "v1",
		plural: "leases",
		kind: "Lease",
		namespaced: true,
	},
	events: {
		group: "events.k8s.io",
		version: "v1",
		plural: "events",
		kind: "Event",
		namespaced: true,
	},
	balancerClasses: fairlead("balancerclasses", "BalancerClass"),
	addressPools: fairlead("addresspools", "AddressPool"),
	addressReservations: {
		...fairlead("addressreservations", "AddressReservation"),
		namespaced: true,
	},
	nodePortPools: fairlead("nodeportpools", "NodePortPool"),
	externalIPPolicies: fairlead("externalippolicies", "ExternalIPPolicy"),
} as const satisfies Record<string, Resource>;

/** Path of a resource, of one object or of a subresource, without query. */
export function pathOf(
	resource: Resource,
	where: { namespace?: string; name?: string; subresource?: string } = {},
): string {
	const root = resource.group
		? `/apis/${resource.group}/${resource.version}`
		: `/api/${resource.version}`;
	const namespace =
		resource.namespaced && where.namespace
			? `/namespaces/${encodeURIComponent(where.namespace)}`
			: "";
	const name = where.name ? `/${encodeURIComponent(where.name)}` : "";
	const subresource = where.subresource ? `/${where.subresource}` : "";
	return `${root}${namespace}/${resource.plural}${name}${subresource}`;
}

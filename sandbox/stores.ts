import type {
	EndpointSlice,
	Node,
	Pod,
	Secret,
	Service,
} from "../operator/api/core.ts";
import type { ExternalIPPolicy } from "../operator/api/fairlead.ts";
import type { KubeObject } from "../operator/api/meta.ts";
import type { AgentStores } from "../operator/agent/stores.ts";
import type { Clock } from "../operator/clock.ts";
import { Store } from "../operator/cluster/index.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../operator/cluster/kube.ts";
import { Reflector } from "../operator/cluster/reflector.ts";
import type { Log } from "../operator/log.ts";
import type {
	ConfigMap,
	Deployment,
	Endpoints,
	ReplicaSet,
} from "./objects.ts";

export interface StoresOptions {
	client: Pick<KubeClient, "list" | "watch">;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

/** What the sandbox's process knows of its cluster: one cache per kind for everybody in it, each kept true by one watch. */
export interface Stores {
	readonly services: Store<Service>;
	readonly endpointSlices: Store<EndpointSlice>;
	readonly endpoints: Store<Endpoints>;
	readonly pods: Store<Pod>;
	readonly nodes: Store<Node>;
	readonly namespaces: Store<KubeObject>;
	readonly deployments: Store<Deployment>;
	readonly replicaSets: Store<ReplicaSet>;
	readonly configMaps: Store<ConfigMap>;
	readonly secrets: Store<Secret>;
	readonly serviceAccounts: Store<KubeObject>;
	/** As agents check them anywhere; where the kind is not installed, they are not. */
	readonly externalIPs: NonNullable<AgentStores["externalIPs"]>;
	/** Resolves when every cache has been complete once. */
	readonly synced: Promise<void>;
	/** One line for each kind that cannot be kept true at present. */
	problems(): string[];
	/** Resolves when no watch is open any more; the caches stay as they are. */
	stop(): Promise<void>;
}

/**
 * Starts the watches. Objects are kept whole but for `managedFields` and kubectl's last-applied annotation; they are
 * shared, so nobody may change them, and who writes one writes a patch.
 */
export function startStores({
	client,
	clock,
	random,
	log,
}: StoresOptions): Stores {
	const reflectors: Pick<
		Reflector<KubeObject>,
		"start" | "stop" | "synced" | "healthy"
	>[] = [];
	const watched = <T extends KubeObject>(
		resource: Resource,
		optional = false,
	): { store: Store<T>; read: Promise<void> } => {
		const store = new Store<T>({
			clock,
			log: log.child({ resource: resource.plural }),
			trim: withoutBookkeeping,
		});
		const reflector = new Reflector<T>({
			client,
			resource,
			store,
			clock,
			random,
			log,
			optional,
		});
		reflectors.push(reflector);
		return { store, read: reflector.synced };
	};
	const cache = <T extends KubeObject>(resource: Resource): Store<T> =>
		watched<T>(resource).store;
	const namespaces = watched<KubeObject>(resources.namespaces);
	const policies = watched<ExternalIPPolicy>(
		resources.externalIPPolicies,
		true,
	);
	const stores = {
		services: cache<Service>(resources.services),
		endpointSlices: cache<EndpointSlice>(resources.endpointSlices),
		endpoints: cache<Endpoints>(resources.endpoints),
		pods: cache<Pod>(resources.pods),
		nodes: cache<Node>(resources.nodes),
		namespaces: namespaces.store,
		deployments: cache<Deployment>(resources.deployments),
		replicaSets: cache<ReplicaSet>(resources.replicaSets),
		configMaps: cache<ConfigMap>(resources.configMaps),
		secrets: cache<Secret>(resources.secrets),
		serviceAccounts: cache<KubeObject>(resources.serviceAccounts),
		externalIPs: {
			policies: policies.store,
			namespaces: namespaces.store,
			read: { policies: policies.read, namespaces: namespaces.read },
		},
	};
	for (const reflector of reflectors) reflector.start();
	return {
		...stores,
		synced: Promise.all(reflectors.map(({ synced }) => synced)).then(() => {}),
		problems: () =>
			reflectors
				.map((reflector) => reflector.healthy())
				.filter(({ ok }) => !ok)
				.map(({ reason }) => reason),
		async stop() {
			await Promise.all(reflectors.map((reflector) => reflector.stop()));
		},
	};
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

function withoutBookkeeping<T extends KubeObject>(object: T): T {
	const metadata: T["metadata"] & { managedFields?: unknown } = {
		...object.metadata,
	};
	delete metadata.managedFields;
	if (metadata.annotations?.[lastApplied] !== undefined) {
		metadata.annotations = { ...metadata.annotations };
		delete metadata.annotations[lastApplied];
	}
	return { ...object, metadata };
}

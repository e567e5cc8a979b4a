import type { EndpointSlice, Node, Service } from "../api/core.ts";
import type { ExternalIPPolicy } from "../api/fairlead.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import { Store } from "../cluster/index.ts";
import { type KubeClient, type Resource, resources } from "../cluster/kube.ts";
import { Reflector } from "../cluster/reflector.ts";
import type { Log } from "../log.ts";
import {
	trimNamespace,
	trimNode,
	trimPolicy,
	trimService,
	trimSlice,
} from "./trim.ts";

/** What agents read. Whoever feeds the caches, several agents may share them; nobody changes the objects in them. */
export interface AgentStores {
	readonly services: Store<Service>;
	readonly endpointSlices: Store<EndpointSlice>;
	/** This node, and others or not. */
	readonly nodes: Store<Node>;
	/** What external IPs are checked against; absent: they are not. */
	readonly externalIPs?: {
		readonly policies: Store<ExternalIPPolicy>;
		readonly namespaces: Store<KubeObject>;
		/** Each resolves when its store has been complete once, which may be never: an agent may not be allowed to read it. */
		readonly read: {
			readonly policies: Promise<unknown>;
			readonly namespaces: Promise<unknown>;
		};
	};
	/** Resolves when each has been complete once; those for external IPs need not be where they are forbidden. */
	readonly synced: Promise<unknown>;
	/** One line for each kind that cannot be kept true at present. */
	problems(): string[];
}

export interface AgentStoresOptions {
	client: Pick<KubeClient, "list" | "watch">;
	node: string;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

/** Slices of headless Services never leave the server (k8s.io/kubernetes, cmd/kube-proxy/app). */
const notHeadless = "!service.kubernetes.io/headless";

/** Starts one watch per kind for the agent of one node. */
export function startAgentStores(
	options: AgentStoresOptions,
): AgentStores & { stop(): Promise<void> } {
	const { client, node, clock, random, log } = options;
	const reflectors: Reflector<KubeObject>[] = [];
	const cache = <T extends KubeObject>(
		resource: Resource,
		trim: (object: T) => T,
		selector: {
			labelSelector?: string;
			fieldSelector?: string;
			/** The agent can do without the kind, be it not installed or not to be read. */
			optional?: boolean;
			dispensable?: boolean;
		},
	): { store: Store<T>; read: Promise<void> } => {
		const store = new Store<T>({
			clock,
			log: log.child({ resource: resource.plural }),
			trim,
		});
		const reflector = new Reflector<T>({
			client,
			resource,
			store,
			clock,
			random,
			log,
			...selector,
		});
		reflectors.push(reflector as unknown as Reflector<KubeObject>);
		return { store, read: reflector.synced };
	};
	const optional = { optional: true, dispensable: true };
	const policies = cache<ExternalIPPolicy>(
		resources.externalIPPolicies,
		trimPolicy,
		optional,
	);
	const namespaces = cache<KubeObject>(
		resources.namespaces,
		trimNamespace,
		optional,
	);
	const stores = {
		services: cache<Service>(resources.services, trimService, {}).store,
		endpointSlices: cache<EndpointSlice>(resources.endpointSlices, trimSlice, {
			labelSelector: notHeadless,
		}).store,
		nodes: cache<Node>(resources.nodes, trimNode, {
			fieldSelector: `metadata.name=${node}`,
		}).store,
		externalIPs: {
			policies: policies.store,
			namespaces: namespaces.store,
			read: { policies: policies.read, namespaces: namespaces.read },
		},
	};
	for (const reflector of reflectors) reflector.start();
	return {
		...stores,
		synced: Promise.all(reflectors.map(({ answered }) => answered)),
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

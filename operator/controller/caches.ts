import type {
	EndpointSlice,
	Lease,
	Node,
	Service,
	ServiceCIDR,
} from "../api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	BalancerClass,
	ExternalIPPolicy,
	NodePortPool,
} from "../api/fairlead.ts";
import type { KubeObject } from "../api/meta.ts";
import { agentLease } from "../api/names.ts";
import type { Clock } from "../clock.ts";
import { Store } from "../cluster/index.ts";
import { type KubeClient, type Resource, resources } from "../cluster/kube.ts";
import { Reflector } from "../cluster/reflector.ts";
import type { Log } from "../log.ts";
import { holdingOf } from "../model/holding.ts";
import { nodePortsOf } from "../model/nodeports/overview.ts";
import { isPlaceholder } from "../model/nodeports/placeholders.ts";
import { shareService } from "./share-service.ts";
import { SharedValues } from "./shared-values.ts";
import {
	hasReadyEndpoint,
	serviceOf,
	trimLabels,
	trimLease,
	trimManaged,
	trimNode,
	trimService,
	trimServiceCIDR,
	trimSlice,
} from "./trim.ts";

export interface CachesOptions {
	client: KubeClient;
	/** Fairlead's own. */
	namespace: string;
	clock: Clock;
	random: () => number;
	log: Log;
}

/** What the controller knows of the cluster, kept true by one watch per kind. */
export class Caches {
	readonly services: Store<Service>;
	readonly nodes: Store<Node>;
	readonly slices: Store<EndpointSlice>;
	readonly namespaces: Store<KubeObject>;
	readonly classes: Store<BalancerClass>;
	readonly pools: Store<AddressPool>;
	/** Empty where the kind is not installed. */
	readonly reservations: Store<AddressReservation>;
	/** Empty where the kind is not installed. */
	readonly nodePortPools: Store<NodePortPool>;
	/** Empty where the kind is not installed. */
	readonly policies: Store<ExternalIPPolicy>;
	/** Empty where the API server has no such kind (before 1.33). */
	readonly serviceCIDRs: Store<ServiceCIDR>;
	/** The agents'. */
	readonly agentLeases: Store<Lease>;
	readonly #reflectors = new Map<string, Reflector<KubeObject>>();
	readonly #options: CachesOptions;
	/** Thousands of Services keep the text of the same class: one copy does. */
	readonly #configs = new WeakMap<BalancerClass, string>();

	constructor(options: CachesOptions) {
		this.#options = options;
		const shared = new SharedValues();
		this.services = this.#cache<Service>(resources.services, (service) =>
			shareService(trimService(service), shared),
		);
		this.nodes = this.#cache(resources.nodes, trimNode);
		this.slices = this.#cache(resources.endpointSlices, trimSlice);
		this.namespaces = this.#cache(resources.namespaces, trimLabels);
		this.classes = this.#cache<BalancerClass>(resources.balancerClasses);
		this.pools = this.#cache<AddressPool>(resources.addressPools);
		this.reservations = this.#cache<AddressReservation>(
			resources.addressReservations,
			trimManaged,
			"Optional",
		);
		this.nodePortPools = this.#cache<NodePortPool>(
			resources.nodePortPools,
			trimManaged,
			"Optional",
		);
		this.policies = this.#cache(
			resources.externalIPPolicies,
			trimManaged,
			"Dispensable",
		);
		this.serviceCIDRs = this.#cache(
			resources.serviceCIDRs,
			trimServiceCIDR,
			"Optional",
		);
		this.agentLeases = this.#cache<Lease>(
			resources.leases,
			trimLease,
			"Required",
			this.#agentLeases(),
		);
		this.slices.addIndex("service", (slice) => {
			const service = serviceOf(slice);
			return service === undefined ? [] : [service];
		});
		this.services.addIndex("balanced", (service) =>
			service.spec.type === "LoadBalancer" ? ["yes"] : [],
		);
		this.services.addIndex("balanced in", ({ spec, metadata }) =>
			spec.type === "LoadBalancer" ? [metadata.namespace ?? ""] : [],
		);
		this.services.addIndex("node port", (service) =>
			nodePortsOf(service).map(String),
		);
		this.services.addIndex("node port placeholder", (service) =>
			isPlaceholder(service) ? ["yes"] : [],
		);
		this.services.addIndex("holder", (service) => {
			const holding = holdingOf(service);
			return holding ? [holding.className] : [];
		});
	}

	start(): void {
		for (const reflector of this.#reflectors.values()) reflector.start();
	}

	async stop(): Promise<void> {
		await Promise.all(
			[...this.#reflectors.values()].map((reflector) => reflector.stop()),
		);
	}

	/**
	 * Resolves when all is known that decides who gets what, as it stands now or later. A watch that has died without a word
	 * looks like one of a quiet cluster: who takes over must not believe it, or it gives away what the leader before it
	 * recorded, or what was reserved since. What is still being read for the first time is new enough.
	 */
	async refresh(): Promise<void> {
		const { endpointSlices, leases } = resources;
		// Many, and they give nobody anything: their watchdogs may find out.
		const late: string[] = [endpointSlices.plural, leases.plural];
		await Promise.all(
			[...this.#reflectors].map(([plural, reflector]) =>
				reflector.isAnswered && !late.includes(plural)
					? reflector.refresh()
					: reflector.answered,
			),
		);
	}

	/** One line for each kind that somebody waits for: why it has not been read. */
	awaited(): string[] {
		return [...this.#reflectors.values()].flatMap(
			({ awaited }) => awaited ?? [],
		);
	}

	/** One line for each kind that cannot be kept true at present. */
	problems(): string[] {
		return [...this.#reflectors.values()]
			.map((reflector) => reflector.healthy())
			.filter((health) => !health.ok)
			.map((health) => health.reason);
	}

	/** Whether the API server knows the kind of externalIPPolicies. */
	get knowsPolicies(): boolean {
		const { plural } = resources.externalIPPolicies;
		return this.#reflectors.get(plural)?.absent === false;
	}

	/** The agents' Leases as they stand at the API server. */
	async askForAgentLeases(): Promise<Lease[]> {
		const { items } = await this.#options.client.list<Lease>(
			resources.leases,
			this.#agentLeases(),
		);
		return items;
	}

	/** The spec of a BalancerClass as text; undefined when there is no such class. */
	configOf(className: string): string | undefined {
		const found = this.classes.get(className);
		if (!found) return undefined;
		let config = this.#configs.get(found);
		if (config === undefined) {
			config = JSON.stringify(found.spec);
			this.#configs.set(found, config);
		}
		return config;
	}

	hasReadyEndpoints(serviceKey: string): boolean {
		return this.slices.byIndex("service", serviceKey).some(hasReadyEndpoint);
	}

	#agentLeases(): { namespace: string; labelSelector: string } {
		const { label, labelValue } = agentLease;
		const labelSelector = `${label}=${labelValue}`;
		return { namespace: this.#options.namespace, labelSelector };
	}

	/**
	 * `Optional`: a cluster may do without the kind, which is then as if there were no objects of it. So it is not where the
	 * kind is there and may not be read, for what it holds back would be given away; but for a `Dispensable` one, that
	 * nothing is decided by.
	 */
	#cache<T extends KubeObject>(
		resource: Resource,
		trim?: (object: T) => T,
		need: "Required" | "Optional" | "Dispensable" = "Required",
		scope: { namespace?: string; labelSelector?: string } = {},
	): Store<T> {
		const { client, clock, random } = this.#options;
		const { log } = this.#options;
		const store = new Store<T>({
			clock,
			log: log.child({ resource: resource.plural }),
			...(trim ? { trim } : {}),
		});
		this.#reflectors.set(
			resource.plural,
			new Reflector<T>({
				client,
				resource,
				store,
				...scope,
				clock,
				random,
				log,
				eager: true,
				optional: need !== "Required",
				dispensable: need === "Dispensable",
			}) as unknown as Reflector<KubeObject>,
		);
		return store;
	}
}

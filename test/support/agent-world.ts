import { Registry } from "prom-client";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import type { AgentStores } from "../../operator/agent/stores.ts";
import type { EndpointSlice, Node, Service } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { Store } from "../../operator/cluster/index.ts";
import { FakeBackend } from "./fake-backend.ts";
import { FakeClock } from "./fake-clock.ts";
import { quietLog } from "./quiet-log.ts";

/** What agents live from, fed by hand: caches, a clock that stands still, a backend without a kernel. */
export class AgentWorld {
	readonly clock = new FakeClock();
	readonly log = quietLog();
	readonly registry = new Registry();
	readonly metrics = agentMetrics(this.registry);
	readonly backend = new FakeBackend();
	readonly stores: AgentStores & {
		services: Store<Service>;
		endpointSlices: Store<EndpointSlice>;
		nodes: Store<Node>;
	};
	#version = 100;
	#listed: () => void = () => {};

	constructor() {
		const store = <T extends KubeObject>() =>
			new Store<T>({ clock: this.clock, log: this.log });
		this.stores = {
			services: store<Service>(),
			endpointSlices: store<EndpointSlice>(),
			nodes: store<Node>(),
			synced: new Promise<void>((resolve) => {
				this.#listed = resolve;
			}),
			problems: () => [],
		};
	}

	/** Every list is complete, with what was put before. */
	async listed(): Promise<void> {
		this.#listed();
		await this.clock.advance(0);
	}

	/** An object comes or changes, as a watch tells it; returns its resourceVersion. */
	put(object: Service | EndpointSlice | Node): string {
		const resourceVersion = String(++this.#version);
		const stored = {
			...object,
			metadata: { ...object.metadata, resourceVersion },
		};
		this.#storeOf(object).put(stored);
		return resourceVersion;
	}

	remove(object: Service | EndpointSlice | Node): void {
		const resourceVersion = String(++this.#version);
		this.#storeOf(object).remove({
			...object,
			metadata: { ...object.metadata, resourceVersion },
		});
	}

	#storeOf(object: KubeObject): Store<KubeObject> {
		const { services, endpointSlices, nodes } = this.stores;
		const store =
			"addressType" in object
				? endpointSlices
				: object.metadata.namespace
					? services
					: nodes;
		return store as unknown as Store<KubeObject>;
	}
}

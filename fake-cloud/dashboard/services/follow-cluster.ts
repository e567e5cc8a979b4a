import type { EndpointSlice, Service } from "../../../operator/api/core.ts";
import type { KubeObject } from "../../../operator/api/meta.ts";
import type { Clock } from "../../../operator/clock.ts";
import { Store } from "../../../operator/cluster/index.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../../operator/cluster/kube.ts";
import { Reflector } from "../../../operator/cluster/reflector.ts";
import type { Log } from "../../../operator/log.ts";
import { ServiceFeed } from "./service-feed.ts";

/** Watches a cluster's Services for the dashboard; for those who have no caches of their own. */
export function followCluster(options: {
	client: Pick<KubeClient, "list" | "watch">;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}): { feed: ServiceFeed; stop(): Promise<void> } {
	const { clock, log } = options;
	const reflectors: { start(): void; stop(): Promise<void> }[] = [];
	const cache = <T extends KubeObject>(resource: Resource): Store<T> => {
		const store = new Store<T>({ clock, log });
		reflectors.push(new Reflector<T>({ ...options, resource, store }));
		return store;
	};
	const feed = new ServiceFeed({
		clock,
		services: cache<Service>(resources.services),
		slices: cache<EndpointSlice>(resources.endpointSlices),
	});
	for (const reflector of reflectors) reflector.start();
	return {
		feed,
		async stop() {
			await Promise.all(reflectors.map((reflector) => reflector.stop()));
			feed.close();
		},
	};
}

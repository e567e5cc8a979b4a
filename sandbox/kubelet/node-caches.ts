import type {
	ConfigMap,
	Pod,
	Secret,
	Service,
} from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import type { Clock } from "../../operator/clock.ts";
import { Store } from "../../operator/cluster/index.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { Reflector } from "../../operator/cluster/reflector.ts";
import type { Log } from "../../operator/log.ts";

/** What all kubelets of the sandbox read, once for all of them. */
export interface NodeCaches {
	pods: Store<Pod>;
	services: Store<Service>;
	configMaps: Store<ConfigMap>;
	secrets: Store<Secret>;
	/** Resolves when every store is complete. */
	synced: Promise<void>;
	stop(): Promise<void>;
}

/** Starts to keep the caches; they go on through any trouble of the API server. */
export function startNodeCaches(options: {
	client: KubeClient;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}): NodeCaches {
	const { clock, log } = options;
	const reflectors: { synced: Promise<void>; stop(): Promise<void> }[] = [];
	const cache = <T extends KubeObject>(resource: Resource): Store<T> => {
		const store = new Store<T>({ clock, log });
		const reflector = new Reflector<T>({ ...options, resource, store });
		reflector.start();
		reflectors.push(reflector);
		return store;
	};
	return {
		pods: cache<Pod>(resources.pods),
		services: cache<Service>(resources.services),
		configMaps: cache<ConfigMap>(resources.configMaps),
		secrets: cache<Secret>(resources.secrets),
		synced: Promise.all(reflectors.map(({ synced }) => synced)).then(() => {}),
		async stop() {
			await Promise.all(reflectors.map((each) => each.stop()));
		},
	};
}

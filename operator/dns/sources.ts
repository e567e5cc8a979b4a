import type { EndpointSlice, Service } from "../api/core.ts";
import type { KubeObject, ObjectMeta } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import { Store } from "../cluster/index.ts";
import { type KubeClient, type Resource, resources } from "../cluster/kube.ts";
import { Reflector } from "../cluster/reflector.ts";
import type { Log } from "../log.ts";
import type { DnsStores } from "./service-index.ts";

/** Caches that somebody keeps true. */
export interface DnsSource extends DnsStores {
	/** Resolves when every cache has been complete once. */
	readonly synced: Promise<void>;
}

export interface WatchOptions {
	client: Pick<KubeClient, "list" | "watch">;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

/** Starts a watch for each kind that DNS tells of. `stop` resolves when none is open any more. */
export function watchCluster({
	client,
	clock,
	random,
	log,
}: WatchOptions): DnsSource & { stop(): Promise<void> } {
	const reflectors: Pick<Reflector<KubeObject>, "start" | "stop" | "synced">[] =
		[];
	const cache = <T extends KubeObject>(
		resource: Resource,
		trim: (object: T) => T,
	): Store<T> => {
		const store = new Store<T>({
			clock,
			log: log.child({ resource: resource.plural }),
			trim,
		});
		reflectors.push(
			new Reflector<T>({ client, resource, store, clock, random, log }),
		);
		return store;
	};
	const stores = {
		services: cache(resources.services, trimService),
		endpointSlices: cache(resources.endpointSlices, trimSlice),
		namespaces: cache<KubeObject>(resources.namespaces, ({ metadata }) => ({
			metadata: identity(metadata),
		})),
	};
	for (const reflector of reflectors) reflector.start();
	return {
		...stores,
		synced: Promise.all(reflectors.map(({ synced }) => synced)).then(() => {}),
		async stop() {
			await Promise.all(reflectors.map((reflector) => reflector.stop()));
		},
	};
}

/** What DNS tells of a Service; in a large cluster the rest is most of the memory. */
export function trimService({ metadata, spec, status }: Service): Service {
	const { type, clusterIP, clusterIPs, ports, externalName } = spec;
	const { publishNotReadyAddresses } = spec;
	const ingress = status?.loadBalancer?.ingress;
	return {
		metadata: identity(metadata),
		spec: {
			...(type === undefined ? {} : { type }),
			...(clusterIP === undefined ? {} : { clusterIP }),
			...(clusterIPs === undefined ? {} : { clusterIPs }),
			...(externalName === undefined ? {} : { externalName }),
			...(publishNotReadyAddresses ? { publishNotReadyAddresses } : {}),
			...(ports === undefined
				? {}
				: {
						ports: ports.map(({ name, protocol, port }) => ({
							...(name === undefined ? {} : { name }),
							...(protocol === undefined ? {} : { protocol }),
							port,
						})),
					}),
		},
		...(ingress === undefined ? {} : { status: { loadBalancer: { ingress } } }),
	};
}

const serviceNameLabel = "kubernetes.io/service-name";

/** What DNS tells of endpoints. */
export function trimSlice(slice: EndpointSlice): EndpointSlice {
	const { metadata, addressType, endpoints = [], ports = [] } = slice;
	const service = metadata.labels?.[serviceNameLabel];
	return {
		metadata: {
			...identity(metadata),
			...(service === undefined
				? {}
				: { labels: { [serviceNameLabel]: service } }),
		},
		addressType,
		endpoints: endpoints.map(({ addresses, conditions, hostname }) => ({
			addresses,
			...(conditions?.ready === undefined
				? {}
				: { conditions: { ready: conditions.ready } }),
			...(hostname ? { hostname } : {}),
		})),
		ports,
	};
}

function identity(metadata: ObjectMeta): ObjectMeta {
	const { name, namespace, uid, resourceVersion } = metadata;
	return {
		name,
		...(namespace === undefined ? {} : { namespace }),
		...(uid === undefined ? {} : { uid }),
		...(resourceVersion === undefined ? {} : { resourceVersion }),
	};
}

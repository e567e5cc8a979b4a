import type { EndpointSlice } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import type { Store } from "../../operator/cluster/index.ts";
import { type Resource, resources } from "../../operator/cluster/kube.ts";
import type { Endpoints } from "../objects.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	startLoop,
} from "./loop.ts";
import { mergeDiff } from "./merge-diff.ts";
import { familyOf } from "./service-endpoints.ts";

const namespace = "default";
const name = "kubernetes";
const key = `${namespace}/${name}`;

/** Where nodes and pods reach the API server. */
export interface ApiServerAddress {
	address: string;
	port: number;
}

/** Leads the Service `kubernetes` to the API server, as the API server itself does elsewhere. */
export function startKubernetesService(
	options: ControllerOptions & { apiServer: ApiServerAddress },
): Loop {
	const { client, stores, apiServer } = options;
	const { endpoints, slice } = leadTo(apiServer);

	const watch = (enqueue: Enqueue) => {
		const hear = ({ object }: { object: KubeObject }) => {
			if (
				object.metadata.name === name &&
				object.metadata.namespace === namespace
			)
				enqueue(key);
		};
		enqueue(key);
		return [
			follow(stores.endpoints, hear),
			follow(stores.endpointSlices, hear),
		];
	};

	async function sync(): Promise<void> {
		await keep(resources.endpoints, stores.endpoints, endpoints);
		await keep(resources.endpointSlices, stores.endpointSlices, slice);
	}

	async function keep<T extends KubeObject>(
		resource: Resource,
		store: Store<T>,
		wanted: T,
	): Promise<void> {
		const present = store.get(key);
		if (!present) return store.apply(await client.create(resource, wanted));
		const { metadata, ...rest } = wanted;
		const labels = { ...present.metadata.labels, ...metadata.labels };
		const body = mergeDiff(present, {
			...present,
			...rest,
			metadata: { ...present.metadata, labels },
		});
		if (body)
			store.apply(
				await client.patch<T>(
					resource,
					{ namespace, name },
					{ type: "merge", body },
				),
			);
	}

	return startLoop("kubernetes-service", options, { watch, sync });
}

/** As pkg/controlplane/reconcilers makes them. */
function leadTo({ address, port }: ApiServerAddress): {
	endpoints: Endpoints;
	slice: EndpointSlice;
} {
	const ports = [{ name: "https", port, protocol: "TCP" as const }];
	return {
		endpoints: {
			metadata: {
				name,
				namespace,
				labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
			},
			subsets: [{ addresses: [{ ip: address }], ports }],
		},
		slice: {
			metadata: {
				name,
				namespace,
				labels: { "kubernetes.io/service-name": name },
			},
			addressType: familyOf(address),
			endpoints: [{ addresses: [address], conditions: { ready: true } }],
			ports,
		},
	};
}

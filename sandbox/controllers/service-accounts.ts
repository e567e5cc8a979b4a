import type { KubeObject } from "../../operator/api/meta.ts";
import { type Resource, resources } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { ConfigMap } from "../objects.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	startLoop,
} from "./loop.ts";
import { sameMeaning } from "./merge-diff.ts";

const accountName = "default";
const configMapName = "kube-root-ca.crt";

/**
 * Gives every namespace what pods in it expect: the ServiceAccount `default` and, in ConfigMap kube-root-ca.crt, the
 * authority that signed the API server's certificate.
 */
export function startServiceAccounts(
	options: ControllerOptions & { /** PEM. */ rootCa: string },
): Loop {
	const { client, stores, rootCa } = options;
	const { namespaces, serviceAccounts, configMaps } = stores;
	const data = { "ca.crt": rootCa };

	const watch = (enqueue: Enqueue) => [
		follow(namespaces, ({ object }) => enqueue(object.metadata.name)),
		follow(serviceAccounts, ({ object: { metadata } }) => {
			if (metadata.name === accountName) enqueue(metadata.namespace ?? "");
		}),
		follow(configMaps, ({ object: { metadata } }) => {
			if (metadata.name === configMapName) enqueue(metadata.namespace ?? "");
		}),
	];

	async function sync(namespace: string): Promise<void> {
		const home = namespaces.get(namespace);
		if (!home || home.metadata.deletionTimestamp !== undefined) return;
		if (!serviceAccounts.has(`${namespace}/${accountName}`))
			serviceAccounts.apply(
				await ensure(resources.serviceAccounts, {
					metadata: { name: accountName, namespace },
				}),
			);
		const present = configMaps.get(`${namespace}/${configMapName}`);
		if (!present)
			configMaps.apply(
				await ensure<ConfigMap>(resources.configMaps, {
					metadata: {
						name: configMapName,
						namespace,
						annotations: {
							"kubernetes.io/description":
								"Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
						},
					},
					data,
				}),
			);
		else if (!sameMeaning(present.data, data))
			configMaps.apply(
				await client.patch<ConfigMap>(
					resources.configMaps,
					{ namespace, name: configMapName },
					{ type: "json", body: [{ op: "add", path: "/data", value: data }] },
				),
			);
	}

	/** Creates it, or reads what is there under its name. */
	async function ensure<T extends KubeObject>(
		resource: Resource,
		object: T,
	): Promise<T> {
		try {
			return await client.create<T>(resource, object);
		} catch (error) {
			if (!isFairleadError(error) || error.reason !== "AlreadyExists")
				throw error;
			const { name, namespace = "" } = object.metadata;
			return client.get<T>(resource, { namespace, name });
		}
	}

	return startLoop("serviceaccount", options, { watch, sync });
}

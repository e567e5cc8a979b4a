import type { KubeObject } from "../api/meta.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";

/**
 * What tells this cluster's balancers from another's in the same cloud project: as configured, else the UID of namespace
 * kube-system, which lives as long as the cluster.
 */
export async function clusterId(
	client: KubeClient,
	configured: string | undefined,
): Promise<string> {
	if (configured !== undefined) return configured;
	const namespace = await client.get<KubeObject>(resources.namespaces, {
		name: "kube-system",
	});
	return namespace.metadata.uid ?? "";
}

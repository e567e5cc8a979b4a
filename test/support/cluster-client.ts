import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import type { Cluster } from "./cluster.ts";
import { quietLog } from "./quiet-log.ts";

/** Our own client, as the cluster's admin. */
export async function clusterClient(cluster: Cluster): Promise<KubeClient> {
	const log = quietLog();
	const clock = systemClock;
	return createKubeClient(
		await loadConnection({ path: cluster.kubeconfigPath, clock, log }),
		{ clock, log, userAgent: "fairlead-test" },
	);
}

import type { KubeconfigSources } from "../operator/cluster/kubeconfig.ts";
import type { Log } from "../operator/log.ts";
import type { Runtime } from "./runtime.ts";

/** Where a Pod finds its service account, by the kubelet's convention. */
const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Where a command looks for its API server: flags, then environment, then home, then the Pod it runs in. */
export function connectionSources(
	flags: { kubeconfig?: string | undefined; context?: string | undefined },
	{ clock, env, home }: Runtime,
	log: Log,
): KubeconfigSources {
	const { KUBECONFIG, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } = env;
	return {
		clock,
		log,
		home,
		...(flags.kubeconfig ? { path: flags.kubeconfig } : {}),
		...(flags.context ? { context: flags.context } : {}),
		...(KUBECONFIG ? { list: KUBECONFIG } : {}),
		...(KUBERNETES_SERVICE_HOST
			? {
					inCluster: {
						host: KUBERNETES_SERVICE_HOST,
						port: KUBERNETES_SERVICE_PORT ?? "443",
						directory: serviceAccountFolder,
					},
				}
			: {}),
	};
}

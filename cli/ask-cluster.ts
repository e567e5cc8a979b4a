import { createKubeClient } from "../operator/cluster/client.ts";
import type { KubeClient } from "../operator/cluster/kube.ts";
import { loadConnection } from "../operator/cluster/kubeconfig.ts";
import { connectionSources } from "./kube.ts";
import type { Runtime } from "./runtime.ts";

/** Runs `ask` with a client that lives as long as it does. */
export async function askCluster<T>(
	flags: { kubeconfig?: string | undefined; context?: string | undefined },
	runtime: Runtime,
	userAgent: string,
	ask: (client: KubeClient) => Promise<T>,
): Promise<T> {
	const log = await runtime.createLog("warn");
	const client = createKubeClient(
		await loadConnection(connectionSources(flags, runtime, log)),
		{ clock: runtime.clock, log, userAgent },
	);
	try {
		return await ask(client);
	} finally {
		client.close();
	}
}

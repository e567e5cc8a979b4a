import { createKubeClient } from "../operator/cluster/client.ts";
import type { KubeClient } from "../operator/cluster/kube.ts";
import { loadConnection } from "../operator/cluster/kubeconfig.ts";
import { clusterFailure } from "./cluster-failure.ts";
import { connectionSources } from "./kube.ts";
import type { Runtime } from "./runtime.ts";

/** Runs `ask` with a client that lives as long as it does; what fails names the server and what to do. */
export async function askCluster<T>(
	flags: { kubeconfig?: string | undefined; context?: string | undefined },
	runtime: Runtime,
	userAgent: string,
	ask: (client: KubeClient) => Promise<T>,
): Promise<T> {
	const log = await runtime.createLog("warn");
	const connection = await loadConnection(
		connectionSources(flags, runtime, log),
	);
	const client = createKubeClient(connection, {
		clock: runtime.clock,
		log,
		userAgent,
	});
	try {
		return await ask(client);
	} catch (error) {
		throw clusterFailure(error, connection.server.origin);
	} finally {
		client.close();
	}
}

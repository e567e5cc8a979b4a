import { readdirSync } from "node:fs";
import type { Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { type Cluster, startCluster } from "../../test/support/cluster.ts";
import { quietLog } from "../../test/support/quiet-log.ts";

const crds = new URL("../../crds/", import.meta.url).pathname;
export const namespace = "bench";
export const className = "bench";

export interface BenchCluster {
	cluster: Cluster;
	client: KubeClient;
	close(): Promise<void>;
}

/** A real kube-apiserver with Fairlead's kinds, a class `Static`, a pool of 131,072 addresses and a namespace. */
export async function startBenchCluster(): Promise<BenchCluster> {
	const cluster = await startCluster();
	const apply = async (args: string[], stdin?: string) => {
		const { code, stderr } = await cluster.kubectl(
			args,
			stdin === undefined ? {} : { stdin },
		);
		if (code !== 0) throw new Error(stderr);
	};
	for (const file of readdirSync(crds))
		await apply(["apply", "-f", `${crds}${file}`]);
	await apply(["wait", "--for=condition=Established", "crd", "--all"]);
	await apply(["create", "namespace", namespace]);
	await apply(["create", "namespace", "fairlead-system"]);
	await apply(
		["apply", "-f", "-"],
		JSON.stringify({
			apiVersion: "v1",
			kind: "List",
			items: [
				{
					apiVersion: "fairlead.dev/v1alpha1",
					kind: "BalancerClass",
					metadata: { name: className },
					spec: { provider: "Static" },
				},
				{
					apiVersion: "fairlead.dev/v1alpha1",
					kind: "AddressPool",
					metadata: { name: className },
					spec: { addresses: ["198.18.0.0/15"] },
				},
			],
		}),
	);
	const log = quietLog();
	const client = createKubeClient(
		await loadConnection({
			path: cluster.kubeconfigPath,
			clock: systemClock,
			log,
		}),
		{ clock: systemClock, log, userAgent: "fairlead-bench", maxSockets: 32 },
	);
	return {
		cluster,
		client,
		async close() {
			client.close();
			await cluster.stop();
		},
	};
}

/** A Service with two ports and no NodePorts, which would run out at 1,384. */
export function benchService(name: string, loadBalancerClass: string): Service {
	return {
		metadata: { namespace, name },
		spec: {
			type: "LoadBalancer",
			loadBalancerClass,
			allocateLoadBalancerNodePorts: false,
			selector: { app: name },
			ports: [
				{ name: "http", port: 80, targetPort: 8080 },
				{ name: "https", port: 443, targetPort: 8443 },
			],
		},
	};
}

/** Creates `count` Services over 16 connections. */
export async function createServices(
	client: KubeClient,
	prefix: string,
	count: number,
	loadBalancerClass: string,
): Promise<void> {
	await inParallel(16, count, async (index) => {
		await client.create(
			resources.services,
			benchService(`${prefix}${index}`, loadBalancerClass),
		);
	});
}

/** Calls `work` for 0 … count - 1, `lanes` at a time. */
export async function inParallel(
	lanes: number,
	count: number,
	work: (index: number) => Promise<void>,
): Promise<void> {
	let next = 0;
	await Promise.all(
		Array.from({ length: lanes }, async () => {
			while (next < count) await work(next++);
		}),
	);
}

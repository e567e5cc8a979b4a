import { spawnSync } from "node:child_process";
import type { Node } from "../../operator/api/core.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { apiInNamespace } from "./api-in-namespace.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { clusterClient } from "./cluster-client.ts";
import {
	type KubeProxy,
	type KubeProxyOptions,
	startKubeProxy,
} from "./kube-proxy.ts";
import { createPacketWorld, type PacketWorld } from "./packet-world.ts";

/** A real API server and a packet world whose node a real kube-proxy serves. */
export interface BesideKubeProxy {
	cluster: Cluster;
	client: KubeClient;
	world: PacketWorld;
	kubeProxy: KubeProxy;
	/** Runs nft on the node, and throws what it complains of. */
	nft: (...args: string[]) => string;
	/** The same for any other program, as `iptables`. */
	onNode: (program: string, ...args: string[]) => string;
	close(): Promise<void>;
}

export const nodeName = "node-1";
export const podCidrs = ["10.244.0.0/16", "2001:db8:244::/48"];

export async function besideKubeProxy({
	mode = "nftables",
}: Pick<KubeProxyOptions, "mode"> = {}): Promise<BesideKubeProxy> {
	const closers: (() => unknown)[] = [];
	const close = async () => {
		for (const each of closers.splice(0).reverse()) await each();
	};
	try {
		const cluster = await startCluster({ dualStack: true });
		closers.push(() => cluster.stop());
		const client = await clusterClient(cluster);
		closers.push(() => client.close());
		const { code, stderr } = await cluster.kubectl(
			"create namespace fairlead-system".split(" "),
		);
		if (code !== 0) throw new Error(stderr);
		const world = await createPacketWorld();
		closers.push(() => world.close());
		const namespace = world.namespaceOf("node");
		const api = await apiInNamespace(namespace, cluster.server);
		closers.push(() => api.close());
		await client.create<Node>(resources.nodes, {
			apiVersion: "v1",
			kind: "Node",
			metadata: { name: nodeName },
			spec: { podCIDRs: ["10.244.1.0/24", "2001:db8:244:1::/64"] },
			status: {
				addresses: (["IPv4", "IPv6"] as const).map((family) => ({
					type: "InternalIP",
					address: world.addressOf("node", family),
				})),
			},
		});
		const kubeProxy = startKubeProxy({
			namespace,
			node: nodeName,
			kubeconfig: cluster.kubeconfigPath,
			clusterCidrs: podCidrs,
			mode,
			// It would repair in passing what a test has damaged.
			args: ["--iptables-sync-period=1h"],
		});
		closers.push(() => kubeProxy.kill());
		await kubeProxy.synced;
		const onNode = (program: string, ...args: string[]): string => {
			const { status, stdout, stderr } = namespace.run(() =>
				spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26 }),
			);
			if (status !== 0)
				throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
			return stdout;
		};
		return {
			cluster,
			client,
			world,
			kubeProxy,
			nft: (...args) => onNode("nft", ...args),
			onNode,
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}

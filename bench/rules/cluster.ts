import type { EndpointSlice, Node, Service } from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import {
	type BenchCluster,
	inParallel,
	startBenchCluster,
} from "../controller/cluster.ts";
import { nodeAddress, nodeName } from "./node.ts";
import { benchService, benchSlice, namespace } from "./objects.ts";
import { clusterCidr } from "./proxies.ts";
import type { SyncWorld } from "./sync.ts";

/** A real kube-apiserver with one Node and as many Services as were asked for so far. */
export class RulesCluster implements SyncWorld {
	readonly services: Service[] = [];
	readonly #bench: BenchCluster;

	private constructor(bench: BenchCluster) {
		this.#bench = bench;
	}

	static async start(): Promise<RulesCluster> {
		const bench = await startBenchCluster();
		const { client } = bench;
		await client.create<Node>(resources.nodes, {
			apiVersion: "v1",
			kind: "Node",
			metadata: { name: nodeName },
			spec: { podCIDRs: [clusterCidr] },
		});
		await client.patch<Node>(
			resources.nodes,
			{ name: nodeName, subresource: "status" },
			{
				type: "merge",
				body: {
					status: {
						addresses: [{ type: "InternalIP", address: nodeAddress }],
					},
				},
			},
		);
		return new RulesCluster(bench);
	}

	get server(): string {
		return this.#bench.cluster.server;
	}

	get kubeconfigPath(): string {
		return this.#bench.cluster.kubeconfigPath;
	}

	get client(): BenchCluster["client"] {
		return this.#bench.client;
	}

	/** Services and their slices, until there are `count`. */
	async grow(count: number): Promise<void> {
		const first = this.services.length;
		await inParallel(16, count - first, async (at) => {
			const index = first + at;
			this.services[index] = await this.client.create<Service>(
				resources.services,
				benchService(index),
			);
			await this.client.create<EndpointSlice>(
				resources.endpointSlices,
				benchSlice(index),
			);
		});
	}

	/** Gives a Service other endpoints than its own; none: its own again. */
	async endpoints(index: number, addresses?: readonly string[]): Promise<void> {
		const { metadata, endpoints } = benchSlice(index, addresses);
		await this.client.patch<EndpointSlice>(
			resources.endpointSlices,
			{ namespace, name: metadata.name },
			{ type: "merge", body: { endpoints } },
		);
	}

	close(): Promise<void> {
		return this.#bench.close();
	}
}

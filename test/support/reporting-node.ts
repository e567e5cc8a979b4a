import { Registry } from "prom-client";
import { type Agent, startAgent } from "../../operator/agent/agent.ts";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import { startAgentStores } from "../../operator/agent/stores.ts";
import type { Node } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import type { Cluster } from "./cluster.ts";
import { FakeBackend } from "./fake-backend.ts";
import { quietLog } from "./quiet-log.ts";

/** A client of the cluster's admin. */
export function adminClient(cluster: Cluster, userAgent = "test"): KubeClient {
	return createKubeClient(
		{
			server: new URL(cluster.server),
			ca: cluster.ca,
			insecureSkipTlsVerify: false,
			disableCompression: true,
			headers: {},
			namespace: "default",
			credentials: () =>
				Promise.resolve({ authorization: `Bearer ${cluster.adminToken}` }),
		},
		{ clock: systemClock, log: quietLog(), userAgent },
	);
}

/** A Node that is ready, and its agent, which keeps its rules in memory and its Lease at the API server. */
export class ReportingNode {
	readonly name: string;
	readonly backend: FakeBackend;
	readonly agent: Agent;
	readonly #stop: () => Promise<void>;

	private constructor(
		name: string,
		backend: FakeBackend,
		agent: Agent,
		stop: () => Promise<void>,
	) {
		this.name = name;
		this.backend = backend;
		this.agent = agent;
		this.#stop = stop;
	}

	static async start(cluster: Cluster, name: string): Promise<ReportingNode> {
		const client = adminClient(cluster, "fairlead-agent");
		const node = await client.create<Node>(resources.nodes, {
			apiVersion: "v1",
			kind: "Node",
			metadata: { name },
		});
		await client.patch(
			resources.nodes,
			{ name, subresource: "status" },
			{
				type: "merge",
				body: {
					metadata: { uid: node.metadata.uid },
					status: { conditions: [{ type: "Ready", status: "True" }] },
				},
			},
		);
		const common = {
			clock: systemClock,
			random: Math.random,
			log: quietLog(),
		};
		const stores = startAgentStores({ client, node: name, ...common });
		const backend = new FakeBackend();
		const agent = await startAgent({
			node: name,
			stores,
			backend,
			metrics: agentMetrics(new Registry()),
			lease: { client, namespace: "fairlead-system", instance: `test-${name}` },
			...common,
		});
		return new ReportingNode(name, backend, agent, async () => {
			agent.stop();
			await stores.stop();
			client.close();
		});
	}

	/** Whether its rules carry this address and port. */
	carries(address: string, port = 80): boolean {
		return [...this.agent.program.frontends.values()].some(
			(each) => each.address === address && each.port === port,
		);
	}

	stop(): Promise<void> {
		return this.#stop();
	}
}

import { type Agent, startAgent } from "../operator/agent/agent.ts";
import { incidentEvents } from "../operator/agent/incident-events.ts";
import type { AgentMetrics } from "../operator/agent/metrics.ts";
import { NodePortFactsReader } from "../operator/agent/ports/node-port-facts.ts";
import { UserspaceBackend } from "../operator/agent/rules/userspace-backend.ts";
import type { Clock } from "../operator/clock.ts";
import type { EventRecorder } from "../operator/cluster/events.ts";
import type { KubeClient } from "../operator/cluster/kube.ts";
import { NftablesBackend } from "../operator/kernel/nftables/backend.ts";
import { listenIn } from "../operator/kernel/sockets.ts";
import type { Log } from "../operator/log.ts";
import { defaultNodePortRange } from "../operator/model/nodeports/port-range.ts";
import { dnsAddress } from "./cluster-objects.ts";
import { Kubelet } from "./kubelet/kubelet.ts";
import type { Network, NodeNetwork } from "./network/network.ts";
import { podsOn } from "./pods-on.ts";
import type { Stores } from "./stores.ts";

export interface MachineOptions {
	number: number;
	network: Network;
	/** Makes the cloud's server of that name and address, and gives its id. */
	createServer: (name: string, address: string) => Promise<number>;
	client: KubeClient;
	stores: Stores;
	/** Of what pods run. */
	path: string;
	nodeBinary: string;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Where agents keep their Leases. */
	namespace: string;
	/** For the agents of all nodes. */
	agents: KubeClient;
	events: EventRecorder;
	metrics: AgentMetrics;
}

/** One node of the cluster: its network, a server on the cloud, a kubelet and an agent. */
export class Machine {
	readonly network: NodeNetwork;
	readonly kubelet: Kubelet;
	readonly agent: Agent;
	readonly #ports: NodePortFactsReader;

	private constructor(parts: {
		network: NodeNetwork;
		kubelet: Kubelet;
		agent: Agent;
		ports: NodePortFactsReader;
	}) {
		this.network = parts.network;
		this.kubelet = parts.kubelet;
		this.agent = parts.agent;
		this.#ports = parts.ports;
	}

	static async start(options: MachineOptions): Promise<Machine> {
		const { client, stores, clock, random, log, path, nodeBinary } = options;
		const network = options.network.addNode(options.number);
		const { name, address, namespace } = network;
		const backend = namespace
			? new NftablesBackend(namespace)
			: new UserspaceBackend();
		const ports = new NodePortFactsReader({
			...(namespace && { namespace }),
			pods: podsOn(name, stores.pods),
			range: defaultNodePortRange,
			clock,
			log: log.child({ part: "agent", node: name }),
		});
		const agent = await startAgent({
			node: name,
			stores,
			backend,
			...(namespace && {
				listen: (server, at, port) =>
					new Promise((resolve, reject) => {
						server.once("error", reject);
						server.listen({ fd: listenIn(namespace, at, port) }, () =>
							resolve(undefined),
						);
					}),
				healthz: { address: "0.0.0.0", port: 10256 },
			}),
			clock,
			random,
			log: log.child({ part: "agent", node: name }),
			metrics: options.metrics,
			nodePortFacts: ports,
			tell: incidentEvents(name, stores, options.events),
			lease: {
				client: options.agents,
				namespace: options.namespace,
				instance: `sandbox-${name}-${random().toString(36).slice(2)}`,
			},
		});
		let serverId: number;
		try {
			serverId = await options.createServer(name, address);
		} catch (error) {
			agent.stop();
			throw error;
		}
		const kubelet = new Kubelet({
			node: network,
			client,
			caches: stores,
			dns: { address: dnsAddress, zone: "cluster.local" },
			path,
			nodeBinary,
			providerID: `hcloud://${serverId}`,
			clock,
			random,
			log: log.child({ part: "kubelet", node: name }),
		});
		kubelet.start();
		void ports.start();
		return new Machine({ network, kubelet, agent, ports });
	}

	/** Its pods end; its rules go with its network. */
	async stop(): Promise<void> {
		await this.kubelet.stop();
		this.#ports.stop();
		this.agent.stop();
		this.network.remove();
	}
}

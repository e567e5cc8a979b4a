import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { EndpointSlice, Node, Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { listenIn } from "../../operator/kernel/sockets.ts";
import {
	type ApiServer,
	startApiServer,
} from "../../sandbox/apiserver/start.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import type {
	Network,
	NodeNetwork,
	Place,
	PodNetwork,
} from "../../sandbox/network/network.ts";
import { startStores, type Stores } from "../../sandbox/stores.ts";
import { quietLog } from "./quiet-log.ts";

const apiPort = 6443;

/** The sandbox's API server, and nodes with pods in namespaces that reach it; nothing carries Services but what a test starts. */
export class AgentCluster {
	readonly client: KubeClient;
	readonly stores: Stores;
	readonly network: Network;
	readonly nodes: NodeNetwork[] = [];
	/** On each node, a pod that asks. */
	readonly clients: PodNetwork[] = [];
	readonly folder: string;
	/** For processes in the nodes' namespaces. */
	readonly kubeconfig: string;
	readonly log = quietLog();
	readonly #outside: NetworkNamespace;
	readonly #api: ApiServer;
	readonly #servers: Server[] = [];

	private constructor(
		outside: NetworkNamespace,
		network: Network,
		api: ApiServer,
		folder: string,
	) {
		this.#outside = outside;
		this.network = network;
		this.#api = api;
		this.folder = folder;
		this.client = createKubeClient(
			{
				server: new URL(api.url),
				ca: api.ca,
				insecureSkipTlsVerify: false,
				disableCompression: true,
				headers: {},
				namespace: "default",
				credentials: () =>
					Promise.resolve({ authorization: `Bearer ${api.adminToken}` }),
			},
			{ clock: systemClock, log: this.log, userAgent: "test" },
		);
		this.stores = startStores({
			client: this.client,
			clock: systemClock,
			random: Math.random,
			log: this.log,
		});
		this.kubeconfig = join(folder, "kubeconfig");
		writeFileSync(
			this.kubeconfig,
			api
				.kubeconfig()
				.replace(api.url, `https://${network.outside.address}:${apiPort}`),
		);
	}

	static async start(nodes: number): Promise<AgentCluster> {
		const outside = createNetworkNamespace();
		const folder = mkdtempSync(join(tmpdir(), "fairlead-agents-"));
		const network = createNetwork({ mode: "netns", outside, folder });
		const { address } = network.outside;
		const api = await startApiServer({
			host: "127.0.0.1",
			port: 0,
			also: [{ fd: listenIn(outside, address, apiPort) }],
			names: [address],
			clock: systemClock,
			random: (bytes) => randomBytes(bytes),
			log: quietLog(),
		});
		const cluster = new AgentCluster(outside, network, api, folder);
		for (let number = 1; number <= nodes; number++)
			await cluster.#addNode(number);
		return cluster;
	}

	node(number: number): NodeNetwork {
		return this.nodes[number - 1] as NodeNetwork;
	}

	clientOn(number: number): PodNetwork {
		return this.clients[number - 1] as PodNetwork;
	}

	/** A pod on a node that answers every connection with its address and the one it sees; returns its endpoint. */
	async servingPod(number: number): Promise<PodNetwork> {
		const pod = this.node(number).addPod({ hostNetwork: false });
		const server = createServer((socket) => {
			// A client that asks to stay is answered line by line until it goes.
			socket.on("error", () => {});
			socket.on("data", () => socket.write(`${pod.address} still\n`));
			socket.write(`${pod.address} sees ${socket.remoteAddress}\n`);
			socket.on("end", () => socket.end());
		});
		this.#servers.push(server);
		server.listen({
			fd: listenIn(pod.namespace as NetworkNamespace, pod.address, 8080),
		});
		await once(server, "listening");
		return pod;
	}

	/** A Service `default/NAME`, as the API server stored it. */
	service(name: string, spec: Service["spec"]): Promise<Service> {
		return this.client.create<Service>(resources.services, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name, namespace: "default" },
			spec: { ports: [{ name: "http", port: 80, targetPort: 8080 }], ...spec },
		});
	}

	/** Creates or replaces the one slice of a Service; returns its resourceVersion. */
	async endpoints(service: string, pods: Place[]): Promise<string> {
		const name = `${service}-1`;
		const slice: EndpointSlice = {
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: {
				name,
				namespace: "default",
				labels: { "kubernetes.io/service-name": service },
			},
			addressType: "IPv4",
			ports: [{ name: "http", protocol: "TCP", port: 8080 }],
			endpoints: pods.map(({ address }) => ({
				addresses: [address],
				conditions: { ready: true },
				nodeName: `node-${address.split(".")[2]}`,
			})),
		};
		const known = this.stores.endpointSlices.has(`default/${name}`);
		const stored = known
			? await this.client.replace(resources.endpointSlices, slice)
			: await this.client.create(resources.endpointSlices, slice);
		return stored.metadata.resourceVersion ?? "";
	}

	async close(): Promise<void> {
		await this.stores.stop();
		this.client.close();
		await this.#api.close();
		for (const server of this.#servers) server.close();
		await this.network.close();
		this.#outside.close();
		rmSync(this.folder, { recursive: true, force: true });
	}

	async #addNode(number: number): Promise<void> {
		const network = this.network.addNode(number);
		this.nodes.push(network);
		this.clients.push(network.addPod({ hostNetwork: false }));
		const node = await this.client.create<Node>(resources.nodes, {
			apiVersion: "v1",
			kind: "Node",
			metadata: { name: network.name },
			spec: { podCIDRs: [network.podCidr] },
		});
		await this.client.patch<Node>(
			resources.nodes,
			{ name: network.name, subresource: "status" },
			{
				type: "merge",
				body: {
					metadata: { resourceVersion: node.metadata.resourceVersion },
					status: {
						addresses: [{ type: "InternalIP", address: network.address }],
					},
				},
			},
		);
	}
}

/** What a new connection from here hears: `10.244.1.3 sees 10.244.1.2`, or the error's code. */
export async function ask(
	from: Place,
	host: string,
	port: number,
): Promise<string> {
	const socket = from.connect({ host, port });
	socket.once("connect", () => socket.end());
	try {
		return (await text(socket)).trim();
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}

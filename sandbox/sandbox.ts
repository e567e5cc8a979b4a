import { writeFile } from "node:fs/promises";
import type { Server } from "node:net";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { join } from "node:path";
import { Registry } from "prom-client";
import { explainCluster } from "../fake-cloud/dashboard/explain-cluster.ts";
import { ServiceFeed } from "../fake-cloud/dashboard/services/service-feed.ts";
import { startFakeCloud } from "../fake-cloud/server.ts";
import { agentMetrics } from "../operator/agent/metrics.ts";
import type { Clock } from "../operator/clock.ts";
import { createKubeClient } from "../operator/cluster/client.ts";
import { EventRecorder } from "../operator/cluster/events.ts";
import type { KubeClient } from "../operator/cluster/kube.ts";
import { Controller } from "../operator/controller/controller.ts";
import { type DnsServer, startDns } from "../operator/dns/server.ts";
import { bindUdpIn, listenIn } from "../operator/kernel/sockets.ts";
import type { Log } from "../operator/log.ts";
import { type ApiServer, startApiServer } from "./apiserver/start.ts";
import type { Bundled } from "./bundled.ts";
import { ClusterContents } from "./cluster-contents.ts";
import { dnsAddress, ownNamespace, samplePort } from "./cluster-objects.ts";
import { startControllers } from "./controllers/index.ts";
import { servedAddress } from "./served-address.ts";
import type { PodAccess } from "./kubelet/pod-access.ts";
import { podAccess } from "./kubelet/pod-requests.ts";
import { LateAccess } from "./late-access.ts";
import { Machine } from "./machine.ts";
import type { Network, NodeNetwork } from "./network/network.ts";
import { decideBy } from "./network/userspace/rules.ts";
import { UserspaceNetwork } from "./network/userspace/userspace-network.ts";
import { reachInside } from "./reach-inside.ts";
import { startStores } from "./stores.ts";

/** Ports inside the sandbox's own network. */
const inside = { api: 6443, cloud: 8080, dns: 53 };
const zone = "cluster.local";

export interface SandboxOptions {
	nodes: number;
	/** Made for this sandbox, and closed with it. */
	network: Network | UserspaceNetwork;
	/** Already listening on this machine; closed with the sandbox. */
	listeners: { api: Server; cloud: Server; door: Server };
	/** A folder of this sandbox alone, for the kubeconfig. */
	folder: string;
	/** Where objects and the cloud's database are kept; absent: nowhere. */
	dataDir: string | undefined;
	bundled: Bundled;
	/** PATH of what pods run. */
	path: string;
	/** Of this Node.js. */
	nodeBinary: string;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	randomBytes: (count: number) => Buffer;
	log: Log;
}

export interface Sandbox {
	dashboard: string;
	kubeconfigPath: string;
	/** `HOST:PORT` of the SOCKS5 door to everything inside. */
	door: string;
	nodes: readonly NodeNetwork[];
	/** API server, nodes, rules, DNS and dashboard answer. */
	ready: Promise<void>;
	/** The sample Service's ingress address, once a pod answers there. */
	address: Promise<string>;
	close(): Promise<void>;
}

/**
 * A whole cluster in this process: API server, controllers, nodes with kubelets and rules, DNS, the cloud, the controller
 * and a sample Service. Rejects, with everything undone, when a part cannot start.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
	const undo: (() => unknown)[] = [];
	const close = async () => {
		for (const each of undo.splice(0).reverse())
			try {
				await each();
			} catch (err) {
				// What is left must end all the same.
				options.log.error({ err }, "a part of the sandbox did not end well");
			}
	};
	undo.push(() => options.network.close());
	try {
		return { ...(await start(options, undo)), close };
	} catch (error) {
		await close();
		throw error;
	}
}

async function start(
	options: SandboxOptions,
	undo: (() => unknown)[],
): Promise<Omit<Sandbox, "close">> {
	const { network, clock, random, randomBytes, log } = options;
	const { outside } = network;
	const pods = new LateAccess();
	const api = await startApi(options, pods);
	undo.push(() => api.close());
	const clientFor = (userAgent: string): KubeClient => {
		const client = createKubeClient(
			{
				server: outside.namespace
					? new URL(`https://${outside.address}:${inside.api}`)
					: new URL(api.url),
				ca: api.ca,
				insecureSkipTlsVerify: false,
				disableCompression: true,
				headers: {},
				namespace: "default",
				credentials: () =>
					Promise.resolve({ authorization: `Bearer ${api.adminToken}` }),
			},
			{ clock, log, userAgent },
		);
		undo.push(() => client.close());
		return client;
	};
	const client = clientFor("fairlead-sandbox");
	const stores = startStores({ client, clock, random, log });
	undo.push(() => stores.stop());
	const controllers = startControllers({
		client: clientFor("kube-controller-manager"),
		stores,
		clock,
		random,
		log: log.child({ part: "controllers" }),
		rootCa: api.ca,
	});
	undo.push(() => controllers.stop());

	const machines: Machine[] = [];
	pods.become(
		podAccess(stores.pods, () => machines.map(({ kubelet }) => kubelet)),
	);
	const token = randomBytes(24).toString("hex");
	const feed = new ServiceFeed({
		clock,
		services: stores.services,
		slices: stores.endpointSlices,
	});
	undo.push(() => feed.close());
	const dns = await startClusterDns(options, stores);
	undo.push(() => dns.server.close());
	const cloud = await startFakeCloud({
		dataDir: options.dataDir ? join(options.dataDir, "cloud") : ":memory:",
		listeners: {
			api: options.listeners.cloud,
			door: options.listeners.door,
			...(outside.namespace && {
				also: [
					{ fd: listenIn(outside.namespace, outside.address, inside.cloud) },
				],
			}),
		},
		network: {
			connect: (target) => network.cloud.connect(target),
			...(network.cloud.namespace && { namespace: network.cloud.namespace }),
		},
		...(network.cloud.namespace &&
			outside.namespace && {
				kernel: { outside: { namespace: outside.namespace } },
			}),
		dialOther: reachInside({
			outside,
			node: () => machines[0]?.network,
			nameServer: dns.at,
		}),
		explain: explainCluster(client, {
			clock,
			namespace: "fairlead-system",
			controller: { state: "Running", holder: "of the sandbox" },
		}),
		services: feed,
		tokens: [{ token }],
		clock,
		random,
		log: log.child({ part: "cloud" }),
	});
	undo.push(() => cloud.close());
	const kubeconfigPath = join(options.folder, "kubeconfig");
	await writeFile(kubeconfigPath, api.kubeconfig(), { mode: 0o600 });

	const cloudUrl = outside.namespace
		? `http://${outside.address}:${inside.cloud}`
		: cloud.url;
	const cluster = new ClusterContents({
		client,
		cloudUrl,
		token,
		sample: options.bundled.sample,
	});
	const filled = cluster.fill(options.nodes);
	// Awaited below; until then nobody may be told that it failed twice.
	filled.catch(() => {});
	const metrics = agentMetrics(new Registry());
	const kubelets = clientFor("kubelet");
	const agents = clientFor("fairlead-agent");
	const events = new EventRecorder({
		client: agents,
		clock,
		random,
		log,
		instance: "sandbox",
		controller: "fairlead.dev/agent",
	});
	undo.push(() => Promise.all(machines.map((machine) => machine.stop())));
	const started = await Promise.allSettled(
		Array.from({ length: options.nodes }, (_, index) =>
			Machine.start({
				number: index + 1,
				network,
				createServer: (name, address) => cluster.server(name, address),
				client: kubelets,
				stores,
				path: options.path,
				nodeBinary: options.nodeBinary,
				clock,
				random,
				log,
				namespace: ownNamespace,
				agents,
				events,
				metrics,
			}),
		),
	);
	for (const each of started)
		if (each.status === "fulfilled") machines.push(each.value);
	for (const each of started)
		if (each.status === "rejected") throw each.reason as Error;
	if (network instanceof UserspaceNetwork) {
		network.setBalancers(({ host, port }) => cloud.dial(host, port));
		for (const { network: node, agent } of machines)
			network.setRules(
				node.name,
				decideBy({
					program: () => agent.program,
					nodeAddresses: [node.address],
					random,
					clock,
				}),
			);
		network.setListener(outside, inside.api, placeOf(api.url));
		network.setListener(outside, inside.cloud, placeOf(cloud.url));
		network.setListener(outside, inside.dns, dns.at);
	}
	await filled;
	const controller = new Controller({
		client: clientFor("fairlead-controller"),
		clock,
		random,
		log: log.child({ part: "controller" }),
		metrics: new Registry(),
		identity: "sandbox",
		namespace: ownNamespace,
		leaseNamespace: undefined,
		clusterId: undefined,
		workers: 8,
		auditSchedule: "*/10 * * * *",
	});
	controller.start();
	undo.push(() => controller.stop());
	return {
		dashboard: `${cloud.url}/`,
		kubeconfigPath,
		door: cloud.door ?? "",
		nodes: machines.map((machine) => machine.network),
		ready: Promise.all([
			dns.server.ready,
			...machines.map(({ kubelet }) => kubelet.ready),
			...machines.map(({ agent }) => agent.synced),
		]).then(() => {}),
		address: servedAddress(stores, clock, (address) =>
			cloud.dial(address, samplePort),
		),
	};
}

async function startApi(
	{
		network: { outside },
		listeners,
		dataDir,
		bundled,
		clock,
		randomBytes,
		log,
	}: SandboxOptions,
	podAccess: PodAccess,
): Promise<ApiServer> {
	return startApiServer({
		host: "127.0.0.1",
		port: 0,
		listener: listeners.api,
		...(outside.namespace && {
			also: [{ fd: listenIn(outside.namespace, outside.address, inside.api) }],
		}),
		...(dataDir && { dataDir: join(dataDir, "cluster") }),
		advertise: { address: outside.address, port: inside.api },
		names: [outside.address],
		crds: bundled.crds,
		podAccess,
		clock,
		random: randomBytes,
		log: log.child({ part: "apiserver" }),
	});
}

async function startClusterDns(
	{ network: { outside }, clock, random, log }: SandboxOptions,
	stores: ReturnType<typeof startStores>,
): Promise<{ server: DnsServer; at: { host: string; port: number } }> {
	const common = {
		cluster: { stores },
		zone,
		addresses: [dnsAddress],
		clock,
		random,
		log: log.child({ part: "dns" }),
	};
	if (!outside.namespace) {
		const server = await startDns({
			...common,
			listen: [{ host: "127.0.0.1", port: 0 }],
		});
		const [at] = server.addresses;
		if (!at) throw new Error("the DNS server listens nowhere");
		return { server, at };
	}
	const at = { host: outside.address, port: inside.dns };
	const udp = createSocket("udp4");
	udp.bind({ fd: bindUdpIn(outside.namespace, at.host, at.port) });
	const tcp = createServer().listen({
		fd: listenIn(outside.namespace, at.host, at.port),
	});
	return {
		server: await startDns({ ...common, udp: [udp], tcp: [tcp] }),
		at,
	};
}

function placeOf(url: string): { host: string; port: number } {
	const { hostname, port } = new URL(url);
	return { host: hostname, port: Number(port) };
}

import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { parse } from "yaml";
import { explainCluster } from "../fake-cloud/dashboard/explain-cluster.ts";
import type { Explain } from "../fake-cloud/dashboard/pending.ts";
import { type FakeCloud, startFakeCloud } from "../fake-cloud/server.ts";
import type { Service } from "../operator/api/core.ts";
import type { KubeObject } from "../operator/api/meta.ts";
import type { Clock } from "../operator/clock.ts";
import { createKubeClient } from "../operator/cluster/client.ts";
import { Store } from "../operator/cluster/index.ts";
import { loadConnection } from "../operator/cluster/kubeconfig.ts";
import { type KubeClient, resources } from "../operator/cluster/kube.ts";
import { Reflector } from "../operator/cluster/reflector.ts";
import { Controller } from "../operator/controller/controller.ts";
import type { Log } from "../operator/log.ts";
import { startApiServer } from "./apiserver/start.ts";
import { onPort, tryPort } from "./free-port.ts";
import { NodeStandIn } from "./node-stand-in.ts";
import { sampleObjects, sampleService } from "./sample.ts";

export interface SandboxOptions {
	nodes: number;
	/** Undefined: 6443 or the next free one. */
	port: number | undefined;
	/** Undefined: 8080 or the next free one. */
	cloudPort: number | undefined;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	randomBytes: (count: number) => Buffer;
	log: Log;
}

export interface Sandbox {
	dashboard: string;
	kubeconfigPath: string;
	/** `HOST:PORT` of the SOCKS5 door to the balancers' addresses. */
	door: string;
	/** The sample Service's ingress address, once it has one. */
	address: Promise<string>;
	close(): Promise<void>;
}

/** One folder up when run from source, two when run from dist/. */
const crdFolder =
	["../crds/", "../../crds/"]
		.map((path) => new URL(path, import.meta.url))
		.find((folder) => existsSync(folder)) ?? import.meta.url;

/**
 * A Kubernetes API server, the fake cloud, the controller and a sample Service in this process. Throws ListenFailed when
 * a port that was asked for is taken.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
	const { clock, random, randomBytes, log } = options;
	const undo: (() => Promise<unknown>)[] = [];
	const close = async () => {
		for (const each of undo.splice(0).reverse()) await each();
	};
	try {
		const folder = await mkdtemp(join(tmpdir(), "fairlead-sandbox-"));
		undo.push(() => rm(folder, { recursive: true, force: true }));
		const token = randomBytes(24).toString("hex");
		const doorPort = await onPort(undefined, 1080, tryPort);
		let explain: Explain = async () => [];
		const [api, cloud] = await Promise.all([
			startApi(options).then((server) => {
				undo.push(() => server.close());
				return server;
			}),
			onPort(options.cloudPort, 8080, (port) =>
				startFakeCloud({
					host: "127.0.0.1",
					port,
					dataDir: ":memory:",
					doorPort,
					explain: () => explain(),
					tokens: [{ token }],
					clock,
					random,
					log: log.child({ part: "cloud" }),
				}),
			).then((started) => {
				undo.push(() => started.close());
				return started;
			}),
		]);
		const kubeconfigPath = join(folder, "kubeconfig");
		await writeFile(kubeconfigPath, api.kubeconfig(), { mode: 0o600 });
		const client = createKubeClient(
			await loadConnection({ path: kubeconfigPath, clock, log }),
			{ clock, log, userAgent: "fairlead-sandbox" },
		);
		undo.push(async () => client.close());
		explain = explainCluster(client);
		const nodes = await registerNodes(options.nodes, cloud, token);
		undo.push(() => Promise.all(nodes.map(({ node }) => node.close())));
		const service = await populate(client, { cloud, token, nodes });
		for (const port of service.spec.ports ?? [])
			await Promise.all(
				nodes.map(({ node }) => node.serve(port.nodePort ?? 0)),
			);
		const controller = new Controller({
			client: createKubeClient(
				await loadConnection({ path: kubeconfigPath, clock, log }),
				{ clock, log, userAgent: "fairlead-controller" },
			),
			clock,
			random,
			log: log.child({ part: "controller" }),
			metrics: new Registry(),
			identity: "sandbox",
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
			address: ingressOf(client, options),
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}

async function startApi({
	port,
	clock,
	randomBytes,
	log,
}: SandboxOptions): Promise<Awaited<ReturnType<typeof startApiServer>>> {
	const files = (await readdir(crdFolder)).filter((name) =>
		name.endsWith(".yaml"),
	);
	const crds = await Promise.all(
		files.map(
			async (name) =>
				parse(await readFile(new URL(name, crdFolder), "utf8")) as object,
		),
	);
	return onPort(port, 6443, (each) =>
		startApiServer({
			host: "127.0.0.1",
			port: each,
			crds,
			clock,
			random: randomBytes,
			log: log.child({ part: "apiserver" }),
		}),
	);
}

interface SandboxNode {
	node: NodeStandIn;
	serverId: number;
}

/** A server on the cloud for every node, at an address of this machine where the node's stand-in listens. */
async function registerNodes(
	count: number,
	cloud: FakeCloud,
	token: string,
): Promise<SandboxNode[]> {
	const nodes: SandboxNode[] = [];
	for (let number = 1; number <= count; number++) {
		const node = new NodeStandIn(`node-${number}`, `127.0.1.${number}`);
		const answer = await fetch(`${cloud.url}/v1/servers`, {
			method: "POST",
			headers: {
				authorization: `Bearer ${token}`,
				"content-type": "application/json",
			},
			body: JSON.stringify({
				name: node.name,
				server_type: "cx23",
				image: "debian-12",
				location: "fsn1",
				fairlead: { address: node.address },
			}),
		});
		const { server, error } = (await answer.json()) as {
			server?: { id: number };
			error?: { message: string };
		};
		if (!server) throw new Error(`the cloud made no server: ${error?.message}`);
		nodes.push({ node, serverId: server.id });
	}
	return nodes;
}

/** Creates the sample; resolves with its Service, which by then has its NodePorts. */
async function populate(
	client: KubeClient,
	world: { cloud: FakeCloud; token: string; nodes: SandboxNode[] },
): Promise<Service> {
	let last: KubeObject | undefined;
	for (const { resource, object } of sampleObjects({
		cloudUrl: world.cloud.url,
		token: world.token,
		nodes: world.nodes.map(({ node: { name, address }, serverId }) => ({
			name,
			address,
			serverId,
		})),
	})) {
		const namespaced = object.metadata.namespace !== undefined;
		last = await client.create({ ...resource, namespaced }, object);
		if (resource.plural === "nodes" && object.status)
			await client.patch(
				resources.nodes,
				{ name: object.metadata.name, subresource: "status" },
				{ type: "merge", body: { status: object.status } },
			);
	}
	return last as Service;
}

async function ingressOf(
	client: KubeClient,
	{ clock, random, log }: SandboxOptions,
): Promise<string> {
	const store = new Store<Service>({ clock, log });
	const reflector = new Reflector<Service>({
		client,
		resource: resources.services,
		namespace: sampleService.namespace,
		fieldSelector: `metadata.name=${sampleService.name}`,
		store,
		clock,
		random,
		log,
	});
	const found = new Promise<string>((resolve) => {
		store.onChange(({ object }) => {
			const ip = object.status?.loadBalancer?.ingress?.[0]?.ip;
			if (ip) resolve(ip);
		});
	});
	reflector.start();
	try {
		return await found;
	} finally {
		await reflector.stop();
	}
}

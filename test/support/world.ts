import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Service } from "../../operator/api/core.ts";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { Fairlead } from "./fairlead.ts";
import { NodeProcess } from "./node-process.ts";
import { getThroughDoor } from "./through-door.ts";

const crds = new URL("../../crds", import.meta.url).pathname;
const token = "test-token";

/** A real control plane, the fake cloud as a process of its own, and three nodes at loopback addresses. */
export class World {
	readonly cluster: Cluster;
	readonly cloud: Fairlead;
	/** Of the cloud's API, without version. */
	readonly cloudUrl: string;
	/** `HOST:PORT` of the way to the balancers' addresses. */
	readonly door: string;
	readonly nodes: NodeProcess[];
	readonly folder: string;
	readonly #controllers: Fairlead[] = [];

	private constructor(
		cluster: Cluster,
		cloud: Fairlead,
		cloudUrl: string,
		door: string,
		folder: string,
	) {
		this.cluster = cluster;
		this.cloud = cloud;
		this.cloudUrl = cloudUrl;
		this.door = door;
		this.folder = folder;
		this.nodes = [1, 2, 3].map(
			(each) => new NodeProcess(`node-${each}`, `127.0.0.${10 + each}`),
		);
	}

	static async start(options: ClusterOptions = {}): Promise<World> {
		const folder = await mkdtemp(join(tmpdir(), "fairlead-world-"));
		await writeFile(join(folder, "tokens"), `${token}\n`);
		const cloud = new Fairlead([
			"fake-cloud",
			"--listen",
			"127.0.0.1:0",
			"--token-file",
			join(folder, "tokens"),
			"--data",
			join(folder, "cloud"),
		]);
		const [cluster, url, door] = await Promise.all([
			startCluster(options),
			cloud.printed(/API +(http:\S+)\/v1/),
			cloud.printed(/door +socks5h:\/\/(\S+)/),
		]);
		const world = new World(
			cluster,
			cloud,
			url[1] ?? "",
			door[1] ?? "",
			folder,
		);
		await world.apply(crds);
		await world.kubectl(
			"wait",
			"--for=condition=Established",
			"crd/balancerclasses.fairlead.dev",
			"crd/addresspools.fairlead.dev",
		);
		return world;
	}

	/** Class `cloud`, its Secret, and the three Nodes; the cloud may be reached through a proxy. */
	async furnish(endpoint = `${this.cloudUrl}/v1`): Promise<void> {
		const objects: object[] = [
			{
				apiVersion: "v1",
				kind: "Secret",
				metadata: { namespace: "kube-system", name: "cloud-token" },
				stringData: { token },
			},
			{
				apiVersion: "fairlead.dev/v1alpha1",
				kind: "BalancerClass",
				metadata: { name: "cloud" },
				spec: {
					provider: "HetznerCloud",
					default: true,
					hetznerCloud: {
						endpoint,
						tokenSecretRef: { namespace: "kube-system", name: "cloud-token" },
						location: "fsn1",
					},
				},
			},
			...this.nodes.map(({ name }) => ({
				apiVersion: "v1",
				kind: "Node",
				metadata: { name },
			})),
		];
		await this.apply("-", { apiVersion: "v1", kind: "List", items: objects });
		for (const { name, address } of this.nodes)
			await this.kubectl(
				"patch",
				"node",
				name,
				"--subresource=status",
				"--type=merge",
				"-p",
				JSON.stringify({
					status: { addresses: [{ type: "InternalIP", address }] },
				}),
			);
	}

	/** A controller of its own process; `args` come after those that name this world. */
	controller(...args: string[]): Fairlead {
		const controller = new Fairlead([
			"controller",
			"--kubeconfig",
			this.cluster.kubeconfigPath,
			"--metrics-port",
			"0",
			"--no-leader-elect",
			...args,
		]);
		this.#controllers.push(controller);
		return controller;
	}

	/** Runs kubectl; throws with what it said when it fails. */
	async kubectl(...args: string[]): Promise<string> {
		const { stdout, stderr, code } = await this.cluster.kubectl(args);
		if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
		return stdout;
	}

	async apply(file: string, manifest?: object): Promise<void> {
		const { stderr, code } = await this.cluster.kubectl(
			["apply", "-f", file],
			manifest ? { stdin: JSON.stringify(manifest) } : {},
		);
		if (code !== 0) throw new Error(`kubectl apply: ${stderr}`);
	}

	/** Applies a Service of type LoadBalancer and an EndpointSlice for it; resolves with the Service as stored. */
	async service(
		name: string,
		spec: Partial<Service["spec"]> = {},
		namespace = "default",
	): Promise<Service> {
		await this.apply("-", {
			apiVersion: "v1",
			kind: "List",
			items: [
				{
					apiVersion: "v1",
					kind: "Service",
					metadata: { namespace, name },
					spec: {
						type: "LoadBalancer",
						ports: [{ name: "http", port: 80 }],
						...spec,
					},
				},
				{
					apiVersion: "discovery.k8s.io/v1",
					kind: "EndpointSlice",
					metadata: {
						namespace,
						name,
						labels: { "kubernetes.io/service-name": name },
					},
					addressType: "IPv4",
					endpoints: this.nodes.map((node, at) => ({
						addresses: [`10.244.${at}.2`],
						nodeName: node.name,
					})),
					ports: [{ name: "http", port: 8080 }],
				},
			],
		});
		return this.get(name, namespace);
	}

	async get(name: string, namespace = "default"): Promise<Service> {
		return JSON.parse(
			await this.kubectl("-n", namespace, "get", "svc", name, "-o", "json"),
		) as Service;
	}

	/** The Service's first ingress address, as soon as there is one. */
	async address(name: string, namespace = "default"): Promise<string> {
		const service = await eventually(
			() => this.get(name, namespace),
			(found) =>
				expect(found.status?.loadBalancer?.ingress?.[0]?.ip).toBeDefined(),
		);
		return service.status?.loadBalancer?.ingress?.[0]?.ip ?? "";
	}

	/** Asks the cloud's API. */
	async cloudGet<T>(path: string): Promise<T> {
		const answer = await fetch(`${this.cloudUrl}${path}`, {
			headers: { authorization: `Bearer ${token}` },
		});
		if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`);
		return (await answer.json()) as T;
	}

	/** Does something at the cloud as somebody else who has a token. */
	async cloudSend<T>(method: string, path: string, body: object): Promise<T> {
		const answer = await fetch(`${this.cloudUrl}${path}`, {
			method,
			headers: {
				authorization: `Bearer ${token}`,
				"content-type": "application/json",
			},
			body: JSON.stringify(body),
		});
		if (!answer.ok)
			throw new Error(
				`${method} ${path}: ${answer.status} ${await answer.text()}`,
			);
		return (await answer.json()) as T;
	}

	async balancers(): Promise<CloudBalancer[]> {
		const { load_balancers } = await this.cloudGet<{
			load_balancers: CloudBalancer[];
		}>("/v1/load_balancers");
		return load_balancers;
	}

	/** Puts faults on the cloud's API in place of those there are. */
	async faults(faults: object[]): Promise<void> {
		const answer = await fetch(`${this.cloudUrl}/fairlead/faults`, {
			method: "PUT",
			headers: { "content-type": "application/json", "x-fairlead": "1" },
			body: JSON.stringify({ faults }),
		});
		if (!answer.ok)
			throw new Error(`PUT faults: ${answer.status} ${await answer.text()}`);
	}

	/** GETs `http://address:port/` from outside. */
	async visit(address: string, port = 80): Promise<string> {
		const { status, body } = await getThroughDoor(this.door, address, port);
		if (status !== 200) throw new Error(`${address}:${port}: ${status}`);
		return body;
	}

	/** Names of the nodes that answer a number of visits. */
	async answering(address: string, port = 80, visits = 12): Promise<string[]> {
		const names = new Set<string>();
		for (let visit = 0; visit < visits; visit++)
			names.add(await this.visit(address, port));
		return [...names].sort();
	}

	async stop(): Promise<void> {
		for (const process of [...this.#controllers, this.cloud])
			if (process.child.exitCode === null) process.child.kill("SIGKILL");
		await Promise.all(
			[...this.#controllers, this.cloud].map((process) => process.ended),
		);
		for (const node of this.nodes) await node.close();
		await this.cluster.stop();
		await rm(this.folder, { recursive: true, force: true });
	}
}

export interface CloudBalancer {
	id: number;
	name: string;
	labels: Record<string, string>;
	public_net: { ipv4: { ip: string } };
	load_balancer_type: { name: string };
	services: { listen_port: number; destination_port: number }[];
	targets: { type: string; ip?: { ip: string }; server?: { id: number } }[];
}

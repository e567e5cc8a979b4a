import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LiveState } from "../../fake-cloud/api/live.ts";
import type { Node, Service } from "../../operator/api/core.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import {
	benchService,
	inParallel,
	namespace,
	startBenchCluster,
} from "./cluster.ts";
import { IngressWatch } from "./ingress-watch.ts";
import { ControllerProcess } from "./process.ts";

const className = "cloud";
const script = fileURLToPath(new URL("cloud-process.ts", import.meta.url));

export interface CloudFigures {
	/** Seconds from the start of the controller to the last ingress. */
	seconds: number;
	requestsPerCreate: number;
	requestsNoopSync: number;
	requestsRestart: number;
	/** For two nodes that join together. */
	requestsPerBalancerNodesJoin: number;
	joinSeconds: number;
}

/** Services of a class `HetznerCloud` that wait, three nodes, and a controller that starts cold, against the fake cloud. */
export async function cloudFigures(
	count: number,
	progress: (line: string) => void,
): Promise<CloudFigures> {
	const world = await startBenchCluster();
	const { cluster, client } = world;
	const cloud = await BenchCloud.start();
	const watch = new IngressWatch(client);
	// No audit while requests are counted.
	const start = () =>
		new ControllerProcess(cluster.kubeconfigPath, [
			"--audit-schedule",
			"0 0 1 1 *",
		]);
	let controller: ControllerProcess | undefined;
	try {
		await furnish(client, cloud.url);
		await inParallel(16, count, async (index) => {
			const service = benchService(`c${index}`, `fairlead.dev/${className}`);
			// A cloud's balancers reach nodes by NodePort.
			delete service.spec.allocateLoadBalancerNodePorts;
			await client.create(resources.services, service);
		});
		progress(`${count} Services wait for the cloud`);
		await watch.start();
		const began = performance.now();
		controller = start();
		await watch.count(count);
		const seconds = (performance.now() - began) / 1000;
		const created = await cloud.requests();
		progress(
			`served by the cloud in ${seconds.toFixed(2)} s, ${created} requests`,
		);
		await settled(controller);

		const beforeNoop = await cloud.requests();
		const synced = await controller.metric(
			"fairlead_controller_sync_seconds_count",
		);
		const touched = Math.min(count, 100);
		for (let index = 0; index < touched; index++)
			await client.patch<Service>(
				resources.services,
				{ namespace, name: `c${index}` },
				{
					type: "merge",
					body: { metadata: { annotations: { "bench/touched": "yes" } } },
				},
			);
		for (let now = synced; now < synced + touched; )
			now = await controller.metric("fairlead_controller_sync_seconds_count");
		await settled(controller);
		const requestsNoopSync = (await cloud.requests()) - beforeNoop;
		progress(
			`${touched} Services synced for nothing: ${requestsNoopSync} requests`,
		);

		const beforeJoin = await cloud.requests();
		const joinBegan = performance.now();
		await Promise.all(
			[4, 5].map((each) => client.create(resources.nodes, node(each))),
		);
		await cloud.until(({ balancers }) =>
			balancers.every(({ targets }) => targets.length === 5),
		);
		const joinSeconds = (performance.now() - joinBegan) / 1000;
		await settled(controller);
		const joined = (await cloud.requests()) - beforeJoin;
		progress(
			`two nodes joined in ${joinSeconds.toFixed(2)} s, ${joined} requests`,
		);

		await controller.stop();
		const beforeRestart = await cloud.requests();
		controller = start();
		await controller.leads();
		await settled(controller);
		const requestsRestart = (await cloud.requests()) - beforeRestart;
		progress(`a restart: ${requestsRestart} requests`);
		return {
			seconds,
			requestsPerCreate: created / count,
			requestsNoopSync,
			requestsRestart,
			requestsPerBalancerNodesJoin: joined / count,
			joinSeconds,
		};
	} finally {
		await controller?.stop();
		await watch.stop();
		await cloud.stop();
		await world.close();
	}
}

class BenchCloud {
	readonly url: string;
	readonly #child: ChildProcess;
	/** Of our own. */
	#asked = 0;

	private constructor(child: ChildProcess, url: string) {
		this.#child = child;
		this.url = url;
	}

	static async start(): Promise<BenchCloud> {
		const child = spawn(process.execPath, [script], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		const [url] = (await Promise.race([
			once(createInterface({ input: child.stdout }), "line"),
			once(child, "exit").then(([code]) => {
				throw new Error(`the cloud ended with code ${code as number}`);
			}),
		])) as [string];
		return new BenchCloud(child, url);
	}

	/** How many others have made. */
	async requests(): Promise<number> {
		const answer = await fetch(`${this.url}/v1/locations`, {
			headers: { authorization: "Bearer token" },
		});
		this.#asked++;
		await answer.arrayBuffer();
		const header = (name: string) =>
			Number(answer.headers.get(`ratelimit-${name}`));
		return header("limit") - header("remaining") - this.#asked;
	}

	/** Resolves when the cloud is so; asking its owner's side counts for nobody. */
	async until(holds: (state: LiveState) => boolean): Promise<void> {
		for (;;) {
			const answer = await fetch(`${this.url}/fairlead/state`);
			if (holds((await answer.json()) as LiveState)) return;
			await new Promise((resolve) => setTimeout(resolve, 250));
		}
	}

	async stop(): Promise<void> {
		if (this.#child.exitCode !== null) return;
		const ended = once(this.#child, "exit");
		this.#child.kill("SIGKILL");
		await ended;
	}
}

function node(index: number): Node & { apiVersion: string; kind: string } {
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name: `node-${index}` },
		status: {
			addresses: [{ type: "InternalIP", address: `192.0.2.${index}` }],
		},
	};
}

async function furnish(client: KubeClient, url: string): Promise<void> {
	await client.create(resources.secrets, {
		metadata: { namespace, name: "cloud" },
		data: { token: Buffer.from("token").toString("base64") },
	} as object as Service);
	await client.create(resources.balancerClasses, {
		metadata: { name: className },
		spec: {
			provider: "HetznerCloud",
			hetznerCloud: {
				endpoint: `${url}/v1`,
				tokenSecretRef: { namespace, name: "cloud" },
				location: "fsn1",
			},
		},
	} as object as Service);
	for (const index of [1, 2, 3])
		await client.create(resources.nodes, node(index));
}

/** Resolves when the controller has nothing to do for a while. */
async function settled(controller: ControllerProcess): Promise<void> {
	let same = 0;
	let before = -1;
	while (same < 20) {
		const depth = await controller.metric("fairlead_controller_queue_depth");
		const syncs = await controller.metric(
			"fairlead_controller_sync_seconds_count",
		);
		same = depth === 0 && syncs === before && syncs > 0 ? same + 1 : 0;
		before = syncs;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

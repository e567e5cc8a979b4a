import type {
	Container,
	Lease,
	Pod,
	PodSpec,
} from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { NodeNetwork } from "../network/network.ts";
import type { Stores } from "../stores.ts";
import { startTestCluster, type TestCluster } from "../test-cluster.ts";
import { Kubelet } from "./kubelet.ts";
import type { PodAccess } from "./pod-access.ts";
import { podAccess } from "./pod-requests.ts";

/** Where programs are on every machine the tests run on. */
export const path = "/usr/local/bin:/usr/bin:/bin";

/** An API server, and kubelets on the nodes a test gives it. */
export class TestWorld {
	readonly client: KubeClient;
	readonly caches: Stores;
	readonly kubelets: Kubelet[] = [];
	readonly access: PodAccess;
	readonly #cluster: TestCluster;

	static async start(): Promise<TestWorld> {
		return new TestWorld(await startTestCluster(quietLog()));
	}

	constructor(cluster: TestCluster) {
		this.#cluster = cluster;
		this.client = cluster.client;
		this.caches = cluster.stores;
		this.access = podAccess(this.caches.pods, () => this.kubelets);
	}

	/** Starts a kubelet on a node; resolves when the node is Ready. */
	async kubelet(node: NodeNetwork, client = this.client): Promise<Kubelet> {
		const kubelet = new Kubelet({
			node,
			client,
			caches: this.caches,
			dns: { address: "10.96.0.10", zone: "cluster.local" },
			path,
			nodeBinary: process.execPath,
			clock: systemClock,
			random: Math.random,
			log: quietLog(),
		});
		this.kubelets.push(kubelet);
		kubelet.start();
		await kubelet.ready;
		return kubelet;
	}

	/** Creates a pod bound to node-1 (or to `spec.nodeName`). */
	run(
		name: string,
		container: Partial<Container>,
		spec: Partial<PodSpec> = {},
		labels: Record<string, string> = {},
	): Promise<Pod> {
		return this.create(resources.pods, {
			metadata: { name, namespace: "default", labels },
			spec: {
				nodeName: "node-1",
				terminationGracePeriodSeconds: 1,
				containers: [{ name: "main", image: "busybox", ...container }],
				...spec,
			},
		});
	}

	create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
		return this.client.create(resource, object);
	}

	/** What a container wrote until now. */
	async log(
		name: string,
		options: { previous?: boolean; container?: string } = {},
	): Promise<string> {
		const chunks: Buffer[] = [];
		for await (const chunk of this.access.logs(
			{ namespace: "default", name },
			{ follow: false, previous: false, timestamps: false, ...options },
		))
			chunks.push(chunk as Buffer);
		return Buffer.concat(chunks).toString();
	}

	/** The first words of a container's log, up to and with `until`. */
	async says(name: string, until: string): Promise<string> {
		let text = "";
		await this.pod(
			name,
			({ status }) =>
				status?.containerStatuses?.every(
					({ state, lastState }) => !state?.waiting || lastState?.terminated,
				) ?? false,
		);
		for await (const chunk of this.access.logs(
			{ namespace: "default", name },
			{ follow: true, previous: false, timestamps: false },
		)) {
			text += (chunk as Buffer).toString();
			const at = text.indexOf(until);
			if (at >= 0) return text.slice(0, at + until.length);
		}
		throw new Error(`${name} ended without saying ${until}: ${text}`);
	}

	delete(name: string, gracePeriodSeconds?: number): Promise<void> {
		return this.client.delete(
			resources.pods,
			{ namespace: "default", name },
			undefined,
			gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
		);
	}

	/** The pod as soon as `holds`. */
	pod(name: string, holds: (pod: Pod) => boolean): Promise<Pod> {
		return this.#when(() => {
			const pod = this.caches.pods.get(`default/${name}`);
			return pod && holds(pod) ? pod : undefined;
		});
	}

	/** Resolves when there is no such pod. */
	async gone(name: string): Promise<void> {
		await this.#when(() =>
			this.caches.pods.has(`default/${name}`) ? undefined : true,
		);
	}

	/** Resolves when kubelets know of a Service. */
	async serviceSeen(name: string): Promise<void> {
		const { services } = this.caches;
		await new Promise<void>((resolve) => {
			if (services.has(`default/${name}`)) return resolve();
			const off = services.onChange(({ object }) => {
				if (object.metadata.name !== name) return;
				off();
				resolve();
			});
		});
	}

	/** A node's Lease, once it has one. */
	async lease(name: string): Promise<Lease> {
		const stop = new AbortController();
		const stream = await this.client.watch<Lease>(
			resources.leases,
			{
				namespace: "kube-node-lease",
				sendInitialEvents: true,
				resourceVersionMatch: "NotOlderThan",
				allowWatchBookmarks: true,
			},
			{ signal: stop.signal },
		);
		try {
			for await (const batch of stream)
				for (const { type, object } of batch)
					if (type === "ADDED" && object.metadata.name === name) return object;
		} finally {
			stop.abort();
		}
		throw new Error("the watch ended");
	}

	/** Notes of the events about an object, oldest first, once there are some for which `holds`. */
	async events(
		name: string,
		holds: (events: TestEvent[]) => boolean,
	): Promise<TestEvent[]> {
		const stop = new AbortController();
		const found = new Map<string, TestEvent>();
		const stream = await this.client.watch<TestEvent>(
			resources.events,
			{
				namespace: "default",
				sendInitialEvents: true,
				resourceVersionMatch: "NotOlderThan",
				allowWatchBookmarks: true,
			},
			{ signal: stop.signal },
		);
		try {
			// Those that are there come first and in no order; after them each as it happens.
			let complete = false;
			for await (const batch of stream)
				for (const event of batch) {
					if (event.type === "ERROR") throw new Error(event.object.message);
					if (event.type === "BOOKMARK") complete = true;
					else if (event.object.regarding.name === name)
						found.set(event.object.metadata.name, event.object);
					const all = [...found.values()];
					if (complete && holds(all)) return all;
				}
		} finally {
			stop.abort();
		}
		throw new Error("the watch ended");
	}

	async close(): Promise<void> {
		await Promise.all(this.kubelets.map((each) => each.stop()));
		await this.#cluster.close();
	}

	#when<T>(read: () => T | undefined): Promise<T> {
		const now = read();
		if (now !== undefined) return Promise.resolve(now);
		return new Promise((resolve) => {
			const off = this.caches.pods.onChange(() => {
				const value = read();
				if (value === undefined) return;
				off();
				resolve(value);
			});
		});
	}
}

export interface TestEvent extends KubeObject {
	type: string;
	reason: string;
	note: string;
	regarding: { name: string };
	series?: { count: number };
}

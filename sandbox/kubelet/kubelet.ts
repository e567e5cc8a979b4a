import { arch, cpus, platform, release, totalmem } from "node:os";
import type { Container, Pod } from "../../operator/api/core.ts";
import type { Clock } from "../../operator/clock.ts";
import { EventRecorder } from "../../operator/cluster/events.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { Workqueue } from "../../operator/cluster/workqueue.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import { programOf } from "../images/images.ts";
import type { NodeNetwork } from "../network/network.ts";
import type { Stores } from "../stores.ts";
import { containerEnv } from "./container-env.ts";
import { type ClusterDns, etcFiles, hostnameOf } from "./etc-files.ts";
import { expand } from "./expand.ts";
import { Heartbeat } from "./heartbeat.ts";
import { PodWorker, type WorkerHost } from "./pod-worker.ts";
import { statusPatch } from "./status-patch.ts";

export interface KubeletOptions {
	node: NodeNetwork;
	client: KubeClient;
	/** Shared by all kubelets of the sandbox. */
	caches: Pick<
		Stores,
		"pods" | "services" | "configMaps" | "secrets" | "synced"
	>;
	dns: ClusterDns;
	/** The PATH of what it starts. */
	path: string;
	/** Path of the Node.js that runs the built-in images. */
	nodeBinary: string;
	/** As hcloud://42; for a node that is not there yet. */
	providerID?: string;
	/** For a node that is not there yet. */
	labels?: Record<string, string>;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

/** As Go names what Node calls x64. */
const architectures: Record<string, string> = { x64: "amd64", ia32: "386" };

/**
 * The kubelet of one node: runs the pods that are bound to it as processes, says how they are, and that the node lives.
 * Trouble of the API server holds up reports, never the pods.
 */
export class Kubelet {
	/** The node is registered and Ready. */
	readonly ready: Promise<void>;
	/** Its node's. */
	readonly name: string;
	readonly #options: KubeletOptions;
	readonly #heartbeat: Heartbeat;
	readonly #events: EventRecorder;
	readonly #reports: Workqueue;
	/** By pod UID. */
	readonly #workers = new Map<string, PodWorker>();
	readonly #host: WorkerHost;
	#undo: (() => void)[] = [];
	#stopped = false;

	constructor(options: KubeletOptions) {
		const { node, client, clock, random, log, providerID, labels } = options;
		this.#options = options;
		this.name = node.name;
		this.#heartbeat = new Heartbeat({
			facts: {
				name: node.name,
				address: node.address,
				podCidr: node.podCidr,
				...(providerID !== undefined && { providerID }),
				...(labels && { labels }),
				machine: {
					cpus: cpus().length,
					memoryBytes: totalmem(),
					arch: architectures[arch()] ?? arch(),
					os: platform(),
					kernel: release(),
				},
			},
			client,
			clock,
			log,
		});
		this.ready = this.#heartbeat.ready;
		this.#events = new EventRecorder({
			client,
			clock,
			random,
			log,
			instance: node.name,
			controller: "kubelet",
		});
		this.#reports = new Workqueue({
			clock,
			random,
			log,
			backoffBaseMs: 200,
			backoffCapMs: 10_000,
		});
		this.#host = {
			node,
			clock,
			log,
			prepare: (pod, container, podIP) => this.#prepare(pod, container, podIP),
			event: (pod, facts) => this.#events.record(resources.pods, pod, facts),
			changed: (worker) => this.#changed(worker),
		};
	}

	/** Takes up its pods as soon as the caches are complete: no container starts without knowing all Services. */
	start(): void {
		const { caches } = this.#options;
		this.#heartbeat.start();
		this.#reports.run((uid) => this.#report(uid));
		void caches.synced.then(() => {
			if (this.#stopped) return;
			this.#undo = [
				caches.pods.onChange(({ type, object }) =>
					this.#seen(object, type === "deleted"),
				),
				caches.configMaps.onChange(({ object }) => this.#retry(object)),
				caches.secrets.onChange(({ object }) => this.#retry(object)),
			];
			for (const pod of caches.pods.values()) this.#seen(pod, false);
		});
	}

	/** Kills its pods' processes, says that the node is not ready, and leaves the objects as they are. */
	async stop(): Promise<void> {
		if (this.#stopped) return;
		this.#stopped = true;
		for (const undo of this.#undo) undo();
		const workers = [...this.#workers.values()];
		this.#workers.clear();
		await Promise.all([
			...workers.map((worker) => worker.stop()),
			this.#heartbeat.stop(),
			this.#reports.drain(1000),
			this.#events.flush(1000),
		]);
	}

	/** The worker of a pod of this node, by its name. */
	worker(pod: { namespace: string; name: string }): PodWorker | undefined {
		const object = this.#options.caches.pods.get(
			`${pod.namespace}/${pod.name}`,
		);
		return object && this.#workers.get(object.metadata.uid ?? "");
	}

	#seen(pod: Pod, deleted: boolean): void {
		const { uid = "" } = pod.metadata;
		const known = this.#workers.get(uid);
		if (known) known.update(deleted ? undefined : pod);
		else if (!deleted && pod.spec.nodeName === this.name) {
			const worker = new PodWorker(this.#host, pod);
			this.#workers.set(uid, worker);
			worker.step();
		}
	}

	#retry({ metadata }: { metadata: { namespace?: string } }): void {
		for (const worker of this.#workers.values())
			if (worker.pod.metadata.namespace === metadata.namespace) worker.retry();
	}

	#changed(worker: PodWorker): void {
		if (worker.removed) {
			if (worker.over) this.#workers.delete(worker.uid);
		} else if (statusPatch(worker.pod, worker.status()) || isDeletable(worker))
			this.#reports.add(worker.uid, "high");
	}

	/** Writes a pod's status if it differs, and deletes the pod for good when it has ended. */
	async #report(uid: string): Promise<{ retryAfterMs: number } | undefined> {
		const { client, caches } = this.#options;
		const worker = this.#workers.get(uid);
		if (!worker || worker.removed) return undefined;
		const {
			name,
			namespace = "default",
			resourceVersion,
		} = worker.pod.metadata;
		const ref = { namespace, name };
		const status = statusPatch(worker.pod, worker.status());
		try {
			if (status) {
				const metadata = { uid, resourceVersion };
				const written = await client.patch<Pod>(
					resources.pods,
					{ ...ref, subresource: "status" },
					{ type: "merge", body: { metadata, status } },
				);
				caches.pods.apply(written);
			}
			if (!isDeletable(worker) || statusPatch(worker.pod, worker.status()))
				return undefined;
			await client.delete(
				resources.pods,
				ref,
				{ uid },
				{ gracePeriodSeconds: 0 },
			);
			return undefined;
		} catch (error) {
			// The watch says the same soon.
			if (isFairleadError(error, "KubeNotFound")) return undefined;
			if (!isFairleadError(error, "KubeConflict")) throw error;
			return this.#readAgain(ref, uid);
		}
	}

	/** Somebody else wrote the pod, or it is another one of the same name. */
	async #readAgain(
		ref: { namespace: string; name: string },
		uid: string,
	): Promise<{ retryAfterMs: number } | undefined> {
		const { client, caches } = this.#options;
		try {
			const pod = await client.get<Pod>(resources.pods, ref);
			caches.pods.apply(pod);
			return pod.metadata.uid === uid ? { retryAfterMs: 0 } : undefined;
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return undefined;
			throw error;
		}
	}

	#prepare(pod: Pod, container: Container, podIP: string) {
		const { caches, dns, node, path, nodeBinary } = this.#options;
		const { image = "", command = [], args = [] } = container;
		const runner = { binary: nodeBinary, name: node.name };
		const found = programOf(image, command, args, runner);
		if ("problem" in found) return found;
		const env = containerEnv(container, {
			pod,
			podIP,
			hostIP: node.address,
			hostname: hostnameOf(pod, node.name),
			path,
			image: {
				...found.env,
				...(node.namespace === undefined && { FAIRLEAD_NETWORK: "userspace" }),
			},
			services: caches.services.values(),
			configMap: (key) => caches.configMaps.get(key),
			secret: (key) => caches.secrets.get(key),
		});
		const expanded = (texts: readonly string[]) =>
			texts.map((text) => expand(text, (name) => env[name]));
		const program = programOf(image, expanded(command), expanded(args), runner);
		if ("problem" in program) return program;
		return { program, env, files: etcFiles(pod, podIP, node.name, dns) };
	}
}

/** It has ended on the node, and the API server waits for nobody else to say so. */
function isDeletable(worker: PodWorker): boolean {
	const {
		deletionTimestamp,
		deletionGracePeriodSeconds,
		finalizers = [],
	} = worker.pod.metadata;
	if (!worker.over || deletionTimestamp === undefined) return false;
	return deletionGracePeriodSeconds !== 0 || finalizers.length === 0;
}

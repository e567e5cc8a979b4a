import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { connectIn } from "../../operator/kernel/sockets.ts";
import { diesWithUs } from "../../test/support/dies-with-us.ts";
import { startKubeProxy } from "../../test/support/kube-proxy.ts";
import type { FrontendSet } from "./kernel-watch.ts";

/** One that carries Services, as its users start it. */
export interface Proxy {
	name: string;
	frontends: FrontendSet;
	start(at: Place): RunningProxy;
	/** Of the first sync, from its own metrics, in seconds; who does not tell compiling from committing says the same twice. */
	firstSync(metrics: string): { syncSeconds: number; commitSeconds: number };
}

export interface Place {
	namespace: NetworkNamespace;
	/** Of an API server that can be reached there. */
	kubeconfig: string;
	node: string;
}

export interface RunningProxy {
	pid(): number;
	metrics(): Promise<string>;
	/** Rejects if it ends before it is stopped. */
	failed: Promise<never>;
	/** Its rules stay. */
	stop(): Promise<void>;
}

export const clusterCidr = "10.244.0.0/16";

const fullSync = "kubeproxy_sync_full_proxy_rules_duration_seconds_sum";

export const kubeProxy: Proxy = {
	name: "kube-proxy",
	frontends: { table: "kube-proxy", set: "service-ips" },
	start(at) {
		const running = startKubeProxy({ ...at, clusterCidrs: [clusterCidr] });
		let stopping = false;
		const failed = running.ended.then(() => {
			if (!stopping)
				throw new Error(`kube-proxy ended:\n${running.log.join("\n")}`);
			return new Promise<never>(() => {});
		});
		failed.catch(() => {});
		return {
			failed,
			pid: () => running.pid,
			async metrics() {
				// Its durations are there when it has logged the end of the sync.
				await running.synced;
				return running.metrics();
			},
			async stop() {
				stopping = true;
				await running.stop();
			},
		};
	},
	firstSync(metrics) {
		const seconds = metricOf(metrics, `${fullSync}{ip_family="IPv4"}`);
		return { syncSeconds: seconds, commitSeconds: seconds };
	},
};

const launcher = fileURLToPath(
	new URL("../../bin/fairlead.js", import.meta.url),
);
const metricsPort = 9090;

export const fairlead: Proxy = {
	name: "Fairlead",
	frontends: { table: "fairlead", set: "services" },
	start({ namespace, kubeconfig, node }) {
		const [command = "", ...through] = diesWithUs;
		const child = namespace.run(() =>
			spawn(
				command,
				[
					...through,
					...[process.execPath, launcher, "agent", "--node", node],
					...["--kubeconfig", kubeconfig, "--cluster-cidr", clusterCidr],
					...["--metrics-port", String(metricsPort)],
				],
				{
					stdio: ["ignore", "ignore", "pipe"],
					env: { PATH: process.env.PATH, HOME: "/nonexistent" },
				},
			),
		);
		return new FairleadAgent(child, namespace);
	},
	firstSync: (metrics) => ({
		syncSeconds: metricOf(metrics, fullSync),
		commitSeconds: metricOf(
			metrics,
			"fairlead_agent_commit_duration_seconds_sum",
		),
	}),
};

class FairleadAgent implements RunningProxy {
	readonly failed: Promise<never>;
	readonly #child: ChildProcess;
	readonly #namespace: NetworkNamespace;
	readonly #ended: Promise<unknown>;
	#stopping = false;
	#said = "";

	constructor(child: ChildProcess, namespace: NetworkNamespace) {
		this.#child = child;
		this.#namespace = namespace;
		child.stderr?.setEncoding("utf8").on("data", (words: string) => {
			this.#said = (this.#said + words).slice(-10_000);
		});
		this.#ended = once(child, "close");
		this.failed = this.#ended.then(() => {
			if (!this.#stopping)
				throw new Error(`fairlead agent ended:\n${this.#said}`);
			return new Promise<never>(() => {});
		});
		this.failed.catch(() => {});
	}

	/** Of the agent: the launcher only waits for it, and an image has none. */
	pid(): number {
		const { pid } = this.#child;
		const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
		return Number(children.trim());
	}

	metrics(): Promise<string> {
		const target = { host: "127.0.0.1", port: metricsPort };
		return new Promise((resolve, reject) => {
			get(
				{
					...target,
					path: "/metrics",
					createConnection: () => connectIn(this.#namespace, target),
				},
				(response) => {
					text(response).then(resolve, reject);
				},
			).on("error", reject);
		});
	}

	async stop(): Promise<void> {
		this.#stopping = true;
		this.#child.kill("SIGTERM");
		await this.#ended;
	}
}

/** The value of one line of metrics in the text format. */
function metricOf(metrics: string, name: string): number {
	const line = metrics.split("\n").find((each) => each.startsWith(`${name} `));
	if (!line) throw new Error(`no metric ${name}`);
	return Number(line.slice(name.length + 1));
}

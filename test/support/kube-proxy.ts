import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { connectIn } from "../../operator/kernel/sockets.ts";
import { binariesFolder } from "./cluster-binaries.ts";
import { diesWithUs } from "./dies-with-us.ts";

export interface KubeProxyOptions {
	/** Where it works; its loopback must be up. */
	namespace: NetworkNamespace;
	/** Must hold in the namespace: see `apiInNamespace`. */
	kubeconfig: string;
	/** Name of a Node object that has addresses: it waits for them. */
	node: string;
	mode?: "nftables" | "iptables";
	/** CIDRs of all pods. */
	clusterCidrs: readonly string[];
	/** Further flags; one given here wins over the same flag given by startKubeProxy. */
	args?: readonly string[];
}

const healthzPort = 10256;
const metricsPort = 10249;

/** Starts a real kube-proxy. It touches nothing outside the namespace, and no sysctl of connection tracking. */
export function startKubeProxy(options: KubeProxyOptions): KubeProxy {
	const { namespace, kubeconfig, node, clusterCidrs } = options;
	const { mode = "nftables", args = [] } = options;
	const program = join(binariesFolder(["kube-proxy"]), "kube-proxy");
	const [command = "", ...through] = diesWithUs;
	const child = namespace.run(() =>
		spawn(
			command,
			[
				...through,
				program,
				`--kubeconfig=${kubeconfig}`,
				`--hostname-override=${node}`,
				`--proxy-mode=${mode}`,
				`--cluster-cidr=${clusterCidrs.join(",")}`,
				`--healthz-bind-address=127.0.0.1:${healthzPort}`,
				`--metrics-bind-address=127.0.0.1:${metricsPort}`,
				"--conntrack-max-per-core=0",
				"--conntrack-min=0",
				"--conntrack-tcp-timeout-established=0",
				"--conntrack-tcp-timeout-close-wait=0",
				// From 2 on it says when its rules are written.
				"-v=2",
				...args,
			],
			{
				stdio: ["ignore", "ignore", "pipe"],
				env: { PATH: process.env.PATH, HOME: "/nonexistent" },
			},
		),
	);
	return new KubeProxy(child, namespace);
}

/** A running kube-proxy; made by `startKubeProxy`. */
export class KubeProxy {
	/** What it logged, in klog's text format. */
	readonly log: string[] = [];
	/** Both families' rules are written for the first time, with all that the lists of the API server held. */
	readonly synced: Promise<void>;
	readonly ended: Promise<void>;
	readonly #child: ChildProcess;
	readonly #namespace: NetworkNamespace;
	readonly #watchers = new Set<() => void>();

	constructor(child: ChildProcess, namespace: NetworkNamespace) {
		this.#child = child;
		this.#namespace = namespace;
		this.ended = once(child, "close").then(() => undefined);
		if (child.stderr)
			createInterface({ input: child.stderr }).on("line", (line) => {
				this.log.push(line);
				for (const watcher of this.#watchers) watcher();
			});
		this.synced = this.#firstRules();
		// Whoever awaits it hears of a failure; whoever does not need not.
		this.synced.catch(() => {});
	}

	get pid(): number {
		return this.#child.pid as number;
	}

	/** Resolves with the first line that matches, those of the past included; rejects when it ends before. */
	async logged(pattern: RegExp): Promise<string> {
		const found = () => this.log.find((line) => pattern.test(line));
		const waiting = Promise.withResolvers<string>();
		const look = () => {
			const line = found();
			if (line !== undefined) waiting.resolve(line);
		};
		this.#watchers.add(look);
		look();
		try {
			return await Promise.race([
				waiting.promise,
				this.ended.then(() => {
					const line = found();
					if (line !== undefined) return line;
					throw this.#failed(`ended before it logged ${pattern}`);
				}),
			]);
		} finally {
			this.#watchers.delete(look);
		}
	}

	/** Its metrics, in the text format. */
	metrics(): Promise<string> {
		return this.#get(metricsPort, "/metrics");
	}

	/** Ends it as an operator would; the rules stay. Resolves when it is gone. */
	stop(): Promise<void> {
		return this.kill("SIGTERM");
	}

	async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
		this.#child.kill(signal);
		await this.ended;
	}

	async #firstRules(): Promise<void> {
		await Promise.all(
			["IPv4", "IPv6"].map((family) =>
				this.logged(
					new RegExp(`"SyncProxyRules complete" ipFamily="${family}"`),
				),
			),
		);
		// A round that failed is called complete all the same.
		const failure = this.log.find((line) => /sync failed/i.test(line));
		if (failure) throw this.#failed("could not write its rules");
	}

	#failed(what: string): Error {
		return new Error(`kube-proxy ${what}:\n${this.log.slice(-30).join("\n")}`);
	}

	#get(port: number, path: string): Promise<string> {
		const host = "127.0.0.1";
		return new Promise((resolve, reject) => {
			get(
				{
					host,
					port,
					path,
					createConnection: () => connectIn(this.#namespace, { host, port }),
				},
				(response) => {
					text(response).then(resolve, reject);
				},
			).on("error", reject);
		});
	}
}

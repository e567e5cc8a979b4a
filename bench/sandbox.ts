import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { streamDecode, streamEncode } from "dns-packet";
import type { Node, Service } from "../operator/api/core.ts";
import { systemClock } from "../operator/clock.ts";
import { createKubeClient } from "../operator/cluster/client.ts";
import { loadConnection } from "../operator/cluster/kubeconfig.ts";
import { type KubeClient, resources } from "../operator/cluster/kube.ts";
import { createLog } from "../cli/log.ts";
import { binariesFolder } from "../test/support/cluster-binaries.ts";
import {
	dialThroughDoor,
	getThroughDoor,
} from "../test/support/through-door.ts";
import { median } from "./figures.ts";
import type { BenchOptions, BenchResult } from "./main.ts";

const command = fileURLToPath(new URL("../bin/fairlead.js", import.meta.url));
const giveUpMs = 60_000;

/**
 * From nothing to a served Service, as somebody sees it who starts `fairlead sandbox` and looks from outside: every figure
 * ends with an answer that this process got, not with a line that the sandbox printed.
 */
export async function bench(options: BenchOptions): Promise<BenchResult> {
	const rounds = options.quick ? 1 : 7;
	const rows: Round[] = [];
	for (let round = 1; round <= rounds; round++) {
		rows.push(await measure());
		options.progress(`round ${round} of ${rounds}`);
	}
	const of = (pick: (row: Round) => number) => median(rows.map(pick));
	return {
		figures: {
			ready_s: of((row) => row.readyMs / 1000),
			served_s: of((row) => row.servedMs / 1000),
			first_ingress_ms: of((row) => row.ingressMs),
			rss_mb: of((row) => row.rssBytes / 2 ** 20),
		},
		notes: [
			`medians of ${rounds} starts with 3 nodes; rss_mb counts every process of ours, pods apart; first_ingress_ms begins with the start of kubectl create`,
		],
	};
}

interface Round {
	readyMs: number;
	servedMs: number;
	ingressMs: number;
	rssBytes: number;
}

async function measure(): Promise<Round> {
	const kubectl = `${binariesFolder(["kubectl"])}/kubectl`;
	const began = performance.now();
	const child = spawn(process.execPath, [command, "sandbox"], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	try {
		const printed = lines(child);
		const [, dashboard = ""] = await printed(/dashboard +(http:\S+)/);
		const [, kubeconfig = ""] = await printed(/kubeconfig +(\S+)/);
		const [, door = ""] = await printed(/door +(?:socks5h:\/\/)?(\S+)/);
		const log = await createLog("error", false, false);
		const client = createKubeClient(
			await loadConnection({ path: kubeconfig, clock: systemClock, log }),
			{ clock: systemClock, log, userAgent: "fairlead-bench" },
		);
		try {
			await Promise.all([
				until(async () => (await fetch(dashboard)).ok),
				until(() => nodesReady(client)),
				until(() => dnsAnswers(door)),
			]);
			const readyMs = performance.now() - began;
			const [, address = ""] = await printed(
				/curl -x socks5h:\/\/\S+ http:\/\/([\d.]+)\//,
			);
			await until(
				async () => (await getThroughDoor(door, address, 80)).status === 200,
			);
			const servedMs = performance.now() - began;
			const rssBytes = residentBytes(child.pid ?? 0);
			const asked = performance.now();
			await promisify(execFile)(kubectl, [
				`--kubeconfig=${kubeconfig}`,
				"create",
				"service",
				"loadbalancer",
				"bench",
				"--tcp=80:8080",
			]);
			await until(() => hasIngress(client, "bench"), 1);
			return {
				readyMs,
				servedMs,
				rssBytes,
				ingressMs: performance.now() - asked,
			};
		} finally {
			client.close();
		}
	} finally {
		child.kill("SIGINT");
		await once(child, "exit");
	}
}

/** Reads standard output; each call resolves with the first line, past ones included, that matches. */
function lines(child: ChildProcess) {
	const seen: string[] = [];
	const wake = new Set<() => void>();
	if (!child.stdout) throw new Error("no standard output");
	const reader = createInterface({ input: child.stdout });
	reader.on("line", (line) => {
		seen.push(line);
		for (const each of wake) each();
	});
	return (pattern: RegExp): Promise<RegExpExecArray> =>
		new Promise((resolve, reject) => {
			const look = () => {
				for (const line of seen) {
					const match = pattern.exec(line);
					if (!match) continue;
					wake.delete(look);
					return resolve(match);
				}
			};
			wake.add(look);
			reader.once("close", () =>
				reject(new Error(`the sandbox ended without ${pattern}`)),
			);
			look();
		});
}

/** Asks again every few milliseconds until it is so; the figures are no finer than that. */
async function until(isSo: () => Promise<boolean>, everyMs = 5): Promise<void> {
	const end = performance.now() + giveUpMs;
	for (;;) {
		let failure: unknown;
		try {
			if (await isSo()) return;
		} catch (error) {
			failure = error;
		}
		if (performance.now() > end)
			throw new Error(`not so within ${giveUpMs} ms: ${isSo.toString()}`, {
				cause: failure,
			});
		await new Promise((resolve) => setTimeout(resolve, everyMs));
	}
}

async function nodesReady(client: KubeClient): Promise<boolean> {
	const { items } = await client.list<Node>(resources.nodes);
	return (
		items.length === 3 &&
		items.every((node) =>
			node.status?.conditions?.some(
				({ type, status }) => type === "Ready" && status === "True",
			),
		)
	);
}

/** Asks the cluster's DNS for the API server over TCP, through the door. */
async function dnsAnswers(door: string): Promise<boolean> {
	const socket = await dialThroughDoor(door, "10.96.0.10", 53);
	try {
		socket.write(
			streamEncode({
				type: "query",
				id: 1,
				questions: [
					{ type: "A", name: "kubernetes.default.svc.cluster.local" },
				],
			}),
		);
		const [answer] = (await once(socket, "data")) as [Buffer];
		return streamDecode(answer)?.answers?.length === 1;
	} finally {
		socket.destroy();
	}
}

async function hasIngress(client: KubeClient, name: string): Promise<boolean> {
	const service = await client.get<Service>(resources.services, {
		namespace: "default",
		name,
	});
	return (service.status?.loadBalancer?.ingress?.length ?? 0) > 0;
}

/** Of a process and what it started, down to where pods begin: their first process is a child of an `unshare` that makes a pod. */
function residentBytes(root: number): number {
	const children = new Map<number, number[]>();
	for (const name of readdirSync("/proc")) {
		const pid = Number(name);
		if (!pid || !existsSync(`/proc/${pid}/stat`)) continue;
		try {
			const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
			const parent = Number(
				stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1],
			);
			children.set(parent, [...(children.get(parent) ?? []), pid]);
		} catch (error) {
			// It ended between the listing and the look.
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	}
	const sum = (pid: number): number =>
		resident(pid) +
		(children.get(pid) ?? [])
			.filter((child) => !isPod(child))
			.reduce((total, child) => total + sum(child), 0);
	return sum(root);
}

function resident(pid: number): number {
	const [, pages = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
	return Number(pages) * 4096;
}

/** Every process of a pod has this in its environment. */
function isPod(pid: number): boolean {
	return readFileSync(`/proc/${pid}/environ`, "utf8").includes(
		"KUBERNETES_SERVICE_HOST=",
	);
}

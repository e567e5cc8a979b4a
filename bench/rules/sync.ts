import { setTimeout as sleep } from "node:timers/promises";
import { readFileSync } from "node:fs";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { Service } from "../../operator/api/core.ts";
import { benchNode, type BenchNode } from "./node.ts";
import { KernelWatch, now } from "./kernel-watch.ts";
import {
	benchSlice,
	endpointAddress,
	endpointsPerService,
	namespace,
	servicePorts,
} from "./objects.ts";
import type { Proxy, RunningProxy } from "./proxies.ts";

export interface SyncRun {
	/** Process start → every Service in the kernel. */
	fullSeconds: number;
	/** Of that, its first sync as its own metrics have it: compiling included, and rules handed over until in force. */
	syncSeconds: number;
	commitSeconds: number;
	/** Patch sent → rule in the kernel, in milliseconds; empty where no change was asked for. */
	changesMs: number[];
	/** Of those, until the API server answered. */
	answersMs: number[];
	/** Resident when all that was done, and at most, in megabytes. */
	rssMb: number;
	peakMb: number;
}

export interface SyncWorld {
	server: string;
	kubeconfigPath: string;
	client: KubeClient;
	/** As the API server stored them. */
	services: readonly Service[];
}

/** One proxy, cold, in a fresh namespace; then `changes` endpoints in other ones' place, one after another. */
export async function syncRun(
	proxy: Proxy,
	world: SyncWorld,
	changes: number,
): Promise<SyncRun> {
	const node = await benchNode(world);
	const watch = new KernelWatch(node.namespace);
	try {
		const { running, fullSeconds } = await startSynced(
			proxy,
			node,
			watch,
			world.services,
		);
		try {
			const { syncSeconds, commitSeconds } = proxy.firstSync(
				await running.metrics(),
			);
			const { changesMs, answersMs } = await change(world, watch, changes);
			const { rssMb, peakMb } = resident(running.pid());
			return {
				fullSeconds,
				syncSeconds,
				commitSeconds,
				changesMs,
				answersMs,
				rssMb,
				peakMb,
			};
		} finally {
			await running.stop();
		}
	} finally {
		await watch.close();
		await node.close();
	}
}

/** Starts a proxy and resolves when all Services are in the kernel. */
export async function startSynced(
	proxy: Proxy,
	node: BenchNode,
	watch: KernelWatch,
	services: readonly Service[],
): Promise<{ running: RunningProxy; fullSeconds: number }> {
	const began = now();
	const running = proxy.start(node);
	try {
		const at = await Promise.race([
			watch.frontends(proxy.frontends, samples(services)),
			running.failed,
		]);
		return { running, fullSeconds: (at - began) / 1000 };
	} catch (error) {
		await running.stop();
		throw error;
	}
}

/** Both ports of the first, of the last and of some between: whoever writes in several transactions is not done after one. */
function samples(services: readonly Service[]) {
	const step = Math.max(1, Math.floor(services.length / 20));
	return services
		.filter((_, index) => index % step === 0 || index === services.length - 1)
		.flatMap(({ spec }) =>
			servicePorts.map(({ port }) => ({
				address: spec.clusterIP ?? "",
				protocol: "TCP" as const,
				port,
			})),
		);
}

let addressesUsed = 0;
/** Between two changes: what a proxy holds back of a burst is not the latency of one change. */
const pauseMs = 25;

async function change(
	{ client, services }: SyncWorld,
	watch: KernelWatch,
	count: number,
): Promise<Pick<SyncRun, "changesMs" | "answersMs">> {
	const changesMs: number[] = [];
	const answersMs: number[] = [];
	if (count > 0) await watch.listen();
	for (let round = 0; round < count; round++) {
		const index = (round * 7_919) % services.length;
		const used = addressesUsed++;
		// Of no other endpoint, before or after, in this run or another.
		const address = `10.${64 + ((used >> 16) & 15)}.${(used >> 8) & 255}.${used & 255}`;
		const { metadata, endpoints } = benchSlice(index, [
			address,
			...Array.from({ length: endpointsPerService - 1 }, (_, each) =>
				endpointAddress(each + 1, index),
			),
		]);
		const seen = watch.mentions(address);
		const began = now();
		await client.patch(
			resources.endpointSlices,
			{ namespace, name: metadata.name },
			{ type: "merge", body: { endpoints } },
		);
		answersMs.push(now() - began);
		changesMs.push((await seen) - began);
		await sleep(pauseMs);
	}
	return { changesMs, answersMs };
}

function resident(pid: number): { rssMb: number; peakMb: number } {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const of = (name: string) =>
		Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
	return { rssMb: of("VmRSS"), peakMb: of("VmHWM") };
}

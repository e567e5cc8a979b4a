import type { KubeObject } from "../operator/api/meta.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../operator/cluster/kube.ts";
import { allocatorFigures } from "./controller/allocator.ts";
import { cloudFigures } from "./controller/cloud.ts";
import {
	benchService,
	className,
	createServices,
	startBenchCluster,
} from "./controller/cluster.ts";
import { statusFloor } from "./controller/floor.ts";
import { IngressWatch } from "./controller/ingress-watch.ts";
import { compiledOnce, ControllerProcess } from "./controller/process.ts";
import { quantile } from "./figures.ts";
import type { BenchOptions, BenchResult } from "./main.ts";

const ours = `fairlead.dev/${className}`;

/**
 * Services of class `Static` that wait, and a controller that starts cold, on a real kube-apiserver. The clock ends at the
 * watcher's last ingress; what the API server itself needs to take as many statuses is measured beside it.
 */
export async function bench({
	quick,
	progress,
}: BenchOptions): Promise<BenchResult> {
	const count = quick ? 500 : 5_000;
	await compiledOnce();
	const small = await coldStart(count, quick ? 50 : 500, progress);
	const large = await coldStart(2 * count, 0, progress);
	const { fillMs, failUs } = allocatorFigures();
	const balancers = quick ? 100 : 1_000;
	const cloud = await cloudFigures(balancers, progress);
	return {
		figures: {
			cold_5000_s: small.coldSeconds,
			floor_5000_s: small.floorSeconds,
			cold_over_floor: small.coldSeconds / small.floorSeconds,
			floor_writes_per_s: count / small.floorSeconds,
			cold_10000_over_5000: large.coldSeconds / small.coldSeconds,
			cpu_s_5000: small.cpuSeconds,
			rss_mb_5000: small.peakMb,
			events_dropped: small.eventsDropped,
			one_p50_ms: quantile(small.ones.latencies, 0.5),
			one_p99_ms: quantile(small.ones.latencies, 0.99),
			one_create_p50_ms: quantile(small.ones.creates, 0.5),
			one_after_create_p50_ms: quantile(small.ones.rests, 0.5),
			restart_writes: small.restartWrites,
			alloc_fill_65536_ms: fillMs,
			alloc_fail_full_us: failUs,
			cloud_1000_s: cloud.seconds,
			cloud_requests_per_create: cloud.requestsPerCreate,
			cloud_requests_noop_sync: cloud.requestsNoopSync,
			cloud_requests_restart: cloud.requestsRestart,
			cloud_requests_per_balancer_nodes_join:
				cloud.requestsPerBalancerNodesJoin,
			cloud_nodes_join_s: cloud.joinSeconds,
		},
		notes: [
			`cloud: ${balancers} Services of two ports, three nodes, then two more at once; the cloud takes batches of targets`,
			`${count} and ${2 * count} Services of two ports; rss_mb is the peak; one_p99 of ${small.ones.latencies.length} creations, one after another`,
		],
	};
}

interface ColdStart {
	coldSeconds: number;
	floorSeconds: number;
	cpuSeconds: number;
	peakMb: number;
	eventsDropped: number;
	ones: Ones;
	restartWrites: number;
}

/** One more Service at a time, in milliseconds. */
interface Ones {
	latencies: number[];
	/** Until the API server answers the create, which is its own work alone. */
	creates: number[];
	/** From there to the ingress. */
	rests: number[];
}

async function coldStart(
	count: number,
	ones: number,
	progress: (line: string) => void,
): Promise<ColdStart> {
	const world = await startBenchCluster();
	const { cluster, client } = world;
	const watch = new IngressWatch(client);
	try {
		await createServices(client, "s", count, ours);
		progress(`${count} Services wait`);
		const floorSeconds = await statusFloor(cluster, client);
		progress(`their statuses alone: ${floorSeconds.toFixed(2)} s`);
		await watch.start();
		const began = performance.now();
		let controller = new ControllerProcess(cluster.kubeconfigPath);
		try {
			await watch.count(count);
			const coldSeconds = (performance.now() - began) / 1000;
			const { cpuSeconds, peakMb } = controller.used();
			progress(`served cold in ${coldSeconds.toFixed(2)} s`);
			if (watch.doubles() > 0) throw new Error("an address was given twice");
			const times: Ones = { latencies: [], creates: [], rests: [] };
			for (let one = 0; one < ones; one++) {
				const asked = performance.now();
				await client.create(
					resources.services,
					benchService(`one${one}`, ours),
				);
				const answered = performance.now();
				await watch.has(`one${one}`);
				times.latencies.push(performance.now() - asked);
				times.creates.push(answered - asked);
				times.rests.push(performance.now() - answered);
			}
			const eventsDropped = await controller.metric(
				"fairlead_controller_events_dropped",
			);
			await quiet(controller);
			await controller.stop();
			const before = await versions(client);
			controller = new ControllerProcess(cluster.kubeconfigPath);
			await controller.leads();
			await quiet(controller);
			const after = await versions(client);
			return {
				coldSeconds,
				floorSeconds,
				cpuSeconds,
				peakMb,
				eventsDropped,
				ones: times,
				restartWrites: [...after].filter(
					([key, version]) => before.get(key) !== version,
				).length,
			};
		} finally {
			await controller.stop();
		}
	} finally {
		await watch.stop();
		await world.close();
	}
}

/** Of every object the controller could write; a write shows as a new one. Leases apart. */
async function versions(client: KubeClient): Promise<Map<string, string>> {
	const found = new Map<string, string>();
	const kinds: Resource[] = [
		resources.services,
		resources.events,
		resources.addressPools,
		resources.balancerClasses,
	];
	for (const resource of kinds) {
		const { items } = await client.list<KubeObject>(resource);
		for (const { metadata } of items)
			found.set(
				`${resource.plural}/${metadata.uid}`,
				metadata.resourceVersion ?? "",
			);
	}
	return found;
}

/** Resolves when the controller has looked at everything: its queue stays empty. */
async function quiet(controller: ControllerProcess): Promise<void> {
	let empty = 0;
	while (empty < 20) {
		const depth = await controller.metric("fairlead_controller_queue_depth");
		const services = await controller.metric("fairlead_controller_services");
		empty = depth === 0 && services > 0 ? empty + 1 : 0;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

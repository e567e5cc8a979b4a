import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { median, quantile } from "../figures.ts";
import type { RulesCluster } from "./cluster.ts";
import { Acceptor, type Connected, Connector } from "./connections.ts";
import { KernelWatch } from "./kernel-watch.ts";
import { type BenchNode, benchNode, podAddresses } from "./node.ts";
import { servicePorts } from "./objects.ts";
import type { Proxy } from "./proxies.ts";
import { startSynced } from "./sync.ts";

export interface TrafficFigures {
	/** New connections a second, medians and the median of the ratios of runs side by side. */
	rate: number;
	peerRate: number;
	rateRatio: number;
	/** The 99th percentile of opening one, in microseconds; the same. */
	p99Us: number;
	peerP99Us: number;
	p99Ratio: number;
}

interface Side {
	client: NetworkNamespace;
	close(): Promise<void>;
}

interface Run {
	rate: number;
	p99Us: number;
}

/** Each run of one side consists of so many slices, between which the other side has its own. */
const slices = 10;

/**
 * New connections from a pod through a node to the ClusterIP of one Service with four endpoints, among all the others: what
 * of a packet's way depends on the rules is that of a flow's first packet. The proxies have written their rules and ended.
 */
export async function traffic(
	ours: Proxy,
	theirs: Proxy,
	cluster: RulesCluster,
	{ runs, connections }: { runs: number; connections: number },
): Promise<TrafficFigures> {
	const index = cluster.services.length >> 1;
	const service = cluster.services[index];
	const [{ port }] = servicePorts;
	const sides: Side[] = [];
	const connector = new Connector();
	await cluster.endpoints(index, podAddresses);
	try {
		for (const proxy of [ours, theirs]) sides.push(await side(proxy, cluster));
		const [one, other] = sides as [Side, Side];
		const task = {
			address: service?.spec.clusterIP ?? "",
			port,
			count: connections / slices,
		};
		for (const { client } of sides)
			await connector.connect(client, { ...task, count: connections });
		const pairs: Record<"a" | "b", Run>[] = [];
		for (let run = 0; run < runs; run++) {
			const [a, b]: [Connected[], Connected[]] = [[], []];
			for (let slice = 0; slice < slices; slice++) {
				// Each goes first in turn: what else the machine does may come and go.
				const first = slice % 2 === 0;
				if (first) a.push(await connector.connect(one.client, task));
				b.push(await connector.connect(other.client, task));
				if (!first) a.push(await connector.connect(one.client, task));
			}
			pairs.push({ a: together(a), b: together(b) });
		}
		return {
			rate: median(pairs.map(({ a }) => a.rate)),
			peerRate: median(pairs.map(({ b }) => b.rate)),
			rateRatio: median(pairs.map(({ a, b }) => a.rate / b.rate)),
			p99Us: median(pairs.map(({ a }) => a.p99Us)),
			peerP99Us: median(pairs.map(({ b }) => b.p99Us)),
			p99Ratio: median(pairs.map(({ a, b }) => a.p99Us / b.p99Us)),
		};
	} finally {
		await connector.close();
		for (const each of sides) await each.close();
		await cluster.endpoints(index);
	}
}

function together(parts: readonly Connected[]): Run {
	const openUs = parts.flatMap((part) => [...part.openUs]);
	const seconds = parts.reduce((sum, part) => sum + part.seconds, 0);
	return { rate: openUs.length / seconds, p99Us: quantile(openUs, 0.99) };
}

async function side(proxy: Proxy, cluster: RulesCluster): Promise<Side> {
	const node = await benchNode(cluster);
	try {
		await writeRules(proxy, node, cluster);
		const acceptor = await Acceptor.start(
			node.pods,
			servicePorts[0].targetPort,
		);
		return {
			client: node.client,
			async close() {
				await acceptor.close();
				await node.close();
			},
		};
	} catch (error) {
		await node.close();
		throw error;
	}
}

async function writeRules(
	proxy: Proxy,
	node: BenchNode,
	{ services }: RulesCluster,
): Promise<void> {
	const watch = new KernelWatch(node.namespace);
	try {
		const { running } = await startSynced(proxy, node, watch, services);
		await running.stop();
	} finally {
		await watch.close();
	}
}

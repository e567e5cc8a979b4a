import { median, quantile } from "../figures.ts";
import type { RulesCluster } from "./cluster.ts";
import { Acceptor, Connector } from "./connections.ts";
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
	connector: Connector;
	close(): Promise<void>;
}

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
	await cluster.endpoints(index, podAddresses);
	try {
		for (const proxy of [ours, theirs]) sides.push(await side(proxy, cluster));
		const [one, other] = sides as [Side, Side];
		const task = {
			address: service?.spec.clusterIP ?? "",
			port,
			count: connections,
		};
		const measure = async ({ connector }: Side) => {
			const { openUs, seconds } = await connector.connect(task);
			return {
				rate: connections / seconds,
				p99Us: quantile([...openUs], 0.99),
			};
		};
		await measure(one);
		await measure(other);
		const pairs: Record<"a" | "b", { rate: number; p99Us: number }>[] = [];
		for (let run = 0; run < runs; run++) {
			// Each goes first in turn: what else the machine does may come and go.
			const first = await measure(run % 2 === 0 ? one : other);
			const second = await measure(run % 2 === 0 ? other : one);
			pairs.push(
				run % 2 === 0 ? { a: first, b: second } : { a: second, b: first },
			);
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
		for (const each of sides) await each.close();
		await cluster.endpoints(index);
	}
}

async function side(proxy: Proxy, cluster: RulesCluster): Promise<Side> {
	const node = await benchNode(cluster);
	try {
		await writeRules(proxy, node, cluster);
		const acceptor = await Acceptor.start(
			node.pods,
			servicePorts[0].targetPort,
		);
		const connector = new Connector(node.client);
		return {
			connector,
			async close() {
				await connector.close();
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

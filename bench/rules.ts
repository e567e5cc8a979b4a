import { loadavg } from "node:os";
import { median, quantile } from "./figures.ts";
import type { BenchOptions, BenchResult } from "./main.ts";
import { applyTimes, sourceRangeChangeMs } from "./rules/apply.ts";
import { RulesCluster } from "./rules/cluster.ts";
import { leaseFigures } from "./rules/leases.ts";
import { fairlead, kubeProxy } from "./rules/proxies.ts";
import { type SyncRun, syncRun } from "./rules/sync.ts";
import { traffic } from "./rules/traffic.ts";

const sizes = ["1000", "5000", "10000"] as const;

/** What `--part` may name: the size of a sync, or one of the other measurements. */
export const parts: readonly string[] = [
	"apply",
	"source-range",
	"leases",
	...sizes,
	"traffic",
];

type Figures = Record<string, number>;

/**
 * Fairlead's agent and kube-proxy 1.37 in nftables mode in turn, on the same objects of one real kube-apiserver, each start
 * in fresh network namespaces; and what Fairlead does alone.
 */
export async function bench({
	quick,
	parts: asked,
	progress,
}: BenchOptions): Promise<BenchResult> {
	const wants = (part: string) => asked.length === 0 || asked.includes(part);
	const say = (line: string) =>
		progress(`${line} (load ${loadavg()[0]?.toFixed(1)})`);
	const figures: Figures = {};
	const found = (more: Figures) => {
		for (const [name, value] of Object.entries(more)) {
			figures[name] = value;
			say(`${name} ${value.toPrecision(4)}`);
		}
	};
	const began = loadavg()[0] ?? 0;
	if (wants("apply")) found(apply(quick));
	if (wants("source-range"))
		found({
			source_range_change_ms_10000: sourceRangeChangeMs(
				quick ? 500 : 10_000,
				quick ? 20 : 500,
			),
		});
	if (wants("leases")) {
		const { perChange, perSecond } = await leaseFigures(quick ? 20 : 1_000);
		found({
			lease_writes_per_change: perChange,
			lease_writes_per_agent_second: perSecond,
		});
	}
	const last = wants("traffic")
		? Math.max(1, sizes.findLastIndex(wants))
		: sizes.findLastIndex(wants);
	if (last >= 0) {
		const cluster = await RulesCluster.start();
		try {
			for (const [at, size] of sizes.slice(0, last + 1).entries()) {
				const measures = wants(size);
				const measuresTraffic = size === "5000" && wants("traffic");
				if (!measures && !measuresTraffic) continue;
				const count = quick ? 20 * (at + 1) : Number(size);
				await cluster.grow(count);
				say(`${count} Services are there`);
				if (measures)
					found(
						await besideKubeProxy(
							cluster,
							size,
							quick ? 1 : (roundsOf[size] ?? 1),
							quick ? 5 : size === "10000" ? 500 : 100,
							say,
						),
					);
				if (measuresTraffic) found(await trafficFigures(cluster, quick));
			}
		} finally {
			await cluster.close();
		}
		const [small, large] = ["change_p50_ms_1000", "change_p50_ms_10000"];
		if (figures[small] && figures[large])
			found({ change_ratio_10000_over_1000: figures[large] / figures[small] });
	}
	return {
		figures,
		peer: "kube-proxy 1.37.2",
		notes: [
			`load ${began.toFixed(1)} when it began, ${loadavg()[0]?.toFixed(1)} at its end; ratios are medians of runs side by side`,
			`Services of two ports with four endpoints each${quick ? "; --quick: far fewer than the figures' names say" : ""}`,
			"full: process start until the generation of nftables rises and the Services' entries are there; sync: the duration of its first sync in each one's own metrics; commit: of Fairlead's, rules handed over until in force, beside kube-proxy's whole sync",
			"change: patch of an EndpointSlice sent until the kernel tells of the rule; peer_change waits for kube-proxy's minSyncPeriod of 1 s",
		],
	};
}

const roundsOf: Record<string, number> = { "1000": 5, "5000": 5, "10000": 1 };

function apply(quick: boolean): Figures {
	const rounds = quick ? 20 : 1_000;
	const small = applyTimes(quick ? 500 : 10_000, rounds);
	const large = applyTimes(quick ? 1_000 : 100_000, rounds);
	return {
		apply_replace_us: small.replaceUs,
		apply_add_us: small.addUs,
		apply_remove_us: small.removeUs,
		apply_full_5000_s: small.fullSeconds,
		apply_replace_us_100k: large.replaceUs,
		apply_add_us_100k: large.addUs,
		apply_remove_us_100k: large.removeUs,
		apply_full_100k_s: large.fullSeconds,
	};
}

async function besideKubeProxy(
	cluster: RulesCluster,
	size: string,
	rounds: number,
	changes: number,
	say: (line: string) => void,
): Promise<Figures> {
	const ours: SyncRun[] = [];
	const theirs: SyncRun[] = [];
	for (let round = 1; round <= rounds; round++) {
		ours.push(await syncRun(fairlead, cluster, changes));
		theirs.push(await syncRun(kubeProxy, cluster, round === 1 ? 5 : 0));
		const [one, other] = [ours.at(-1), theirs.at(-1)];
		say(
			`round ${round} of ${rounds}: full ${one?.fullSeconds.toFixed(2)} s, kube-proxy ${other?.fullSeconds.toFixed(2)} s`,
		);
	}
	const middle = (runs: SyncRun[], of: (run: SyncRun) => number) =>
		median(runs.map(of));
	const ratio = (of: (run: SyncRun) => number) =>
		median(ours.map((run, round) => of(run) / of(theirs[round] as SyncRun)));
	const full = (run: SyncRun) => run.fullSeconds;
	const commit = (run: SyncRun) => run.commitSeconds;
	const sync = (run: SyncRun) => run.syncSeconds;
	const changed = ours.flatMap(({ changesMs }) => changesMs);
	const answered = ours.flatMap(({ answersMs }) => answersMs);
	const peerChanged = theirs.flatMap(({ changesMs }) => changesMs);
	return {
		[`full_${size}_s`]: middle(ours, full),
		[`peer_full_${size}_s`]: middle(theirs, full),
		[`full_ratio_${size}`]: ratio(full),
		[`commit_${size}_s`]: middle(ours, commit),
		[`peer_commit_${size}_s`]: middle(theirs, commit),
		[`commit_ratio_${size}`]: ratio(commit),
		[`sync_${size}_s`]: middle(ours, sync),
		[`sync_ratio_${size}`]: ratio(sync),
		[`change_p50_ms_${size}`]: quantile(changed, 0.5),
		[`change_p99_ms_${size}`]: quantile(changed, 0.99),
		[`change_api_p50_ms_${size}`]: quantile(answered, 0.5),
		[`change_api_p99_ms_${size}`]: quantile(answered, 0.99),
		[`peer_change_p50_ms_${size}`]: quantile(peerChanged, 0.5),
		[`rss_mb_${size}`]: middle(ours, ({ rssMb }) => rssMb),
		[`peer_rss_mb_${size}`]: middle(theirs, ({ rssMb }) => rssMb),
		[`rss_ratio_${size}`]: ratio(({ rssMb }) => rssMb),
		[`peak_ratio_${size}`]: ratio(({ peakMb }) => peakMb),
	};
}

async function trafficFigures(
	cluster: RulesCluster,
	quick: boolean,
): Promise<Figures> {
	const found = await traffic(fairlead, kubeProxy, cluster, {
		runs: quick ? 2 : 21,
		connections: quick ? 200 : 3_000,
	});
	return {
		conn_rate_5000: found.rate,
		peer_conn_rate_5000: found.peerRate,
		conn_rate_ratio_5000: found.rateRatio,
		first_packet_p99_us_5000: found.p99Us,
		peer_first_packet_p99_us_5000: found.peerP99Us,
		first_packet_p99_ratio_5000: found.p99Ratio,
	};
}

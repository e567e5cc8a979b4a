import type { Node } from "../api/core.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Program, RulesBackend } from "../model/rules/program.ts";
import {
	defaultNodeSettings,
	type NodeSettings,
} from "../model/rules/rules-node.ts";
import type { ListenOn } from "./health-check/listen-on.ts";
import { isHealthy, startNodeHealth } from "./health-check/node-health.ts";
import { ServiceHealth } from "./health-check/service-health.ts";
import {
	NodeReport,
	type NodePortFactsSource,
	type NodeReportOptions,
} from "./lease/node-report.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { AgentIncident } from "./rules/incidents.ts";
import { keepGuard } from "./rules/keep-guard.ts";
import { RulesLoop, type rulesLoopDefaults } from "./rules/rules-loop.ts";
import type { Watermark } from "../model/watermark.ts";
import type { AgentStores } from "./stores.ts";

export interface AgentOptions {
	/** Name of this node. */
	node: string;
	/** May be shared with other agents; whoever made them stops them. */
	stores: AgentStores;
	/** The agent's alone; it closes it. */
	backend: RulesBackend;
	settings?: NodeSettings;
	/** How to open the ports below on this node; absent: none is opened. */
	listen?: ListenOn;
	/** Where healthCheckNodePorts are opened; default all of IPv4. */
	healthCheckAddress?: string;
	/** /healthz and /livez of the node; absent: not served. */
	healthz?: { address: string; port: number };
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	metrics: AgentMetrics;
	/** For events: each incident once when it begins. */
	tell?: (incident: AgentIncident) => void;
	/** How the node's Lease is kept; absent: nobody hears of this agent. */
	lease?: Pick<NodeReportOptions, "client" | "namespace" | "instance">;
	/** For the report. */
	nodePortFacts?: NodePortFactsSource;
	tuning?: Partial<typeof rulesLoopDefaults>;
}

/** What runs on one node. */
export interface Agent {
	readonly node: string;
	/** Resolves when this node's rules first reflect the cluster. */
	readonly synced: Promise<void>;
	/** What is in force on this node, for `evaluate`. */
	readonly program: Program;
	/** How far the rules reflect the cluster; undefined before the first sync. */
	readonly watermark: Watermark | undefined;
	/** Resolves when the rules reflect these resourceVersions. */
	reached(asked: Partial<Watermark>): Promise<void>;
	/** Why a Service (`namespace/name`), or part of it, is not served on this node; one sentence each. */
	problems(service: string): string[];
	/** Why the agent cannot do its work at present, one line a reason; empty when it can. */
	notReady(): string[];
	/** Ends and leaves the rules in place: connections go on through an upgrade. */
	stop(): void;
}

/**
 * Starts the agent of one node. Returns once its ports are open; the rules follow as soon as the caches are complete.
 * Rejects with ListenFailed when /healthz cannot be served.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
	const { node, stores, clock, log, metrics, listen } = options;
	const settings = options.settings ?? defaultNodeSettings;
	const tell = options.tell ?? (() => {});
	let lastUpdated: number | undefined;
	const health = () => ({ lastUpdated, lateMs: loop.lateMs });
	const checks = listen
		? new ServiceHealth({
				listen,
				address: options.healthCheckAddress ?? "0.0.0.0",
				isHealthy: () => isHealthy(health()),
				node,
				clock,
				log,
				tell,
			})
		: undefined;
	const loop = new RulesLoop({
		node,
		stores,
		backend: options.backend,
		settings,
		clock,
		random: options.random,
		log,
		metrics,
		tell,
		onSynced: () => {
			lastUpdated = clock.now();
			checks?.sync(loop.healthChecks);
			report?.synced();
		},
		...(options.tuning ? { tuning: options.tuning } : {}),
	});
	const report =
		options.lease &&
		new NodeReport({
			...options.lease,
			node,
			stores,
			rules: settings.mode ?? "full",
			rulesAt: () => loop.watermark,
			refused: () => loop.refused,
			...(options.nodePortFacts && { nodePortFacts: options.nodePortFacts }),
			clock,
			random: options.random,
			log,
		});
	const server =
		listen && options.healthz
			? await startNodeHealth({
					listen,
					...options.healthz,
					clock,
					health,
					node: (): Node | undefined => stores.nodes.get(node),
					metrics,
				})
			: undefined;
	const unwatch = metrics.watch({
		servicesPending: () => loop.pending,
		frontends: () => loop.program.frontends.size,
		refused: () => loop.refused.size,
		withoutLocalEndpoints: () => withoutLocalEndpoints(loop.program),
	});
	const stopGuard = keepGuard({
		backend: options.backend,
		clock,
		healthy: () => loop.trouble === undefined && isHealthy(health()),
		failed: (error) => loop.guardFailed(error),
	});
	loop.start();
	report?.start();
	return {
		node,
		synced: loop.synced,
		get program() {
			return loop.program;
		},
		get watermark() {
			return loop.watermark;
		},
		reached: (asked) => loop.reached(asked),
		problems: (service) => loop.problems(service),
		notReady: () => {
			const { trouble, watermark } = loop;
			const nameless = watermark !== undefined && !stores.nodes.has(node);
			return [
				...stores.problems(),
				...(trouble === undefined ? [] : [trouble]),
				...(report?.trouble === undefined ? [] : [report.trouble]),
				...(nameless
					? [`there is no Node ${node}: NodePorts are not served here`]
					: []),
			];
		},
		stop() {
			stopGuard();
			loop.stop();
			report?.stop();
			checks?.close();
			unwatch();
			server?.close();
			server?.closeAllConnections();
		},
	};
}

function withoutLocalEndpoints({ frontends }: Program): {
	internal: number;
	external: number;
} {
	const internal = new Set<string>();
	const external = new Set<string>();
	for (const { kind, service, endpoints, whenEmpty } of frontends.values())
		if (endpoints.length === 0 && whenEmpty === "drop")
			(kind === "ClusterIP" ? internal : external).add(service);
	return { internal: internal.size, external: external.size };
}

import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** What one agent tells of itself when Prometheus asks. */
export interface AgentGauges {
	servicesPending: () => number;
	frontends: () => number;
	refused: () => number;
	/** Services whose policy is Local and that have no endpoint on this node, by which policy. */
	withoutLocalEndpoints: () => { internal: number; external: number };
}

export interface AgentMetrics {
	syncSeconds: Histogram;
	fullSyncSeconds: Histogram;
	partialSyncSeconds: Histogram;
	commitSeconds: Histogram;
	programmingSeconds: Histogram;
	lastSync: Gauge;
	lastQueued: Gauge;
	serviceChanges: Counter;
	endpointChanges: Counter;
	syncFailures: Counter;
	healthz: Counter<"code">;
	livez: Counter<"code">;
	drift: Counter;
	/** Counts an agent in, until what it returns is called: the agents of one process share their metrics. */
	watch(source: AgentGauges): () => void;
}

/** kube-proxy's: from 1 ms, doubling, to half a minute. */
const syncBuckets = Array.from({ length: 15 }, (_, each) => 0.001 * 2 ** each);
/** A change takes a tenth of a millisecond, everything a second. */
const commitBuckets = syncBuckets.map((bound) => bound / 16);

/**
 * Registers the agent's metrics; docs/reference/metrics.md lists them. Names and labels are kube-proxy's where the meaning
 * is the same (k8s.io/kubernetes, pkg/proxy/metrics), so that its dashboards and alerts go on working; both families are
 * synced at once, so there is no label ip_family.
 */
export function agentMetrics(registry: Registry): AgentMetrics {
	const registers = [registry];
	const sources = new Set<AgentGauges>();
	const histogram = (name: string, help: string, buckets = syncBuckets) =>
		new Histogram({ name, help, buckets, registers });
	const counter = (name: string, help: string) =>
		new Counter({ name, help, registers });
	const stamp = (name: string, help: string) =>
		new Gauge({ name, help, registers });
	const sum = (
		name: string,
		help: string,
		read: (from: AgentGauges) => number,
	) =>
		new Gauge({
			name,
			help,
			registers,
			collect() {
				this.set([...sources].reduce((total, each) => total + read(each), 0));
			},
		});
	const metrics = {
		syncSeconds: histogram(
			"kubeproxy_sync_proxy_rules_duration_seconds",
			"Time to bring changes into the rules, compiling included.",
		),
		fullSyncSeconds: histogram(
			"kubeproxy_sync_full_proxy_rules_duration_seconds",
			"The same, where all rules were written anew.",
		),
		partialSyncSeconds: histogram(
			"kubeproxy_sync_partial_proxy_rules_duration_seconds",
			"The same, where only what changed was written.",
		),
		commitSeconds: histogram(
			"fairlead_agent_commit_duration_seconds",
			"Time from handing rules to the kernel until they are in force.",
			commitBuckets,
		),
		programmingSeconds: histogram(
			"kubeproxy_network_programming_duration_seconds",
			"Time from what made endpoints change, as their EndpointSlice says, until the rules follow.",
		),
		lastSync: stamp(
			"kubeproxy_sync_proxy_rules_last_timestamp_seconds",
			"When rules were last written, in seconds since the epoch.",
		),
		lastQueued: stamp(
			"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
			"When a change last asked for that, in seconds since the epoch.",
		),
		serviceChanges: counter(
			"kubeproxy_sync_proxy_rules_service_changes_total",
			"Changes of Services seen.",
		),
		endpointChanges: counter(
			"kubeproxy_sync_proxy_rules_endpoint_changes_total",
			"Changes of EndpointSlices seen.",
		),
		syncFailures: counter(
			"kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
			"Times the kernel refused what was written.",
		),
		healthz: new Counter({
			name: "kubeproxy_proxy_healthz_total",
			help: "Answers of the node's /healthz, by status code.",
			labelNames: ["code"],
			registers,
		}),
		livez: new Counter({
			name: "kubeproxy_proxy_livez_total",
			help: "Answers of the node's /livez, by status code.",
			labelNames: ["code"],
			registers,
		}),
		drift: counter(
			"fairlead_agent_drift_total",
			"Times somebody else had changed the rules, and they were written anew.",
		),
	};
	sum(
		"kubeproxy_sync_proxy_rules_service_changes_pending",
		"Services whose changes the rules do not reflect yet.",
		(from) => from.servicesPending(),
	);
	new Gauge({
		name: "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
		help: "Services whose traffic policy is Local and that have no endpoint on this node, though elsewhere.",
		labelNames: ["traffic_policy"],
		registers,
		collect() {
			let [internal, external] = [0, 0];
			for (const each of sources) {
				const without = each.withoutLocalEndpoints();
				internal += without.internal;
				external += without.external;
			}
			this.set({ traffic_policy: "internal" }, internal);
			this.set({ traffic_policy: "external" }, external);
		},
	});
	sum(
		"fairlead_agent_frontends",
		"Addresses and ports of Services that the rules carry.",
		(from) => from.frontends(),
	);
	sum(
		"fairlead_agent_refused_services",
		"Services the kernel refuses to carry as they should be.",
		(from) => from.refused(),
	);
	return {
		...metrics,
		watch(source) {
			sources.add(source);
			return () => sources.delete(source);
		},
	};
}

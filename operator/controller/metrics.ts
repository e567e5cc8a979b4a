import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { PortUsage } from "./node-ports/usage.ts";

export interface ControllerMetrics {
	syncSeconds: Histogram<"outcome">;
	/** Read when Prometheus asks. */
	watch(source: ControllerGauges): void;
	providerFailures: Counter<"code">;
	orphans: Gauge<"class">;
	orphansDeleted: Counter<"class">;
}

export interface ControllerGauges {
	leading: () => boolean;
	queued: () => { high: number; normal: number };
	/** Undefined while this process does not lead. */
	nodePorts: () => PortUsage | undefined;
	services: () => number;
	eventsDropped: () => number;
	/** By what they do at present. */
	agents: () => Record<string, number>;
	awaitingNodes: () => { waiting: number; overdue: number };
}

/** Registers the controller's metrics; docs/reference/metrics.md lists them. */
export function controllerMetrics(registry: Registry): ControllerMetrics {
	const registers = [registry];
	let source: ControllerGauges | undefined;
	const gauge = (
		name: string,
		help: string,
		read: (from: ControllerGauges) => number,
	) =>
		new Gauge({
			name,
			help,
			registers,
			collect() {
				if (source) this.set(read(source));
			},
		});
	gauge(
		"fairlead_controller_leading",
		"1 while this process holds the Lease and acts.",
		(from) => Number(from.leading()),
	);
	gauge("fairlead_controller_services", "Services in the cache.", (from) =>
		from.services(),
	);
	gauge(
		"fairlead_controller_events_dropped",
		"Events that were never sent, since the process started.",
		(from) => from.eventsDropped(),
	);
	new Gauge({
		name: "fairlead_controller_queue_depth",
		help: "Services that wait for a worker.",
		labelNames: ["priority"],
		registers,
		collect() {
			const depth = source?.queued();
			if (!depth) return;
			this.set({ priority: "high" }, depth.high);
			this.set({ priority: "normal" }, depth.normal);
		},
	});
	new Gauge({
		name: "fairlead_controller_agents",
		help: "Agents by state: programming, idle (rules audit or off), unready (their node takes no traffic) or silent (Lease not renewed).",
		labelNames: ["state"],
		registers,
		collect() {
			for (const [state, count] of Object.entries(source?.agents() ?? {}))
				this.set({ state }, count);
		},
	});
	gauge(
		"fairlead_controller_services_awaiting_nodes",
		"Services whose addresses some node has not programmed yet.",
		(from) => from.awaitingNodes().waiting,
	);
	gauge(
		"fairlead_controller_services_lagging_nodes",
		"Those of them whose nodes have taken longer than 10 s.",
		(from) => from.awaitingNodes().overdue,
	);
	new Gauge({
		name: "fairlead_controller_node_ports",
		help: "NodePorts: used by Services, reserved by pools and not used, and free.",
		labelNames: ["state"],
		registers,
		collect() {
			this.reset();
			const usage = source?.nodePorts();
			if (!usage) return;
			for (const state of ["used", "reserved", "free"] as const)
				this.set({ state }, usage[state]);
		},
	});
	new Gauge({
		name: "fairlead_controller_node_port_conflicts",
		help: "What else uses NodePorts on the nodes, as agents report it, by kind.",
		labelNames: ["kind"],
		registers,
		collect() {
			this.reset();
			const usage = source?.nodePorts();
			for (const [kind, count] of Object.entries(usage?.conflicts ?? {}))
				this.set({ kind }, count);
		},
	});
	return {
		syncSeconds: new Histogram({
			name: "fairlead_controller_sync_seconds",
			help: "Time to bring one Service as far as it goes without waiting for a provider.",
			labelNames: ["outcome"],
			buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
			registers,
		}),
		providerFailures: new Counter({
			name: "fairlead_controller_provider_failures_total",
			help: "Calls to a provider that failed, by error code.",
			labelNames: ["code"],
			registers,
		}),
		orphans: new Gauge({
			name: "fairlead_controller_orphaned_balancers",
			help: "Balancers with this cluster's labels that no Service has, found by the last audit.",
			labelNames: ["class"],
			registers,
		}),
		orphansDeleted: new Counter({
			name: "fairlead_controller_orphans_deleted_total",
			help: "Balancers without a Service that were deleted.",
			labelNames: ["class"],
			registers,
		}),
		watch: (from) => {
			source = from;
		},
	};
}

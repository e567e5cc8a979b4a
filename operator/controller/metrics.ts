import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface ControllerMetrics {
	syncSeconds: Histogram<"outcome">;
	/** Read when Prometheus asks. */
	watch(source: ControllerGauges): void;
	providerFailures: Counter<"code">;
	orphans: Gauge<"class">;
}

export interface ControllerGauges {
	leading: () => boolean;
	queued: () => { high: number; normal: number };
	services: () => number;
	eventsDropped: () => number;
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
			help: "Balancers with this cluster's label and no Service, found by the last audit.",
			labelNames: ["class"],
			registers,
		}),
		watch: (from) => {
			source = from;
		},
	};
}

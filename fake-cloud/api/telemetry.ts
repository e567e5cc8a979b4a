import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Engine } from "../engine/engine.ts";
import type { Store } from "../store/store.ts";

export interface Telemetry {
	/** One request under /v1 was answered, or cut off (`status` 0). */
	answered(
		method: string,
		route: string,
		status: number,
		seconds: number,
	): void;
	registry: Registry;
}

/** What `GET /metrics` gives; a registry of its own, so that several clouds can live in one process. */
export function createTelemetry(store: Store, engine: Engine): Telemetry {
	const registry = new Registry();
	const registers = [registry];
	const requests = new Counter({
		name: "fairlead_cloud_requests_total",
		help: "Requests to the cloud API, by route and HTTP status; status 0 was cut off by a fault.",
		labelNames: ["method", "route", "status"],
		registers,
	});
	const seconds = new Histogram({
		name: "fairlead_cloud_request_seconds",
		help: "Time from a request's arrival to its answer.",
		labelNames: ["method"],
		buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
		registers,
	});
	const gauge = (
		name: string,
		help: string,
		labelNames: string[],
		read: (gauge: Gauge) => void,
	) =>
		new Gauge({
			name,
			help,
			labelNames,
			registers,
			collect() {
				this.reset();
				read(this);
			},
		});
	gauge(
		"fairlead_cloud_resources",
		"Resources there are.",
		["kind"],
		(gauge) => {
			for (const kind of [
				"load_balancer",
				"server",
				"network",
				"ssh_key",
			] as const)
				gauge.set({ kind }, store.all(kind).length);
		},
	);
	gauge(
		"fairlead_cloud_actions_running",
		"Actions that have not ended yet.",
		[],
		(gauge) => gauge.set(store.runningActions().length),
	);
	gauge(
		"fairlead_cloud_targets",
		"Targets times listeners, by health.",
		["status"],
		(gauge) => {
			const counts = { healthy: 0, unhealthy: 0, unknown: 0 };
			for (const report of reports())
				for (const { health } of report.targets)
					for (const { status } of health) counts[status]++;
			for (const [status, count] of Object.entries(counts))
				gauge.set({ status }, count);
		},
	);
	gauge(
		"fairlead_cloud_connections_open",
		"Connections through balancers.",
		[],
		(gauge) => gauge.set(sum("open")),
	);
	gauge(
		"fairlead_cloud_connections_total",
		"Connections to the balancers there are.",
		[],
		(gauge) => gauge.set(sum("total")),
	);
	gauge(
		"fairlead_cloud_connections_failed_total",
		"Connections no target could be had for.",
		[],
		(gauge) => gauge.set(sum("failed")),
	);
	gauge(
		"fairlead_cloud_bytes_total",
		"Payload carried.",
		["direction"],
		(gauge) => {
			gauge.set({ direction: "in" }, sum("bytesIn"));
			gauge.set({ direction: "out" }, sum("bytesOut"));
		},
	);
	const reports = () =>
		store.all("load_balancer").flatMap(({ id }) => engine.report(id) ?? []);
	const sum = (key: "open" | "total" | "failed" | "bytesIn" | "bytesOut") =>
		reports().reduce((total, { counters }) => total + counters[key], 0);
	return {
		registry,
		answered(method, route, status, duration) {
			requests.inc({ method, route, status: String(status) });
			seconds.observe({ method }, duration);
		},
	};
}

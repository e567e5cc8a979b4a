import { readFileSync } from "node:fs";
import { Registry } from "prom-client";
import { createTelemetry } from "../../fake-cloud/api/telemetry.ts";
import type { Engine } from "../../fake-cloud/engine/engine.ts";
import type { Store } from "../../fake-cloud/store/store.ts";
import { auditMetrics } from "../../operator/agent/audit/metrics.ts";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import { controllerMetrics } from "../../operator/controller/metrics.ts";

const page = readFileSync(
	new URL("../../docs/reference/metrics.md", import.meta.url),
	"utf8",
);

describe("docs/reference/metrics.md", () => {
	it("has exactly one row for every metric of the controller, the agent and the fake cloud, with its help", async () => {
		const registry = new Registry();
		controllerMetrics(registry);
		agentMetrics(registry);
		auditMetrics(registry, { findings: new Map(), lookedAt: undefined });
		const rows = [
			...page.matchAll(/^\| `(\w+)` \| (\w+) \|[^|]*\| (.+) \|$/gm),
		].map(([, name, type, help]) => ({ name, type, help }));
		// Only what a cloud without balancers is asked for.
		const store = { all: () => [], runningActions: () => [] };
		const cloud = createTelemetry(store as unknown as Store, {} as Engine);
		const metrics = [
			...(await registry.getMetricsAsJSON()),
			...(await cloud.registry.getMetricsAsJSON()),
		];
		expect(rows).toEqual(
			metrics.map(({ name, type, help }) => ({
				name,
				type: String(type),
				help,
			})),
		);
	});
});

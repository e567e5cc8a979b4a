import { readFileSync } from "node:fs";
import { Registry } from "prom-client";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import { controllerMetrics } from "../../operator/controller/metrics.ts";

const page = readFileSync(
	new URL("../../docs/reference/metrics.md", import.meta.url),
	"utf8",
);

describe("docs/reference/metrics.md", () => {
	it("has exactly one row for every metric of the controller and the agent, with its help", async () => {
		const registry = new Registry();
		controllerMetrics(registry);
		agentMetrics(registry);
		const rows = [
			...page.matchAll(/^\| `(\w+)` \| (\w+) \|[^|]*\| (.+) \|$/gm),
		].map(([, name, type, help]) => ({ name, type, help }));
		const metrics = await registry.getMetricsAsJSON();
		expect(rows).toEqual(
			metrics.map(({ name, type, help }) => ({
				name,
				type: String(type),
				help,
			})),
		);
	});
});

import { readFileSync } from "node:fs";
import { Registry } from "prom-client";
import { dnsMetrics } from "../../operator/dns/metrics.ts";

const page = readFileSync(
	new URL("../../docs/reference/dns.md", import.meta.url),
	"utf8",
);

describe("docs/reference/dns.md", () => {
	it("has exactly one row for every metric of the DNS server, with its help", async () => {
		const registry = new Registry();
		dnsMetrics(registry);
		const rows = [
			...page.matchAll(/^\| `(fairlead_\w+)` \| (\w+) \|[^|]*\| (.+) \|$/gm),
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

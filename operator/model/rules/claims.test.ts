import type { EndpointSlice, Service } from "../../api/core.ts";
import {
	describeTables,
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { compile } from "./compile.ts";

describeTables({
	"two Services with one external IP and port": {
		services: [
			serviceOf(
				{ clusterIPs: ["10.96.0.20"], externalIPs: ["198.51.100.5"] },
				{ name: "young", created: "2026-02-01T00:00:00Z" },
			),
			serviceOf({ externalIPs: ["198.51.100.5"] }),
		],
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.9.9@node-2"], { service: "young" }),
		],
		rows: [
			[
				"are served in favour of the older",
				"outside -> 198.51.100.5 TCP 80",
				"masqueraded to 10.244.1.2:8080",
			],
			[
				"keep their ClusterIPs",
				"pod -> 10.96.0.20 TCP 80",
				"to 10.244.9.9:8080",
			],
		],
	},
	"an old external IP that is another's ClusterIP": {
		services: [
			serviceOf(
				{ clusterIPs: ["10.96.0.20"], externalIPs: ["10.96.0.10"] },
				{ name: "thief", created: "2025-01-01T00:00:00Z" },
			),
			serviceOf(),
		],
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.9.9@node-2"], { service: "thief" }),
		],
		rows: [
			[
				"takes no traffic from it, however old",
				"pod -> 10.96.0.10 TCP 80",
				"to 10.244.1.2:8080",
			],
		],
	},
	"two Services that share an address on different ports": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{ ingress: [{ ip: "203.0.113.10" }] },
			),
			serviceOf(
				{
					type: "LoadBalancer",
					clusterIPs: ["10.96.0.20"],
					ports: [{ name: "http", port: 443 }],
				},
				{ name: "tls", ingress: [{ ip: "203.0.113.10" }] },
			),
		],
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.9.9@node-2"], { service: "tls" }),
		],
		rows: [
			[
				"are both served: the first",
				"outside -> 203.0.113.10 TCP 80",
				"masqueraded to 10.244.1.2:8080",
			],
			[
				"are both served: the second",
				"outside -> 203.0.113.10 TCP 443",
				"masqueraded to 10.244.9.9:8080",
			],
		],
	},
});

describe("what is wrong with a Service", () => {
	const problemsOf = (services: Service[], slices: EndpointSlice[] = []) =>
		Object.fromEntries(compile({ services, slices, node: node1 }).problems);

	it("names the value that cannot be read, and goes on", () => {
		expect(problemsOf([serviceOf({ externalIPs: ["nonsense"] })])).toEqual({
			"default/web": [
				'spec.externalIPs: "nonsense" is not an IP address: IPv4 has four numbers with dots between, this has 1; it is left out',
			],
		});
	});

	it("names the Service that was there first", () => {
		expect(
			problemsOf([
				serviceOf({ externalIPs: ["198.51.100.5"] }),
				serviceOf(
					{ clusterIPs: ["10.96.0.20"], externalIPs: ["198.51.100.5"] },
					{ name: "young", created: "2026-02-01T00:00:00Z" },
				),
			]),
		).toEqual({
			"default/young": [
				"ExternalIP 198.51.100.5 TCP 80 is served by Service default/web, which is older; this Service is not reached there",
			],
		});
	});

	it("says that a source range nobody can read admits nobody", () => {
		expect(
			problemsOf([
				serviceOf({
					type: "LoadBalancer",
					loadBalancerSourceRanges: ["everybody"],
				}),
			])["default/web"],
		).toEqual([
			'spec.loadBalancerSourceRanges: "everybody" is not a CIDR: it has no prefix length; one address is written with /32, or /128 for IPv6; it admits nobody',
		]);
	});
});

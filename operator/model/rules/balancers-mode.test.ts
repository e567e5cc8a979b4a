import {
	describeTables,
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { annotations } from "../../api/names.ts";
import { formatAssignment } from "../assignment.ts";
import { formatExternalIPRecord } from "../external-ips/record.ts";
import { compile } from "./compile.ts";
import type { RulesNode } from "./rules-node.ts";

const beside: RulesNode = { ...node1, mode: "balancers" };

const assigned = (address: string, pools = ["lan"]) => ({
	[annotations.assigned]: formatAssignment({
		addresses: [address],
		class: "lan",
		...(pools.length > 0 ? { pools } : {}),
		number: "7",
	}),
});

const ours = serviceOf(
	{
		type: "LoadBalancer",
		ports: [{ name: "http", port: 80, nodePort: 30080 }],
	},
	{
		annotations: assigned("203.0.113.10"),
		ingress: [{ ip: "203.0.113.10" }, { ip: "203.0.113.99" }],
	},
);

const slices = [sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"])];
const both = "masqueraded to 10.244.1.2:8080, 10.244.2.2:8080";

describeTables({
	"beside another proxy, a Service with an address that Fairlead assigned": {
		services: [ours],
		slices,
		node: beside,
		rows: [
			["is served there", "outside -> 203.0.113.10 TCP 80", both],
			["is served there for pods", "pod -> 203.0.113.10 TCP 80", both],
			[
				"has that address for itself",
				"outside -> 203.0.113.10 TCP 81",
				"rejected",
			],
			["keeps echo there", "outside -> 203.0.113.10 ICMP", "answered"],
			[
				"is left to the other proxy at an address of somebody else",
				"outside -> 203.0.113.99 TCP 80",
				"not ours",
			],
			[
				"is left to it at its ClusterIP",
				"pod -> 10.96.0.10 TCP 80",
				"not ours",
			],
			[
				"is left to it at another port of its ClusterIP",
				"pod -> 10.96.0.10 TCP 81",
				"not ours",
			],
			[
				"is left to it at its NodePort",
				"outside -> 172.30.1.1 TCP 30080",
				"not ours",
			],
		],
	},
	"beside another proxy, an address that a cloud gave": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: assigned("203.0.113.10", []),
					ingress: [{ ip: "203.0.113.10", ipMode: "VIP" }],
				},
			),
		],
		slices,
		node: beside,
		rows: [
			["is served", "outside -> 203.0.113.10 TCP 80", both],
			[
				"is not held, for it may be a machine's",
				"outside -> 203.0.113.10 TCP 81",
				"not ours",
			],
		],
	},
	"beside another proxy, an address that is recorded and not shown yet": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: assigned("203.0.113.10"),
					vouched: ["203.0.113.10"],
				},
			),
		],
		slices,
		node: beside,
		rows: [["is served", "outside -> 203.0.113.10 TCP 80", both]],
	},
	"beside another proxy, an address that somebody wrote into the record": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{ annotations: assigned("203.0.113.10") },
			),
		],
		slices,
		node: beside,
		rows: [["is not served", "outside -> 203.0.113.10 TCP 80", "not ours"]],
	},
	"beside another proxy, external IPs": {
		services: [
			serviceOf(
				{ externalIPs: ["198.51.100.5", "198.51.100.6"] },
				{
					annotations: {
						[annotations.assignedExternalIPs]: formatExternalIPRecord({
							addresses: ["198.51.100.5"],
							pools: ["lan"],
							number: "7",
						}),
					},
				},
			),
		],
		slices,
		node: beside,
		rows: [
			[
				"that Fairlead assigned are served",
				"outside -> 198.51.100.5 TCP 80",
				both,
			],
			[
				"that somebody wrote are left to the other proxy",
				"outside -> 198.51.100.6 TCP 80",
				"not ours",
			],
		],
	},
	"beside another proxy, a record of external IPs that names another's ClusterIP":
		{
			services: [
				serviceOf(),
				serviceOf(
					{ clusterIPs: ["10.96.0.20"] },
					{
						name: "thief",
						annotations: {
							[annotations.assignedExternalIPs]: formatExternalIPRecord({
								addresses: ["10.96.0.10"],
								pools: ["lan"],
								number: "7",
							}),
						},
					},
				),
			],
			slices: [...slices, sliceOf(["10.244.9.9@node-1"], { service: "thief" })],
			node: beside,
			rows: [
				[
					"takes none of its traffic: what the other proxy does not lead away is rejected",
					"pod -> 10.96.0.10 TCP 80",
					"rejected",
				],
			],
		},
	"a Service handed to Fairlead by label, beside another proxy": {
		services: [
			serviceOf(
				{
					type: "LoadBalancer",
					ports: [{ name: "http", port: 80, nodePort: 30080 }],
				},
				{
					labels: {
						"service.kubernetes.io/service-proxy-name": "fairlead.dev",
					},
					ingress: [{ ip: "203.0.113.99" }],
				},
			),
		],
		slices: [
			sliceOf(["10.244.1.2@node-1"], {
				labels: { "service.kubernetes.io/service-proxy-name": "fairlead.dev" },
			}),
		],
		node: beside,
		rows: [
			[
				"is served at its ClusterIP",
				"pod -> 10.96.0.10 TCP 80",
				"to 10.244.1.2:8080",
			],
			[
				"is served at its NodePort",
				"outside -> 172.30.1.1 TCP 30080",
				"masqueraded to 10.244.1.2:8080",
			],
			[
				"is served at any ingress address",
				"outside -> 203.0.113.99 TCP 80",
				"masqueraded to 10.244.1.2:8080",
			],
		],
	},
	"a Service handed to Fairlead by label, where Fairlead carries everything": {
		services: [
			serviceOf(
				{},
				{
					labels: {
						"service.kubernetes.io/service-proxy-name": "fairlead.dev",
					},
				},
			),
		],
		slices,
		rows: [
			[
				"is served as any other",
				"pod -> 10.96.0.10 TCP 80",
				"to 10.244.1.2:8080, 10.244.2.2:8080",
			],
		],
	},
});

describe("the health check of a Service of policy Local, beside another proxy", () => {
	const local = (labels: Record<string, string>) =>
		compile({
			services: [
				serviceOf(
					{
						type: "LoadBalancer",
						externalTrafficPolicy: "Local",
						healthCheckNodePort: 32000,
					},
					{
						labels,
						annotations: assigned("203.0.113.10"),
						ingress: [{ ip: "203.0.113.10" }],
					},
				),
			],
			slices,
			node: beside,
		}).healthChecks;

	it("is left to that proxy", () => {
		expect(local({})).toEqual(new Map());
	});

	it("is ours where the Service is handed over", () => {
		expect(
			local({ "service.kubernetes.io/service-proxy-name": "fairlead.dev" }),
		).toEqual(new Map([["default/web", { port: 32000, localEndpoints: 1 }]]));
	});
});

it("says nothing of Services that another proxy carries when two of them want one address", () => {
	const twice = [
		serviceOf({ externalIPs: ["198.51.100.5"] }),
		serviceOf(
			{ clusterIPs: ["10.96.0.20"], externalIPs: ["198.51.100.5"] },
			{ name: "other" },
		),
	];
	expect(compile({ services: twice, slices, node: beside }).problems).toEqual(
		new Map(),
	);
});

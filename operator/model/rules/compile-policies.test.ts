import type { Service } from "../../api/core.ts";
import {
	describeTables,
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { compile } from "./compile.ts";

const clusterIP = "pod -> 10.96.0.10 TCP 80";
const outside = "outside -> 203.0.113.10 TCP 80";
const pod = "pod -> 203.0.113.10 TCP 80";
const host = "node -> 203.0.113.10 TCP 80";

/** A LoadBalancer at 203.0.113.10 with NodePort 30080. */
const balanced = (policy: "Cluster" | "Local", more: Service["spec"] = {}) =>
	serviceOf(
		{
			type: "LoadBalancer",
			externalTrafficPolicy: policy,
			ports: [{ name: "http", port: 80, nodePort: 30080 }],
			...more,
		},
		{ ingress: [{ ip: "203.0.113.10" }] },
	);

describeTables({
	"internalTrafficPolicy Local": {
		services: [serviceOf({ internalTrafficPolicy: "Local" })],
		slices: [sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"])],
		rows: [["uses this node's endpoints", clusterIP, "to 10.244.1.2:8080"]],
	},
	"internalTrafficPolicy Local with endpoints elsewhere only": {
		services: [serviceOf({ internalTrafficPolicy: "Local" })],
		slices: [sliceOf(["10.244.2.2@node-2"])],
		rows: [["drops", clusterIP, "dropped"]],
	},
	"internalTrafficPolicy Local with no endpoint anywhere": {
		services: [serviceOf({ internalTrafficPolicy: "Local" })],
		slices: [sliceOf(["10.244.2.2@node-2 not-ready"])],
		rows: [["rejects", clusterIP, "rejected"]],
	},
	"internalTrafficPolicy Local where this node's endpoint terminates": {
		services: [serviceOf({ internalTrafficPolicy: "Local" })],
		slices: [sliceOf(["10.244.1.2@node-1 terminating", "10.244.2.2@node-2"])],
		rows: [
			[
				"falls back to it, though others are ready elsewhere",
				clusterIP,
				"to 10.244.1.2:8080",
			],
		],
	},
	"internalTrafficPolicy Local of a balanced Service": {
		services: [balanced("Cluster", { internalTrafficPolicy: "Local" })],
		slices: [sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"])],
		rows: [
			["holds for the ClusterIP", clusterIP, "to 10.244.1.2:8080"],
			[
				"does not hold for the ingress address",
				outside,
				"masqueraded to 10.244.1.2:8080, 10.244.2.2:8080",
			],
		],
	},
	"externalTrafficPolicy Local": {
		services: [balanced("Local")],
		slices: [sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"])],
		rows: [
			[
				"leads who is outside to this node's endpoints, with the client's address",
				outside,
				"to 10.244.1.2:8080",
			],
			[
				"leads pods to any endpoint, with the pod's address",
				pod,
				"to 10.244.1.2:8080, 10.244.2.2:8080",
			],
			[
				"leads the node to any endpoint, masqueraded",
				host,
				"masqueraded to 10.244.1.2:8080, 10.244.2.2:8080",
			],
			[
				"holds for NodePorts",
				"outside -> 172.30.1.1 TCP 30080",
				"to 10.244.1.2:8080",
			],
			[
				"does not hold for the ClusterIP",
				clusterIP,
				"to 10.244.1.2:8080, 10.244.2.2:8080",
			],
		],
	},
	"externalTrafficPolicy Local with endpoints elsewhere only": {
		services: [balanced("Local")],
		slices: [sliceOf(["10.244.2.2@node-2"])],
		rows: [
			["drops who is outside", outside, "dropped"],
			["drops at the NodePort", "outside -> 172.30.1.1 TCP 30080", "dropped"],
			["serves pods", pod, "to 10.244.2.2:8080"],
			["serves the node", host, "masqueraded to 10.244.2.2:8080"],
		],
	},
	"externalTrafficPolicy Local with no endpoint anywhere": {
		services: [balanced("Local")],
		slices: [],
		rows: [
			["rejects who is outside", outside, "rejected"],
			["rejects pods", pod, "rejected"],
		],
	},
	"externalTrafficPolicy Local where this node's endpoint terminates": {
		services: [balanced("Local")],
		slices: [sliceOf(["10.244.1.2@node-1 terminating", "10.244.2.2@node-2"])],
		rows: [
			["falls back to it for who is outside", outside, "to 10.244.1.2:8080"],
			["leads pods to the ready ones", pod, "to 10.244.2.2:8080"],
		],
	},
	"externalTrafficPolicy Local with all endpoints on this node": {
		services: [balanced("Local")],
		slices: [sliceOf(["10.244.1.2@node-1"])],
		rows: [
			["keeps the client's address", outside, "to 10.244.1.2:8080"],
			["masquerades the node itself", host, "masqueraded to 10.244.1.2:8080"],
		],
	},
	"externalTrafficPolicy Local and source ranges": {
		services: [
			balanced("Local", { loadBalancerSourceRanges: ["192.0.2.0/24"] }),
		],
		slices: [sliceOf(["10.244.1.2@node-1"])],
		rows: [
			["drops who is not admitted", outside, "dropped"],
			[
				"admits who is",
				"outside 192.0.2.1 -> 203.0.113.10 TCP 80",
				"to 10.244.1.2:8080",
			],
		],
	},
	"externalTrafficPolicy Local of an external IP": {
		services: [
			serviceOf({
				externalIPs: ["203.0.113.10"],
				externalTrafficPolicy: "Local",
			}),
		],
		slices: [sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"])],
		rows: [["holds for it", outside, "to 10.244.1.2:8080"]],
	},
	"externalTrafficPolicy Local, named by a Service with a ClusterIP alone": {
		services: [serviceOf({ externalTrafficPolicy: "Local" })],
		slices: [sliceOf(["10.244.2.2@node-2"])],
		rows: [["means nothing", clusterIP, "to 10.244.2.2:8080"]],
	},
	"hints and externalTrafficPolicy Local": {
		services: [balanced("Local")],
		slices: [
			sliceOf([
				"10.244.1.2@node-1 zone:zone-b",
				"10.244.2.2@node-2 zone:zone-a",
			]),
		],
		rows: [
			["narrow what pods get", pod, "to 10.244.2.2:8080"],
			["do not narrow what who is outside gets", outside, "to 10.244.1.2:8080"],
		],
	},
});

describe("what a node answers at a healthCheckNodePort", () => {
	const checks = (service: Service, endpoints: string[]) =>
		Object.fromEntries(
			compile({
				services: [service],
				slices: [sliceOf(endpoints)],
				node: node1,
			}).healthChecks,
		);
	const local = balanced("Local", {
		healthCheckNodePort: 32000,
		ports: [
			{ name: "http", port: 80 },
			{ name: "https", port: 443 },
		],
	});

	it("counts this node's ready pods, each once whatever its ports", () => {
		const ports = [
			{ name: "http", port: 8080 },
			{ name: "https", port: 8443 },
		];
		const slice = sliceOf(
			["10.244.1.2@node-1", "10.244.1.3@node-1", "10.244.2.2@node-2"],
			{ ports },
		);
		const { healthChecks } = compile({
			services: [local],
			slices: [slice],
			node: node1,
		});
		expect(Object.fromEntries(healthChecks)).toEqual({
			"default/web": { port: 32000, localEndpoints: 2 },
		});
	});

	it("counts a pod with an address of each family once", () => {
		const { healthChecks } = compile({
			services: [
				balanced("Local", {
					healthCheckNodePort: 32000,
					clusterIPs: ["10.96.0.10", "fd00:10:96::10"],
				}),
			],
			slices: [
				sliceOf(["10.244.1.2@node-1", "10.244.1.3@node-1 not-ready"]),
				sliceOf(["fd00:10:244:1::2@node-1", "fd00:10:244:1::3@node-1"], {
					name: "web-6",
					family: "IPv6",
				}),
			],
			node: node1,
		});
		expect(healthChecks.get("default/web")?.localEndpoints).toBe(2);
	});

	it("does not count a pod that terminates, though it still gets packets", () => {
		expect(checks(local, ["10.244.1.2@node-1 terminating"])).toEqual({
			"default/web": { port: 32000, localEndpoints: 0 },
		});
	});

	it("is nothing for policy Cluster", () => {
		expect(
			checks(balanced("Cluster", { healthCheckNodePort: 32000 }), []),
		).toEqual({});
	});
});

import { node1, serviceOf, sliceOf } from "../../test/support/rules-world.ts";
import type { Node } from "../api/core.ts";
import { compile } from "../model/rules/compile.ts";
import { defaultNodeSettings, rulesNode } from "../model/rules/rules-node.ts";
import { trimNode, trimService, trimSlice } from "./trim.ts";

const service = serviceOf(
	{
		type: "LoadBalancer",
		selector: { app: "web" },
		externalTrafficPolicy: "Local",
		healthCheckNodePort: 32000,
		sessionAffinity: "ClientIP",
	},
	{
		ingress: [{ ip: "203.0.113.9" }],
		vouched: ["203.0.113.10"],
		annotations: {
			"fairlead.dev/assigned": JSON.stringify({
				addresses: ["203.0.113.10"],
				class: "lan",
				pools: ["lan"],
				number: "1",
			}),
			"service.beta.kubernetes.io/load-balancer-source-ranges": "192.0.2.0/24",
			"kubectl.kubernetes.io/last-applied-configuration": "{}",
		},
	},
);
const slice = sliceOf([
	"10.244.1.2@node-1 zone:zone-a",
	"10.244.2.2@node-2 terminating",
]);
const node: Node = {
	metadata: {
		name: "node-1",
		labels: { "topology.kubernetes.io/zone": "zone-a" },
		annotations: { big: "x" },
	},
	spec: { podCIDRs: ["10.244.1.0/24"], providerID: "cloud://1" },
	status: {
		addresses: [{ type: "InternalIP", address: "172.30.1.1" }],
		conditions: [{ type: "Ready", status: "True" }],
	},
};

describe("trimmed objects", () => {
	it("give the same program", () => {
		const whole = compile({
			services: [service],
			slices: [slice],
			node: node1,
		});
		const trimmed = compile({
			services: [trimService(service)],
			slices: [trimSlice(slice)],
			node: node1,
		});
		expect(whole.program.frontends.size).toBeGreaterThan(2);
		expect(trimmed).toEqual(whole);
	});

	it("describe the node the same", () => {
		expect(rulesNode(trimNode(node), defaultNodeSettings)).toEqual(
			rulesNode(node, defaultNodeSettings),
		);
	});

	it("lose what the rules do not need", () => {
		expect(trimService(service).spec).not.toHaveProperty("selector");
		expect(
			Object.keys(trimService(service).metadata.annotations ?? {}),
		).toEqual([
			"fairlead.dev/assigned",
			"service.beta.kubernetes.io/load-balancer-source-ranges",
		]);
		expect(trimNode(node).status).not.toHaveProperty("conditions");
	});

	it("are the same trimmed twice", () => {
		expect(trimService(trimService(service))).toEqual(trimService(service));
		expect(trimSlice(trimSlice(slice))).toEqual(trimSlice(slice));
		expect(trimNode(trimNode(node))).toEqual(trimNode(node));
	});
});

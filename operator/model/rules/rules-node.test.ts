import type { Node } from "../../api/core.ts";
import { defaultNodeSettings, rulesNode } from "./rules-node.ts";

const node: Node = {
	metadata: {
		name: "node-1",
		labels: { "topology.kubernetes.io/zone": "zone-a" },
	},
	spec: { podCIDRs: ["10.244.1.0/24", "fd00:10:244:1::/64"] },
	status: {
		addresses: [
			{ type: "Hostname", address: "node-1" },
			{ type: "ExternalIP", address: "203.0.113.1" },
			{ type: "InternalIP", address: "172.30.1.1" },
			{ type: "InternalIP", address: "172.30.2.1" },
			{ type: "ExternalIP", address: "2001:DB8::1" },
		],
	},
};

describe("a node as its rules need it", () => {
	it("serves NodePorts at its first internal address of each family, or the external one where there is none", () => {
		expect(rulesNode(node, defaultNodeSettings)).toEqual({
			name: "node-1",
			zone: "zone-a",
			nodePortAddresses: ["172.30.1.1", "2001:db8::1"],
			primaryAddresses: ["172.30.1.1", "2001:db8::1"],
			podCidrs: ["10.244.1.0/24", "fd00:10:244:1::/64"],
			masqueradeAll: false,
		});
	});

	it("serves NodePorts at its addresses within the CIDRs that are asked for", () => {
		const settings = {
			...defaultNodeSettings,
			nodePortAddresses: ["172.30.2.0/24", "203.0.113.0/24"],
		};
		expect(rulesNode(node, settings).nodePortAddresses).toEqual([
			"172.30.2.1",
			"203.0.113.1",
		]);
	});

	it("serves no NodePort at a link-local address, even where the Node names no other", () => {
		const addresses = [
			{ type: "InternalIP", address: "172.30.1.1" },
			{ type: "InternalIP", address: "fe80::1" },
			{ type: "ExternalIP", address: "2001:db8::1" },
		];
		const settings = { ...defaultNodeSettings, nodePortAddresses: ["::/0"] };
		const of = (count: number) => ({
			...node,
			status: { addresses: addresses.slice(0, count) },
		});
		expect(rulesNode(of(3), defaultNodeSettings).nodePortAddresses).toEqual([
			"172.30.1.1",
			"2001:db8::1",
		]);
		expect(rulesNode(of(3), settings).nodePortAddresses).toEqual([
			"2001:db8::1",
		]);
		expect(rulesNode(of(2), settings).nodePortAddresses).toEqual([]);
	});

	it("takes the pods' CIDRs of the whole cluster where they are given", () => {
		const settings = {
			...defaultNodeSettings,
			clusterCidrs: ["10.244.0.9/16"],
		};
		expect(rulesNode(node, settings).podCidrs).toEqual(["10.244.0.0/16"]);
	});

	it("is a name alone before anybody has described it", () => {
		const bare = rulesNode(
			{ metadata: { name: "node-1" } },
			defaultNodeSettings,
		);
		expect(bare).toEqual({
			name: "node-1",
			nodePortAddresses: [],
			primaryAddresses: [],
			podCidrs: [],
			masqueradeAll: false,
		});
	});
});

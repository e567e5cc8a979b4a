import {
	describeTables,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { formatAssignment } from "../assignment.ts";

const two = ["10.244.1.2@node-1", "10.244.2.2@node-2"];
const both = "to 10.244.1.2:8080, 10.244.2.2:8080";

const assigned = (addresses: string[], pools?: string[]) => ({
	"fairlead.dev/assigned": formatAssignment({
		addresses,
		class: "lan",
		...(pools ? { pools } : {}),
		number: "7",
	}),
});

describeTables({
	"an ingress address in status": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					ingress: [
						{ ip: "203.0.113.10", ipMode: "VIP" },
						{ ip: "203.0.113.11" },
						{ ip: "203.0.113.12", ipMode: "Proxy" },
						{ hostname: "lb.example" },
						{ ip: "2001:db8::1" },
					],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"of mode VIP leads to any endpoint, masqueraded",
				"outside -> 203.0.113.10 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"leads pods there without the way out",
				"pod -> 203.0.113.10 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"without mode is a VIP",
				"outside -> 203.0.113.11 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"of mode Proxy is left alone: the packets must pass the balancer",
				"pod -> 203.0.113.12 TCP 80",
				"not ours",
			],
			[
				"of a family the Service lacks is left alone",
				"outside -> 2001:db8::1 TCP 80",
				"not ours",
			],
			[
				"that others wrote is not held: it may be a machine's own",
				"outside -> 203.0.113.10 TCP 22",
				"not ours",
			],
			[
				"that others wrote answers no echo request for us",
				"outside -> 203.0.113.10 ICMP",
				"not ours",
			],
		],
	},
	"a record that nothing in status bears out": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: assigned(["203.0.113.10"], ["lan"]),
					vouched: ["203.0.113.1"],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"gives its Service nothing: whoever may edit it can write one",
				"outside -> 203.0.113.10 TCP 80",
				"not ours",
			],
		],
	},
	"an address recorded as assigned from a pool": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: assigned(["203.0.113.10"], ["lan"]),
					vouched: ["203.0.113.10"],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"is served before status says so",
				"outside -> 203.0.113.10 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"is held: another port is rejected",
				"outside -> 203.0.113.10 TCP 22",
				"rejected",
			],
			["answers echo requests", "outside -> 203.0.113.10 ICMP", "answered"],
		],
	},
	"an address that a cloud assigned, with no status yet": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: assigned(["203.0.113.10"]),
					vouched: ["203.0.113.10"],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"is left alone: its packets arrive at the cloud's balancer",
				"pod -> 203.0.113.10 TCP 80",
				"not ours",
			],
		],
	},
	"an address from a pool that status calls a Proxy": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: assigned(["203.0.113.10"], ["lan"]),
					ingress: [{ ip: "203.0.113.10", ipMode: "Proxy" }],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [["is left alone", "pod -> 203.0.113.10 TCP 80", "not ours"]],
	},
	"a record on a Service that is no balancer any more": {
		services: [
			serviceOf(
				{ type: "ClusterIP" },
				{
					annotations: assigned(["203.0.113.10"], ["lan"]),
					vouched: ["203.0.113.10"],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [["is nothing", "outside -> 203.0.113.10 TCP 80", "not ours"]],
	},
	"a record that somebody broke": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{ annotations: { "fairlead.dev/assigned": "{" } },
			),
		],
		slices: [sliceOf(two)],
		rows: [
			["is nothing, and the ClusterIP works", "pod -> 10.96.0.10 TCP 80", both],
		],
	},
	"an external IP": {
		services: [
			serviceOf({ externalIPs: ["198.51.100.5", "nonsense", "2001:db8::5"] }),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"leads to any endpoint, masqueraded",
				"outside -> 198.51.100.5 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"of a family the Service lacks is left alone",
				"outside -> 2001:db8::5 TCP 80",
				"not ours",
			],
			[
				"is not held: it may be a machine's own",
				"outside -> 198.51.100.5 TCP 22",
				"not ours",
			],
			[
				"beside one that cannot be read leaves the ClusterIP working",
				"pod -> 10.96.0.10 TCP 80",
				both,
			],
		],
	},
	"source ranges": {
		services: [
			serviceOf(
				{
					type: "LoadBalancer",
					loadBalancerSourceRanges: [" 198.51.100.0/24 ", "2001:db8::/32"],
					externalIPs: ["198.51.100.5"],
					ports: [{ name: "http", port: 80, nodePort: 30080 }],
				},
				{ ingress: [{ ip: "203.0.113.10" }] },
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"admit who is inside",
				"outside 198.51.100.7 -> 203.0.113.10 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"drop everybody else",
				"outside 192.0.2.7 -> 203.0.113.10 TCP 80",
				"dropped",
			],
			["hold for pods too", "pod -> 203.0.113.10 TCP 80", "dropped"],
			[
				"do not guard NodePorts",
				"outside 192.0.2.7 -> 172.30.1.1 TCP 30080",
				`masqueraded ${both}`,
			],
			[
				"do not guard external IPs",
				"outside 192.0.2.7 -> 198.51.100.5 TCP 80",
				`masqueraded ${both}`,
			],
			["do not guard the ClusterIP", "pod -> 10.96.0.10 TCP 80", both],
		],
	},
	"source ranges of the other family only": {
		services: [
			serviceOf(
				{ type: "LoadBalancer", loadBalancerSourceRanges: ["2001:db8::/32"] },
				{ ingress: [{ ip: "203.0.113.10" }] },
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"leave this family open",
				"outside 192.0.2.7 -> 203.0.113.10 TCP 80",
				`masqueraded ${both}`,
			],
		],
	},
	"a source range of everything": {
		services: [
			serviceOf(
				{
					type: "LoadBalancer",
					loadBalancerSourceRanges: ["192.0.2.0/24", "0.0.0.0/0"],
				},
				{ ingress: [{ ip: "203.0.113.10" }] },
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"opens its family",
				"outside 198.51.100.7 -> 203.0.113.10 TCP 80",
				`masqueraded ${both}`,
			],
		],
	},
	"source ranges in the annotation": {
		services: [
			serviceOf(
				{ type: "LoadBalancer" },
				{
					annotations: {
						"service.beta.kubernetes.io/load-balancer-source-ranges":
							"192.0.2.0/24",
					},
					ingress: [{ ip: "203.0.113.10" }],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"count where the field is empty",
				"outside 198.51.100.7 -> 203.0.113.10 TCP 80",
				"dropped",
			],
		],
	},
	"source ranges in field and annotation": {
		services: [
			serviceOf(
				{ type: "LoadBalancer", loadBalancerSourceRanges: ["198.51.100.0/24"] },
				{
					annotations: {
						"service.beta.kubernetes.io/load-balancer-source-ranges":
							"192.0.2.0/24",
					},
					ingress: [{ ip: "203.0.113.10" }],
				},
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"are those of the field",
				"outside 192.0.2.7 -> 203.0.113.10 TCP 80",
				"dropped",
			],
		],
	},
	"a source range that cannot be read": {
		services: [
			serviceOf(
				{ type: "LoadBalancer", loadBalancerSourceRanges: ["everybody"] },
				{ ingress: [{ ip: "203.0.113.10" }] },
			),
		],
		slices: [sliceOf(two)],
		rows: [["admits nobody", "outside -> 203.0.113.10 TCP 80", "dropped"]],
	},
	"an external IP that is also the ingress address": {
		services: [
			serviceOf(
				{
					type: "LoadBalancer",
					externalIPs: ["203.0.113.10"],
					loadBalancerSourceRanges: ["192.0.2.0/24"],
				},
				{ ingress: [{ ip: "203.0.113.10" }] },
			),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"is served once, with the source ranges",
				"outside 198.51.100.7 -> 203.0.113.10 TCP 80",
				"dropped",
			],
		],
	},
});

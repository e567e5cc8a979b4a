import {
	describeTables,
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";

const two = ["10.244.1.2@node-1", "10.244.2.2@node-2"];
const twoV6 = ["fd00:10:244:1::2@node-1", "fd00:10:244:2::2@node-2"];
const both = "to 10.244.1.2:8080, 10.244.2.2:8080";
const dns = [
	{ name: "dns", port: 53, protocol: "UDP" as const },
	{ name: "dns-tcp", port: 53, protocol: "TCP" as const },
];

describeTables({
	"a ClusterIP": {
		services: [serviceOf()],
		slices: [sliceOf(two)],
		rows: [
			[
				"leads a pod to any endpoint, with the pod's address",
				"pod -> 10.96.0.10 TCP 80",
				both,
			],
			[
				"leads the node to any endpoint, masqueraded",
				"node -> 10.96.0.10 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"leads who is outside to any endpoint, masqueraded",
				"outside -> 10.96.0.10 TCP 80",
				`masqueraded ${both}`,
			],
			[
				"rejects a port that no Service has",
				"pod -> 10.96.0.10 TCP 81",
				"rejected",
			],
			[
				"rejects another protocol on the same port",
				"pod -> 10.96.0.10 UDP 80",
				"rejected",
			],
			["answers no echo request", "pod -> 10.96.0.10 ICMP", "not ours"],
			["leaves other addresses alone", "pod -> 10.96.0.11 TCP 80", "not ours"],
			[
				"leaves the node's own ports alone",
				"outside -> 172.30.1.1 TCP 80",
				"not ours",
			],
		],
	},
	"a ClusterIP where a pod asks itself": {
		services: [serviceOf()],
		slices: [sliceOf(["10.244.1.9@node-1"])],
		rows: [
			[
				"is masqueraded, or the pod would answer itself directly",
				"pod -> 10.96.0.10 TCP 80",
				"masqueraded to 10.244.1.9:8080",
			],
		],
	},
	"a ClusterIP under masqueradeAll": {
		services: [serviceOf()],
		slices: [sliceOf(two)],
		node: { ...node1, masqueradeAll: true },
		rows: [
			[
				"masquerades pods too",
				"pod -> 10.96.0.10 TCP 80",
				`masqueraded ${both}`,
			],
		],
	},
	"a ClusterIP where nobody knows which addresses are pods": {
		services: [serviceOf()],
		slices: [sliceOf(two)],
		node: { ...node1, podCidrs: [] },
		rows: [["masquerades nobody", "outside -> 10.96.0.10 TCP 80", both]],
	},
	"a Service of two protocols on one port": {
		services: [serviceOf({ ports: dns })],
		slices: [
			sliceOf(["10.244.1.2@node-1"], {
				ports: [
					{ name: "dns", protocol: "UDP", port: 5353 },
					{ name: "dns-tcp", protocol: "TCP", port: 5354 },
				],
			}),
		],
		rows: [
			[
				"leads UDP to the UDP port",
				"pod -> 10.96.0.10 UDP 53",
				"to 10.244.1.2:5353",
			],
			[
				"leads TCP to the TCP port",
				"pod -> 10.96.0.10 TCP 53",
				"to 10.244.1.2:5354",
			],
			["rejects SCTP", "pod -> 10.96.0.10 SCTP 53", "rejected"],
		],
	},
	"a Service with SCTP": {
		services: [serviceOf({ ports: [{ port: 132, protocol: "SCTP" }] })],
		slices: [sliceOf(two, { ports: [{ protocol: "SCTP", port: 9 }] })],
		rows: [
			[
				"is served like the others",
				"pod -> 10.96.0.10 SCTP 132",
				"to 10.244.1.2:9, 10.244.2.2:9",
			],
		],
	},
	"a Service of both families": {
		services: [serviceOf({ clusterIPs: ["10.96.0.10", "fd00:96::a"] })],
		slices: [sliceOf(two), sliceOf(twoV6, { name: "web-6", family: "IPv6" })],
		rows: [
			["leads IPv4 to IPv4 endpoints", "pod -> 10.96.0.10 TCP 80", both],
			[
				"leads IPv6 to IPv6 endpoints",
				"pod -> fd00:96::a TCP 80",
				"to [fd00:10:244:1::2]:8080, [fd00:10:244:2::2]:8080",
			],
			[
				"masquerades IPv6 from outside",
				"outside -> fd00:96::a TCP 80",
				"masqueraded to [fd00:10:244:1::2]:8080, [fd00:10:244:2::2]:8080",
			],
		],
	},
	"a Service whose IPv6 ClusterIP is written long": {
		services: [serviceOf({ clusterIPs: ["FD00:96:0:0:0:0:0:0A"] })],
		slices: [sliceOf(["fd00:10:244:1:0:0:0:2@node-1"], { family: "IPv6" })],
		rows: [
			[
				"is found by the canonical address",
				"pod -> fd00:96::a TCP 80",
				"to [fd00:10:244:1::2]:8080",
			],
		],
	},
	"a NodePort": {
		services: [
			serviceOf({
				type: "NodePort",
				ports: [{ name: "http", port: 80, nodePort: 30080 }],
			}),
		],
		slices: [sliceOf(two)],
		rows: [
			[
				"leads who is outside to any endpoint, masqueraded",
				"outside -> 172.30.1.1 TCP 30080",
				`masqueraded ${both}`,
			],
			[
				"leads a pod to any endpoint, masqueraded",
				"pod -> 172.30.1.1 TCP 30080",
				`masqueraded ${both}`,
			],
			[
				"leads the node itself to any endpoint, masqueraded",
				"node -> 172.30.1.1 TCP 30080",
				`masqueraded ${both}`,
			],
			[
				"is not at another node's address",
				"outside -> 172.30.1.2 TCP 30080",
				"not ours",
			],
			[
				"leaves the node's other ports alone",
				"outside -> 172.30.1.1 TCP 22",
				"not ours",
			],
			[
				"is not at the node's address of a family the Service lacks",
				"outside -> fd00:172:30::1:1 TCP 30080",
				"not ours",
			],
			["is not at the ClusterIP", "pod -> 10.96.0.10 TCP 30080", "rejected"],
		],
	},
	"a NodePort of an IPv6 Service": {
		services: [
			serviceOf({
				type: "NodePort",
				clusterIPs: ["fd00:96::a"],
				ports: [{ name: "http", port: 80, nodePort: 30080 }],
			}),
		],
		slices: [sliceOf(twoV6, { family: "IPv6" })],
		rows: [
			[
				"is at the node's IPv6 address",
				"outside -> fd00:172:30::1:1 TCP 30080",
				"masqueraded to [fd00:10:244:1::2]:8080, [fd00:10:244:2::2]:8080",
			],
			[
				"is not at the node's IPv4 address",
				"outside -> 172.30.1.1 TCP 30080",
				"not ours",
			],
		],
	},
	"a NodePort on a node without address": {
		services: [
			serviceOf({
				type: "NodePort",
				ports: [{ name: "http", port: 80, nodePort: 30080 }],
			}),
		],
		slices: [sliceOf(two)],
		node: { ...node1, nodePortAddresses: [] },
		rows: [
			["is nowhere", "outside -> 172.30.1.1 TCP 30080", "not ours"],
			["keeps its ClusterIP", "pod -> 10.96.0.10 TCP 80", both],
		],
	},
	"a headless Service": {
		services: [serviceOf({ clusterIPs: ["None"], clusterIP: "None" })],
		slices: [sliceOf(two)],
		rows: [
			[
				"has no rules: its endpoints are reached as they are",
				"pod -> 10.244.1.2 TCP 8080",
				"not ours",
			],
		],
	},
	"addresses that every link has anew": {
		services: [
			serviceOf(
				{
					type: "LoadBalancer",
					clusterIPs: ["fd00:96::10"],
					externalIPs: ["fe80::5", "2001:db8::5"],
				},
				{ ingress: [{ ip: "fe80::6" }] },
			),
		],
		slices: [
			sliceOf(["fd00:10:244:1::2@node-1"], { name: "v6", family: "IPv6" }),
		],
		rows: [
			["are left out of external IPs", "outside -> fe80::5 TCP 80", "not ours"],
			[
				"are left out of ingress addresses",
				"outside -> fe80::6 TCP 80",
				"not ours",
			],
			[
				"do not keep others out",
				"outside -> 2001:db8::5 TCP 80",
				"masqueraded to [fd00:10:244:1::2]:8080",
			],
		],
	},
	"an ExternalName": {
		services: [
			serviceOf({
				type: "ExternalName",
				clusterIPs: [],
				externalName: "db.example",
				externalIPs: ["198.51.100.5"],
			}),
		],
		slices: [],
		rows: [
			[
				"has no rules, whatever else it says",
				"pod -> 198.51.100.5 TCP 80",
				"not ours",
			],
		],
	},
	"a Service of another proxy": {
		services: [
			serviceOf(
				{},
				{ labels: { "service.kubernetes.io/service-proxy-name": "other" } },
			),
		],
		slices: [sliceOf(two)],
		rows: [["is left alone", "pod -> 10.96.0.10 TCP 80", "not ours"]],
	},
	"a Service labelled headless": {
		services: [
			serviceOf({}, { labels: { "service.kubernetes.io/headless": "" } }),
		],
		slices: [
			sliceOf(two),
			sliceOf(["10.244.1.9@node-1"], {
				name: "headless",
				labels: { "service.kubernetes.io/headless": "" },
			}),
		],
		rows: [
			[
				"is carried, but for slices with that label",
				"pod -> 10.96.0.10 TCP 80",
				"to 10.244.1.2:8080, 10.244.2.2:8080",
			],
		],
	},
	"a Service without ClusterIP yet": {
		services: [serviceOf({ clusterIPs: [], externalIPs: ["198.51.100.5"] })],
		slices: [sliceOf(two)],
		rows: [["is not served yet", "outside -> 198.51.100.5 TCP 80", "not ours"]],
	},
});

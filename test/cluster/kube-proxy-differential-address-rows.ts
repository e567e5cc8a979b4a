import { all, type Subject } from "./kube-proxy-differential-subject.ts";

const everyPod = [{ endpoints: ["pod-1", "pod-2", "pod-3"] }];

/** Which addresses and ports are served, for whom, and what source address endpoints see. */
export const addressSubjects: Record<string, Subject> = {
	"a Service with every kind of address": {
		spec: { type: "LoadBalancer" },
		ingress: "VIP",
		externalIPs: 1,
		slices: everyPod,
		rows: [
			["outside, node -> ClusterIP", all("node")],
			[
				"pod-1 -> ClusterIP",
				"pod-1 sees node, pod-2 sees pod-1, pod-3 sees pod-1",
			],
			["outside, node, pod-1, pod-3 -> NodePort", all("node")],
			["outside, node, pod-1, pod-3 -> ingress", all("node")],
			["outside, node, pod-1, pod-3 -> externalIP", all("node")],
			["outside, node, pod-1 -> ClusterIP 81", "refused"],
			["outside, pod-1, node -> ingress 81", "wanders"],
			["outside, pod-1, node -> externalIP 81", "wanders"],
		],
	},
	"a Service whose one endpoint is pod-1": {
		spec: { type: "LoadBalancer" },
		ingress: "VIP",
		slices: [{ endpoints: ["pod-1"] }],
		rows: [
			["pod-1 -> ClusterIP", "pod-1 sees node"],
			["pod-2 -> ClusterIP", "pod-1 sees pod-2"],
			["pod-3 -> ClusterIP", "pod-1 sees pod-3"],
			["pod-1 -> NodePort, ingress", "pod-1 sees node"],
		],
	},
	"a Service whose one endpoint is the node itself": {
		spec: { type: "LoadBalancer" },
		ingress: "VIP",
		slices: [{ endpoints: ["node"] }],
		rows: [
			["outside -> ClusterIP, NodePort, ingress", "node sees outside"],
			["pod-1 -> ClusterIP, NodePort, ingress", "node sees pod-1"],
			["node -> ClusterIP, NodePort, ingress", "node sees node"],
		],
	},
	"a Service with two ports": {
		spec: {
			type: "LoadBalancer",
			ports: [
				{ name: "one", port: 80, protocol: "TCP" },
				{ name: "two", port: 81, protocol: "TCP" },
			],
		},
		ingress: "VIP",
		slices: [
			{
				endpoints: ["pod-1", "pod-2"],
				ports: [
					{ name: "one", port: 8080 },
					{ name: "two", port: 8081 },
				],
			},
		],
		rows: [
			[
				"outside -> ClusterIP, NodePort, ingress TCP",
				"pod-1 sees node, pod-2 sees node",
			],
			[
				"outside -> ClusterIP, NodePort, ingress 81 TCP",
				"pod-1:8081 sees node, pod-2:8081 sees node",
			],
			["pod-3 -> ClusterIP UDP", "refused"],
		],
	},
	"a Service whose named target port is another number in each pod": {
		spec: {
			type: "NodePort",
			ports: [{ name: "web", port: 80, targetPort: "web", protocol: "TCP" }],
		},
		slices: [
			{ endpoints: ["pod-1"], ports: [{ name: "web", port: 8080 }] },
			{ endpoints: ["pod-2"], ports: [{ name: "web", port: 8081 }] },
		],
		rows: [
			["outside -> ClusterIP TCP", "pod-1 sees node, pod-2:8081 sees node"],
			["pod-3 -> ClusterIP TCP", "pod-1 sees pod-3, pod-2:8081 sees pod-3"],
			["outside -> NodePort TCP", "pod-1 sees node, pod-2:8081 sees node"],
		],
	},
	"a Service whose TCP and UDP ports share a number and lead to different pods":
		{
			spec: { type: "LoadBalancer" },
			ingress: "VIP",
			slices: [
				{
					endpoints: ["pod-1"],
					ports: [{ name: "tcp", protocol: "TCP", port: 8080 }],
				},
				{
					endpoints: ["pod-2"],
					ports: [{ name: "udp", protocol: "UDP", port: 8080 }],
				},
			],
			rows: [
				["outside -> ClusterIP, NodePort, ingress TCP", "pod-1 sees node"],
				["outside -> ClusterIP, NodePort, ingress UDP", "pod-2 sees node"],
			],
		},
	"a Service of TCP alone": {
		spec: {
			type: "LoadBalancer",
			ports: [{ port: 80, protocol: "TCP" }],
		},
		ingress: "VIP",
		externalIPs: 1,
		slices: [{ endpoints: ["pod-1"], ports: [{ name: "", port: 8080 }] }],
		rows: [
			["outside -> ClusterIP, NodePort, ingress TCP", "pod-1 sees node"],
			["outside, pod-1 -> ClusterIP UDP", "refused"],
			["outside -> ingress, externalIP UDP", "wanders"],
		],
	},
	"a Service without NodePorts": {
		spec: { type: "LoadBalancer", allocateLoadBalancerNodePorts: false },
		ingress: "VIP",
		slices: everyPod,
		rows: [["outside, node, pod-1 -> ingress", all("node")]],
	},
	"a Service behind a balancer of mode Proxy": {
		spec: { type: "LoadBalancer" },
		ingress: "Proxy",
		slices: everyPod,
		rows: [
			["outside, pod-1, node -> ingress", "wanders"],
			["outside -> NodePort", all("node")],
		],
	},
	"a Service whose balancer has only a name": {
		spec: { type: "LoadBalancer" },
		status: () => ({
			loadBalancer: { ingress: [{ hostname: "balancer.example" }] },
		}),
		slices: everyPod,
		rows: [["outside -> NodePort", all("node")]],
	},
	"a Service of IPv4 with addresses of both families": {
		spec: {
			type: "LoadBalancer",
			ipFamilyPolicy: "SingleStack",
			ipFamilies: ["IPv4"],
		},
		ingress: "VIP",
		externalIPs: 1,
		slices: [{ endpoints: ["pod-1"] }],
		rows: [
			["outside -> ClusterIP IPv4", "pod-1 sees node"],
			["outside -> NodePort IPv4", "pod-1 sees node"],
			["outside -> ingress, externalIP IPv4", "pod-1 sees node"],
			["outside -> ingress, externalIP IPv6", "wanders"],
			["outside -> NodePort IPv6", "refused"],
		],
	},
	"a Service of IPv6 with addresses of both families": {
		spec: {
			type: "LoadBalancer",
			ipFamilyPolicy: "SingleStack",
			ipFamilies: ["IPv6"],
		},
		ingress: "VIP",
		externalIPs: 1,
		slices: [{ endpoints: ["pod-1"] }],
		rows: [
			["outside -> ClusterIP IPv6", "pod-1 sees node"],
			["outside -> NodePort IPv6", "pod-1 sees node"],
			["outside -> ingress, externalIP IPv6", "pod-1 sees node"],
			["outside -> ingress, externalIP IPv4", "wanders"],
			["outside -> NodePort IPv4", "refused"],
		],
	},
	"a headless Service with external IPs": {
		spec: { clusterIP: "None" },
		externalIPs: 1,
		slices: everyPod,
		rows: [["outside, pod-1, node -> externalIP", "wanders"]],
	},
	"an ExternalName Service with external IPs": {
		spec: {
			type: "ExternalName",
			externalName: "elsewhere.example",
			ipFamilyPolicy: undefined,
		} as never,
		externalIPs: 1,
		slices: everyPod,
		rows: [["outside, pod-1, node -> externalIP", "wanders"]],
	},
	"a Service of another proxy, by label service-proxy-name": {
		spec: { type: "LoadBalancer" },
		labels: { "service.kubernetes.io/service-proxy-name": "another" },
		ingress: "VIP",
		externalIPs: 1,
		slices: everyPod,
		rows: [
			["outside, pod-1, node -> ingress, externalIP", "wanders"],
			["outside, pod-1, node -> NodePort", "refused"],
		],
	},
	"a Service labelled headless": {
		spec: { type: "LoadBalancer" },
		labels: { "service.kubernetes.io/headless": "" },
		ingress: "VIP",
		slices: everyPod,
		rows: [["outside, node -> ClusterIP, NodePort, ingress", all("node")]],
	},
	"a Service with a slice labelled headless": {
		slices: [
			{ endpoints: ["pod-1"] },
			{
				endpoints: ["pod-2"],
				labels: { "service.kubernetes.io/headless": "" },
			},
		],
		rows: [["outside -> ClusterIP", "pod-1 sees node"]],
	},
	"a Service with a slice that names another proxy": {
		slices: [
			{
				endpoints: ["pod-2"],
				labels: { "service.kubernetes.io/service-proxy-name": "another" },
			},
		],
		rows: [["outside -> ClusterIP", "pod-2 sees node"]],
	},
};

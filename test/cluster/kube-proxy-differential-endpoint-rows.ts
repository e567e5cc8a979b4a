import { all, type Subject } from "./kube-proxy-differential-subject.ts";

const exposed = {
	spec: { type: "LoadBalancer" },
	ingress: "VIP",
	externalIPs: 1,
} as const;

/** Which endpoints are used: readiness, serving while terminating, hints. */
export const endpointSubjects: Record<string, Subject> = {
	"a Service without endpoints": {
		...exposed,
		slices: [],
		rows: [
			[
				"outside, node, pod-1 -> ClusterIP, NodePort, ingress, externalIP",
				"refused",
			],
		],
	},
	"a Service whose endpoints are not ready": {
		...exposed,
		slices: [{ endpoints: ["pod-1 not-ready", "pod-3 not-ready"] }],
		rows: [
			["outside, node, pod-2 -> ClusterIP, ingress", "refused"],
			["outside -> NodePort, externalIP", "refused"],
		],
	},
	"a Service with some endpoints that are not ready": {
		...exposed,
		slices: [{ endpoints: ["pod-1 not-ready", "pod-2", "pod-3 gone"] }],
		rows: [["outside -> ClusterIP, NodePort, ingress", "pod-2 sees node"]],
	},
	"a Service that publishes endpoints that are not ready": {
		spec: { publishNotReadyAddresses: true },
		slices: [{ endpoints: ["pod-1 unready-published", "pod-2 not-ready"] }],
		rows: [["outside, node -> ClusterIP", "pod-1 sees node"]],
	},
	"a Service whose endpoints say nothing of their state": {
		slices: [{ endpoints: ["pod-1 unknown", "pod-2 unknown"] }],
		rows: [["outside -> ClusterIP", "pod-1 sees node, pod-2 sees node"]],
	},
	"a Service with an endpoint in two slices": {
		slices: [{ endpoints: ["pod-1", "pod-2"] }, { endpoints: ["pod-1"] }],
		rows: [["outside -> ClusterIP", "pod-1 sees node, pod-2 sees node"]],
	},
	"a Service with slices of IPv4 alone": {
		slices: [{ endpoints: ["pod-1"], families: ["IPv4"] }],
		rows: [
			["outside -> ClusterIP IPv4", "pod-1 sees node"],
			["outside, pod-1 -> ClusterIP IPv6", "refused"],
		],
	},
	"a Service with an endpoint that terminates and one that is ready": {
		...exposed,
		slices: [{ endpoints: ["pod-1 terminating", "pod-2"] }],
		rows: [["outside -> ClusterIP, NodePort, ingress", "pod-2 sees node"]],
	},
	"a Service all of whose endpoints terminate": {
		...exposed,
		slices: [
			{ endpoints: ["pod-1 terminating", "pod-2 gone", "pod-3 terminating"] },
		],
		rows: [
			[
				"outside, node -> ClusterIP, NodePort, ingress",
				"pod-1 sees node, pod-3 sees node",
			],
			["pod-2 -> ClusterIP", "pod-1 sees pod-2, pod-3 sees pod-2"],
		],
	},
	"a Service all of whose endpoints are gone": {
		...exposed,
		slices: [{ endpoints: ["pod-1 gone", "pod-3 gone"] }],
		rows: [["outside, node, pod-2 -> ClusterIP, NodePort, ingress", "refused"]],
	},
	"a Service of policy Local whose endpoint here terminates while one elsewhere is ready":
		{
			spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" },
			ingress: "VIP",
			slices: [{ endpoints: ["pod-1 terminating", "pod-3"] }],
			rows: [
				["outside -> NodePort, ingress", "pod-1 sees outside"],
				["pod-2 -> NodePort, ingress", "pod-3 sees pod-2"],
				["node -> NodePort, ingress", "pod-3 sees node"],
				["outside -> ClusterIP", "pod-3 sees node"],
			],
		},
	"a Service of policy Local with an endpoint here that terminates beside one that is ready":
		{
			spec: {
				type: "LoadBalancer",
				externalTrafficPolicy: "Local",
				internalTrafficPolicy: "Local",
			},
			ingress: "VIP",
			slices: [{ endpoints: ["pod-1 terminating", "pod-2"] }],
			rows: [
				["outside -> NodePort, ingress", "pod-2 sees outside"],
				["outside -> ClusterIP", "pod-2 sees node"],
			],
		},
	"a Service of internal policy Local whose endpoint here terminates while one elsewhere is ready":
		{
			spec: { internalTrafficPolicy: "Local" },
			slices: [{ endpoints: ["pod-1 terminating", "pod-3"] }],
			rows: [
				["pod-2 -> ClusterIP", "pod-1 sees pod-2"],
				["outside, node -> ClusterIP", "pod-1 sees node"],
			],
		},
	"a Service of policy Local whose endpoint here is gone": {
		spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" },
		ingress: "VIP",
		slices: [{ endpoints: ["pod-1 gone", "pod-3"] }],
		rows: [
			["outside -> NodePort, ingress", "dropped"],
			["pod-2 -> ingress", "pod-3 sees pod-2"],
		],
	},
	"a Service of policy Local whose last endpoint terminates elsewhere": {
		spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" },
		ingress: "VIP",
		slices: [{ endpoints: ["pod-1 gone", "pod-3 terminating"] }],
		rows: [
			["outside -> NodePort, ingress", "dropped"],
			["pod-2 -> ingress", "pod-3 sees pod-2"],
		],
	},
	"a Service with hints of zones": {
		spec: { type: "LoadBalancer", trafficDistribution: "PreferSameZone" },
		ingress: "VIP",
		slices: [
			{
				endpoints: [
					"pod-1 zone:zone-a",
					"pod-2 zone:zone-b",
					"pod-3 zone:zone-a zone:zone-b",
				],
			},
		],
		rows: [
			[
				"outside, node -> ClusterIP, NodePort, ingress",
				"pod-1 sees node, pod-3 sees node",
			],
		],
	},
	"a Service with hints of zones for some endpoints": {
		spec: { trafficDistribution: "PreferSameZone" },
		slices: [
			{ endpoints: ["pod-1 zone:zone-a", "pod-2", "pod-3 zone:zone-b"] },
		],
		rows: [["outside -> ClusterIP", all("node")]],
	},
	"a Service with hints of other zones": {
		spec: { trafficDistribution: "PreferSameZone" },
		slices: [{ endpoints: ["pod-1 zone:zone-b", "pod-2 zone:zone-c"] }],
		rows: [["outside -> ClusterIP", "pod-1 sees node, pod-2 sees node"]],
	},
	"a Service whose endpoint without a hint is not ready": {
		spec: { trafficDistribution: "PreferSameZone" },
		slices: [
			{
				endpoints: [
					"pod-1 zone:zone-a",
					"pod-2 not-ready",
					"pod-3 zone:zone-b",
				],
			},
		],
		rows: [["outside -> ClusterIP", "pod-1 sees node"]],
	},
	"a Service with hints of zones, all of whose endpoints terminate": {
		spec: { trafficDistribution: "PreferSameZone" },
		slices: [
			{
				endpoints: [
					"pod-1 terminating zone:zone-a",
					"pod-3 terminating zone:zone-b",
				],
			},
		],
		rows: [["outside -> ClusterIP", "pod-1 sees node, pod-3 sees node"]],
	},
	"a Service with hints of nodes": {
		spec: { type: "NodePort", trafficDistribution: "PreferSameNode" },
		slices: [
			{
				endpoints: [
					"pod-1 node:node-1 zone:zone-a",
					"pod-2 node:node-2 zone:zone-a",
					"pod-3 node:node-2 zone:zone-a",
				],
			},
		],
		rows: [["outside, node -> ClusterIP, NodePort", "pod-1 sees node"]],
	},
	"a Service with hints of other nodes, and of zones": {
		spec: { trafficDistribution: "PreferSameNode" },
		slices: [
			{
				endpoints: [
					"pod-1 node:node-2 zone:zone-a",
					"pod-3 node:node-2 zone:zone-b",
				],
			},
		],
		rows: [["outside -> ClusterIP", "pod-1 sees node"]],
	},
	"a Service of policy Local with hints": {
		spec: {
			type: "LoadBalancer",
			externalTrafficPolicy: "Local",
			trafficDistribution: "PreferSameZone",
		},
		ingress: "VIP",
		slices: [
			{
				endpoints: [
					"pod-1 zone:zone-a",
					"pod-2 zone:zone-b",
					"pod-3 zone:zone-a",
				],
			},
		],
		rows: [
			[
				"outside -> NodePort, ingress",
				"pod-1 sees outside, pod-2 sees outside",
			],
			["node -> NodePort, ingress", "pod-1 sees node, pod-3 sees node"],
			["outside -> ClusterIP", "pod-1 sees node, pod-3 sees node"],
		],
	},
};

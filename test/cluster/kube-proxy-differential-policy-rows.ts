import { all, type Subject } from "./kube-proxy-differential-subject.ts";

const everyPod = [{ endpoints: ["pod-1", "pod-2", "pod-3"] }];
const hereAndElsewhere = [{ endpoints: ["pod-1", "pod-3"] }];
const elsewhere = [{ endpoints: ["pod-3"] }];

const always = "always pod-1 sees node or pod-2 sees node or pod-3 sees node";

/** Traffic policies, source ranges, session affinity. */
export const policySubjects: Record<string, Subject> = {
	"a Service of policy Local with an endpoint here": {
		spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" },
		ingress: "VIP",
		externalIPs: 1,
		slices: hereAndElsewhere,
		rows: [
			["outside -> NodePort, ingress, externalIP", "pod-1 sees outside"],
			[
				"node -> NodePort, ingress, externalIP",
				"pod-1 sees node, pod-3 sees node",
			],
			[
				"pod-2 -> NodePort, ingress, externalIP",
				"pod-1 sees pod-2, pod-3 sees pod-2",
			],
			[
				"pod-1 -> NodePort, ingress, externalIP",
				"pod-1 sees node, pod-3 sees pod-1",
			],
			["outside, node -> ClusterIP", "pod-1 sees node, pod-3 sees node"],
			["outside -> ClusterIP 81", "refused"],
		],
	},
	"a Service of policy Local with endpoints elsewhere alone": {
		spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" },
		ingress: "VIP",
		externalIPs: 1,
		slices: elsewhere,
		rows: [
			["outside -> NodePort, ingress, externalIP", "dropped"],
			["node -> NodePort, ingress, externalIP", "pod-3 sees node"],
			["pod-1 -> NodePort, ingress, externalIP", "pod-3 sees pod-1"],
			["outside -> ClusterIP", "pod-3 sees node"],
		],
	},
	"a Service of policy Local without endpoints": {
		spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" },
		ingress: "VIP",
		externalIPs: 1,
		slices: [],
		rows: [
			["outside, node, pod-1 -> NodePort, ingress, externalIP", "refused"],
			["outside, pod-1 -> ClusterIP", "refused"],
		],
	},
	"a NodePort Service of policy Local": {
		spec: { type: "NodePort", externalTrafficPolicy: "Local" },
		slices: hereAndElsewhere,
		rows: [
			["outside -> NodePort", "pod-1 sees outside"],
			["pod-2 -> NodePort", "pod-1 sees pod-2, pod-3 sees pod-2"],
		],
	},
	"a Service of internal policy Local with an endpoint here": {
		spec: { type: "LoadBalancer", internalTrafficPolicy: "Local" },
		ingress: "VIP",
		slices: hereAndElsewhere,
		rows: [
			["pod-1 -> ClusterIP", "pod-1 sees node"],
			["pod-2 -> ClusterIP", "pod-1 sees pod-2"],
			["outside, node -> ClusterIP", "pod-1 sees node"],
			[
				"outside, pod-2 -> NodePort, ingress",
				"pod-1 sees node, pod-3 sees node",
			],
		],
	},
	"a Service of internal policy Local with endpoints elsewhere alone": {
		spec: { type: "LoadBalancer", internalTrafficPolicy: "Local" },
		ingress: "VIP",
		slices: elsewhere,
		rows: [
			["outside, node, pod-1 -> ClusterIP", "dropped"],
			["outside, node, pod-1 -> NodePort, ingress", "pod-3 sees node"],
		],
	},
	"a Service of internal policy Local without endpoints": {
		spec: { internalTrafficPolicy: "Local" },
		slices: [],
		rows: [["outside, node, pod-1 -> ClusterIP", "refused"]],
	},
	"a Service of both policies Local": {
		spec: {
			type: "LoadBalancer",
			internalTrafficPolicy: "Local",
			externalTrafficPolicy: "Local",
		},
		ingress: "VIP",
		slices: hereAndElsewhere,
		rows: [
			["outside -> NodePort, ingress", "pod-1 sees outside"],
			["pod-2 -> ClusterIP", "pod-1 sees pod-2"],
			["pod-2 -> ingress", "pod-1 sees pod-2, pod-3 sees pod-2"],
		],
	},
	"a Service for the networks of outside": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: [
				"198.18.0.0/15",
				"192.0.2.8/29",
				"2001:db8:ffff::/48",
				"2001:db8:2::10/124",
			],
		},
		ingress: "VIP",
		externalIPs: 1,
		slices: everyPod,
		rows: [
			["outside -> ingress", all("node")],
			["pod-1, node -> ingress", "dropped"],
			["outside, pod-1 -> NodePort, externalIP", all("node")],
			["outside, node -> ClusterIP", all("node")],
		],
	},
	"a Service for other networks": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["192.0.2.128/25", "2001:db8:ffff::/48"],
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [
			["outside, pod-1, node -> ingress", "dropped"],
			["outside -> NodePort", all("node")],
		],
	},
	"a Service for pods": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["10.244.0.0/16", "2001:db8:244::/48"],
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [
			["pod-1, pod-3 -> ingress", all("node")],
			["outside, node -> ingress", "dropped"],
		],
	},
	"a Service for one address": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["192.0.2.10/32", "2001:db8:2::10/128"],
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [
			["outside -> ingress", all("node")],
			["node, pod-2 -> ingress", "dropped"],
		],
	},
	"a Service for networks of IPv4 alone": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["192.0.2.128/25"],
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [
			["outside, pod-1 -> ingress IPv4", "dropped"],
			["outside, pod-1 -> ingress IPv6", all("node")],
		],
	},
	"a Service for everybody of IPv4, and one network of IPv6": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["0.0.0.0/0", "2001:db8:ffff::/48"],
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [
			["outside, pod-1 -> ingress IPv4", all("node")],
			["outside, pod-1 -> ingress IPv6", "dropped"],
		],
	},
	"a Service of policy Local for the networks of outside": {
		spec: {
			type: "LoadBalancer",
			externalTrafficPolicy: "Local",
			loadBalancerSourceRanges: ["192.0.2.0/25", "2001:db8:2::/63"],
		},
		ingress: "VIP",
		slices: hereAndElsewhere,
		rows: [
			["outside -> ingress", "pod-1 sees outside"],
			["pod-2 -> ingress", "dropped"],
			["outside -> NodePort", "pod-1 sees outside"],
		],
	},
	"a Service without endpoints for other networks": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["192.0.2.128/25", "2001:db8:ffff::/48"],
		},
		ingress: "VIP",
		slices: [],
		rows: [["outside, pod-1 -> ingress", "dropped"]],
	},
	"a Service with session affinity": {
		spec: { type: "LoadBalancer", sessionAffinity: "ClientIP" },
		ingress: "VIP",
		externalIPs: 1,
		slices: everyPod,
		rows: [
			["outside, node -> ClusterIP", always],
			["outside, node, pod-1 -> NodePort, ingress, externalIP", always],
			[
				"pod-2 -> ClusterIP",
				"always pod-1 sees pod-2 or pod-2 sees node or pod-3 sees pod-2",
			],
		],
	},
	"a Service of policy Local with session affinity": {
		spec: {
			type: "LoadBalancer",
			externalTrafficPolicy: "Local",
			sessionAffinity: "ClientIP",
			sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [
			[
				"outside -> NodePort, ingress",
				"always pod-1 sees outside or pod-2 sees outside",
			],
		],
	},
	"a Service with session affinity and one endpoint": {
		spec: { type: "LoadBalancer", sessionAffinity: "ClientIP" },
		ingress: "VIP",
		slices: [{ endpoints: ["pod-1"] }],
		rows: [["pod-1, outside -> ClusterIP, ingress", "pod-1 sees node"]],
	},
};

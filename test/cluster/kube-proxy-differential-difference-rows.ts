import { annotations } from "../../operator/api/names.ts";
import { assignedCondition } from "../support/assigned-condition.ts";
import { all, type Subject } from "./kube-proxy-differential-subject.ts";

const everyPod = [{ endpoints: ["pod-1", "pod-2", "pod-3"] }];

/** Where the two do not agree, row by row of docs/reference/rules.md. */
export const differenceSubjects: Record<string, Subject> = {
	"a Service to which Fairlead assigned an address": {
		spec: { type: "LoadBalancer" },
		ingress: "VIP",
		annotations: ({ ingress }) => ({
			[annotations.assigned]: JSON.stringify({
				addresses: [ingress.IPv4, ingress.IPv6],
				class: "lan",
				pools: ["lan", "lan"],
				number: "1",
			}),
		}),
		status: ({ ingress }) => ({
			conditions: [assignedCondition(ingress.IPv4, ingress.IPv6)],
		}),
		slices: everyPod,
		rows: [["outside -> ingress", all("node")]],
		differences: [
			{
				about: "a port nobody serves at an address Fairlead assigned",
				question: "outside, pod-1, node -> ingress 81",
				kubeProxy: "wanders",
				fairlead: "refused",
			},
		],
	},
	"a Service with external IPs that no pool grants": {
		externalIPs: 1,
		ungranted: true,
		slices: everyPod,
		rows: [["outside -> ClusterIP", all("node")]],
		differences: [
			{
				about: "`spec.externalIPs` that no AddressPool grants",
				question: "outside, pod-1, node -> externalIP",
				kubeProxy: all("node"),
				fairlead: "wanders",
			},
		],
	},
	"a Service whose source ranges are in the annotation": {
		spec: { type: "LoadBalancer" },
		ingress: "VIP",
		annotations: () => ({
			"service.beta.kubernetes.io/load-balancer-source-ranges":
				"192.0.2.128/25,2001:db8:ffff::/48",
		}),
		slices: everyPod,
		rows: [["outside -> NodePort", all("node")]],
		differences: [
			{
				about: "`service.beta.kubernetes.io/load-balancer-source-ranges`",
				question: "outside, pod-1 -> ingress",
				kubeProxy: all("node"),
				fairlead: "dropped",
			},
		],
	},
	"a Service whose source range has a leading zero": {
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["192.0.2.010/32"],
		},
		ingress: "VIP",
		slices: everyPod,
		rows: [["outside -> NodePort", all("node")]],
		differences: [
			{
				about: "a source range with leading zeros, or of IPv4 in IPv6",
				question: "outside -> ingress",
				kubeProxy: all("node"),
				fairlead: "dropped",
			},
		],
	},
	"a Service whose external IP has a leading zero": {
		externalIPs: 1,
		leadingZeros: true,
		slices: everyPod,
		rows: [],
		differences: [
			{
				about: "addresses of IPv4 with leading zeros, IPv4 in IPv6",
				question: "outside, node -> externalIP IPv4",
				kubeProxy: all("node"),
				fairlead: "wanders",
			},
		],
	},
	"a Service of another proxy": {
		labels: { "service.kubernetes.io/service-proxy-name": "another" },
		slices: everyPod,
		rows: [],
		differences: [
			{
				about: "an address that ClusterIPs come from, and no Service has",
				question: "outside, pod-1, node -> ClusterIP",
				kubeProxy: "dropped",
				fairlead: "wanders",
			},
		],
	},
	"a Service with session affinity at many addresses": {
		spec: { sessionAffinity: "ClientIP" },
		externalIPs: 60,
		slices: everyPod,
		rows: [],
		differences: [
			{
				about: "`sessionAffinity: ClientIP`",
				// Each question at the next address: 60 draws miss one of three once in 10^10 runs.
				question: "outside -> externalIP",
				kubeProxy:
					"always pod-1 sees node or pod-2 sees node or pod-3 sees node",
				fairlead: all("node"),
			},
		],
	},
	"a Service whose one endpoint is pod-3, seen from this node": {
		slices: [{ endpoints: ["pod-3"] }],
		rows: [["pod-1 -> ClusterIP", "pod-3 sees pod-1"]],
		differences: [
			{
				about: "a pod that is sent back to itself",
				question: "pod-3 -> ClusterIP",
				kubeProxy: "dropped",
				fairlead: "pod-3 sees node",
			},
		],
	},
};

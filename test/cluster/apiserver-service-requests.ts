import {
	services,
	service,
	create,
	get,
	patch,
	balancer,
	condition,
	type Row,
} from "./apiserver-step.ts";

/** Services: defaults, allocation, validation, updates and status. */
export const serviceRows: Row[] = [
	// Services: defaults and allocation
	["a Service gets a ClusterIP and defaults", create("web")],
	["a NodePort Service gets ports", create("web", { type: "NodePort" })],
	[
		"a LoadBalancer Service gets everything a NodePort Service has",
		create("web", balancer),
	],
	[
		"a LoadBalancer Service with policy Local gets a health check port",
		create("web", { ...balancer, externalTrafficPolicy: "Local" }),
	],
	[
		"a LoadBalancer Service may do without NodePorts",
		create("web", { ...balancer, allocateLoadBalancerNodePorts: false }),
	],
	["a headless Service has no address", create("web", { clusterIP: "None" })],
	[
		"a headless Service without a selector is of both families",
		create("web", { clusterIP: "None", selector: null }),
	],
	[
		"an ExternalName Service is a name and nothing else",
		create("web", {
			type: "ExternalName",
			externalName: "example.com",
			ports: [],
		}),
	],
	[
		"session affinity has a default timeout",
		create("web", { sessionAffinity: "ClientIP" }),
	],
	[
		"TCP and UDP of one port share a NodePort",
		create("web", {
			type: "NodePort",
			ports: [
				{ name: "t", port: 53, protocol: "TCP" },
				{ name: "u", port: 53, protocol: "UDP" },
			],
		}),
	],
	[
		"a NodePort that is held is refused",
		create("first", {
			type: "NodePort",
			ports: [{ port: 80, nodePort: 30011 }],
		}),
		create("second", {
			type: "NodePort",
			ports: [{ port: 80, nodePort: 30011 }],
		}),
	],
	[
		"a NodePort outside the range is refused",
		create("web", { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] }),
	],
	[
		"a ClusterIP that is held is refused",
		create("first", { clusterIP: "10.96.0.77" }),
		create("second", { clusterIP: "10.96.0.77" }),
	],
	[
		"a ClusterIP outside the range is refused",
		create("web", { clusterIP: "192.0.2.1" }),
	],
	[
		"a second family is refused where there is one",
		create("web", { ipFamilyPolicy: "RequireDualStack" }),
		create("web", { ipFamilies: ["IPv6"] }),
		create("web", { ipFamilyPolicy: "PreferDualStack" }),
	],
	[
		"a dry run shows the base of the range and keeps nothing",
		{ ...create("web", balancer), path: `${services}?dryRun=All` },
		get(`${services}/web`),
	],
	[
		"external IPs are warned about and make a traffic policy needed",
		create("web", { externalIPs: ["203.0.113.4"] }),
	],

	// Services: validation
	["a Service needs ports", create("web", { ports: [] })],
	[
		"several ports need names",
		create("web", { ports: [{ port: 80 }, { port: 81 }] }),
	],
	[
		"ports of one number and protocol, and names, are given once",
		create("web", {
			ports: [
				{ name: "a", port: 80 },
				{ name: "a", port: 80 },
			],
		}),
	],
	[
		"ports, names and protocols have their bounds",
		create("web", {
			ports: [
				{ name: "UP", port: 0, protocol: "ICMP", targetPort: "no--name" },
			],
		}),
	],
	["a Service's name is a DNS label", create("web.two")],
	["a Service's name may begin with a digit", create("2web")],
	["a type must be known", create("web", { type: "Balancer" })],
	[
		"a class is for LoadBalancer Services",
		create("web", { loadBalancerClass: "fairlead.dev/x" }),
		create("web", { ...balancer, loadBalancerClass: "not a name" }),
		create("web", { ...balancer, loadBalancerClass: "fairlead.dev/x" }),
	],
	[
		"a class does not change while the type stays",
		create("web", { ...balancer, loadBalancerClass: "fairlead.dev/x" }),
		patch("merge", `${services}/web`, {
			spec: { loadBalancerClass: "fairlead.dev/y" },
		}),
	],
	[
		"source ranges are CIDRs, of LoadBalancer Services",
		create("web", { ...balancer, loadBalancerSourceRanges: ["10.0.0.0"] }),
		create("web", { loadBalancerSourceRanges: ["10.0.0.0/8"] }),
	],
	[
		"external IPs are addresses that are not special",
		create("web", { externalIPs: ["127.0.0.1", "x", "0.0.0.0"] }),
	],
	[
		"a NodePort is not for ClusterIP Services",
		create("web", { ports: [{ port: 80, nodePort: 30012 }] }),
	],
	[
		"a traffic policy is for externally accessible Services",
		create("web", { externalTrafficPolicy: "Local" }),
		create("web", { ...balancer, externalTrafficPolicy: "Far" }),
	],
	[
		"a headless Service cannot be balanced",
		create("web", { ...balancer, clusterIP: "None" }),
	],
	[
		"an ExternalName must be a name and have no address",
		create("web", { type: "ExternalName", externalName: "Not_A_Name" }),
		create("web", { type: "ExternalName", clusterIP: "10.96.0.9" }),
	],
	[
		"a distribution must be known",
		create("web", { trafficDistribution: "Near" }),
	],

	// Services: updates
	[
		"leaving LoadBalancer clears class, NodePorts and ingress and keeps conditions",
		create("web", { ...balancer, loadBalancerClass: "fairlead.dev/x" }),
		patch("merge", `${services}/web/status`, {
			status: {
				loadBalancer: { ingress: [{ ip: "203.0.113.9" }] },
				conditions: [condition("fairlead.dev/Serving")],
			},
		}),
		patch("merge", `${services}/web`, { spec: { type: "ClusterIP" } }),
	],
	[
		"becoming ExternalName gives the address back",
		create("web"),
		patch("merge", `${services}/web`, {
			spec: { type: "ExternalName", externalName: "example.com" },
		}),
		patch("merge", `${services}/web`, { spec: { type: "ClusterIP" } }),
	],
	[
		"a ClusterIP does not change",
		create("web"),
		patch("merge", `${services}/web`, { spec: { clusterIP: "10.96.0.78" } }),
	],
	[
		"switching NodePorts off keeps those that are there",
		create("web", balancer),
		patch("merge", `${services}/web`, {
			spec: { allocateLoadBalancerNodePorts: false },
		}),
	],
	[
		"an update that leaves out what was allocated keeps it",
		create("web", { ...balancer, ports: [{ port: 80, nodePort: 30013 }] }),
		{ method: "PUT", path: `${services}/web`, body: service("web", balancer) },
	],
	[
		"policy Local comes and goes with its health check port",
		create("web", balancer),
		patch("merge", `${services}/web`, {
			spec: { externalTrafficPolicy: "Local" },
		}),
		patch("merge", `${services}/web`, { spec: { healthCheckNodePort: 30014 } }),
		patch("merge", `${services}/web`, {
			spec: { externalTrafficPolicy: "Cluster" },
		}),
	],

	// Status
	[
		"status takes ingress, ports and conditions, and metadata too",
		create("web", balancer),
		patch("strategic", `${services}/web/status`, {
			metadata: { annotations: { a: "b" }, finalizers: ["example.com/x"] },
			status: {
				loadBalancer: {
					ingress: [
						{ ip: "203.0.113.9", ports: [{ port: 80, protocol: "TCP" }] },
						{ hostname: "lb.example.com" },
					],
				},
				conditions: [condition("A")],
			},
		}),
		patch("strategic", `${services}/web/status`, {
			status: { conditions: [condition("B")] },
		}),
	],
	[
		"ingress is checked",
		create("web", balancer),
		patch("merge", `${services}/web/status`, {
			status: {
				loadBalancer: {
					ingress: [
						{ ip: "nowhere" },
						{ hostname: "203.0.113.9" },
						{ hostname: "x", ipMode: "VIP" },
						{ ip: "203.0.113.9", ipMode: "Other" },
					],
				},
			},
		}),
	],
	[
		"ingress is for LoadBalancer Services",
		create("web"),
		patch("merge", `${services}/web/status`, {
			status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } },
		}),
	],
	[
		"status does not change the spec",
		create("web", balancer),
		patch("merge", `${services}/web/status`, {
			spec: { sessionAffinity: "ClientIP" },
		}),
	],
];

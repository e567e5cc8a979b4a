import type { Condition, KubeObject } from "./meta.ts";

/** The parts of core/v1 and discovery.k8s.io/v1 that Fairlead reads, as they stand on the wire. */

export type Protocol = "TCP" | "UDP" | "SCTP";
export type IPFamily = "IPv4" | "IPv6";

export interface ServicePort {
	name?: string;
	protocol?: Protocol;
	appProtocol?: string;
	port: number;
	targetPort?: number | string;
	nodePort?: number;
}

export interface ServiceSpec {
	type?: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
	clusterIP?: string;
	clusterIPs?: string[];
	ipFamilies?: IPFamily[];
	ipFamilyPolicy?: "SingleStack" | "PreferDualStack" | "RequireDualStack";
	ports?: ServicePort[];
	selector?: Record<string, string>;
	externalIPs?: string[];
	externalName?: string;
	loadBalancerIP?: string;
	loadBalancerClass?: string;
	loadBalancerSourceRanges?: string[];
	allocateLoadBalancerNodePorts?: boolean;
	externalTrafficPolicy?: "Cluster" | "Local";
	internalTrafficPolicy?: "Cluster" | "Local";
	healthCheckNodePort?: number;
	sessionAffinity?: "None" | "ClientIP";
	sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
	publishNotReadyAddresses?: boolean;
	trafficDistribution?: string;
}

export interface LoadBalancerIngress {
	ip?: string;
	hostname?: string;
	ipMode?: "VIP" | "Proxy";
	ports?: { port: number; protocol: Protocol; error?: string }[];
}

export interface ServiceStatus {
	loadBalancer?: { ingress?: LoadBalancerIngress[] };
	conditions?: Condition[];
}

export interface Service extends KubeObject {
	spec: ServiceSpec;
	status?: ServiceStatus;
}

export interface Node extends KubeObject {
	spec?: {
		providerID?: string;
		podCIDRs?: string[];
		taints?: { key: string; value?: string; effect: string }[];
		unschedulable?: boolean;
	};
	status?: {
		addresses?: { type: string; address: string }[];
		conditions?: { type: string; status: string }[];
	};
}

export interface Endpoint {
	addresses: string[];
	conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
	nodeName?: string;
	zone?: string;
}

export interface EndpointSlice extends KubeObject {
	addressType: "IPv4" | "IPv6" | "FQDN";
	endpoints?: Endpoint[];
	ports?: { name?: string; protocol?: Protocol; port?: number }[];
}

export interface Secret extends KubeObject {
	data?: Record<string, string>;
}

export interface Lease extends KubeObject {
	spec?: {
		holderIdentity?: string;
		leaseDurationSeconds?: number;
		acquireTime?: string;
		renewTime?: string;
		leaseTransitions?: number;
	};
}

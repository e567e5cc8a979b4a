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

/** networking.k8s.io/v1: a range that ClusterIPs come from. */
export interface ServiceCIDR extends KubeObject {
	spec: { cidrs: string[] };
}

export interface Node extends KubeObject {
	spec?: {
		providerID?: string;
		podCIDR?: string;
		podCIDRs?: string[];
		taints?: { key: string; value?: string; effect: string }[];
		unschedulable?: boolean;
	};
	status?: {
		addresses?: { type: string; address: string }[];
		conditions?: {
			type: string;
			status: string;
			reason?: string;
			message?: string;
			lastHeartbeatTime?: string;
			lastTransitionTime?: string;
		}[];
		/** Quantities by resource. */
		capacity?: Record<string, string>;
		allocatable?: Record<string, string>;
		nodeInfo?: Record<string, string>;
	};
}

export interface Endpoint {
	addresses: string[];
	conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
	nodeName?: string;
	zone?: string;
	hostname?: string;
	targetRef?: {
		kind?: string;
		namespace?: string;
		name?: string;
		uid?: string;
	};
	hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

export interface EndpointSlice extends KubeObject {
	addressType: "IPv4" | "IPv6" | "FQDN";
	endpoints?: Endpoint[];
	ports?: {
		name?: string;
		protocol?: Protocol;
		port?: number;
		appProtocol?: string;
	}[];
}

export interface ContainerPort {
	name?: string;
	containerPort: number;
	hostPort?: number;
	hostIP?: string;
	protocol?: Protocol;
}

export interface EnvVar {
	name: string;
	value?: string;
	valueFrom?: {
		fieldRef?: { fieldPath: string };
		configMapKeyRef?: { name: string; key: string; optional?: boolean };
		secretKeyRef?: { name: string; key: string; optional?: boolean };
	};
}

export interface Probe {
	httpGet?: {
		path?: string;
		port: number | string;
		host?: string;
		scheme?: "HTTP" | "HTTPS";
		httpHeaders?: { name: string; value: string }[];
	};
	tcpSocket?: { port: number | string; host?: string };
	exec?: { command?: string[] };
	initialDelaySeconds?: number;
	periodSeconds?: number;
	timeoutSeconds?: number;
	successThreshold?: number;
	failureThreshold?: number;
	terminationGracePeriodSeconds?: number;
}

export interface Container {
	name: string;
	image?: string;
	command?: string[];
	args?: string[];
	workingDir?: string;
	env?: EnvVar[];
	envFrom?: {
		prefix?: string;
		configMapRef?: { name: string; optional?: boolean };
		secretRef?: { name: string; optional?: boolean };
	}[];
	ports?: ContainerPort[];
	livenessProbe?: Probe;
	readinessProbe?: Probe;
	startupProbe?: Probe;
	/** Of an init container that goes on running beside the others (a sidecar). */
	restartPolicy?: "Always";
	volumeMounts?: { name: string; mountPath: string }[];
}

export interface ContainerState {
	waiting?: { reason?: string; message?: string };
	running?: { startedAt?: string };
	terminated?: {
		exitCode: number;
		signal?: number;
		reason?: string;
		message?: string;
		startedAt?: string;
		finishedAt?: string;
		containerID?: string;
	};
}

export interface ContainerStatus {
	name: string;
	ready: boolean;
	started?: boolean;
	restartCount: number;
	image: string;
	imageID: string;
	containerID?: string;
	state?: ContainerState;
	lastState?: ContainerState;
}

export interface PodSpec {
	nodeName?: string;
	nodeSelector?: Record<string, string>;
	schedulerName?: string;
	containers: Container[];
	initContainers?: Container[];
	restartPolicy?: "Always" | "OnFailure" | "Never";
	terminationGracePeriodSeconds?: number;
	enableServiceLinks?: boolean;
	hostNetwork?: boolean;
	hostname?: string;
	subdomain?: string;
	hostAliases?: { ip: string; hostnames?: string[] }[];
	serviceAccountName?: string;
	dnsPolicy?: "ClusterFirst" | "ClusterFirstWithHostNet" | "Default" | "None";
	dnsConfig?: {
		nameservers?: string[];
		searches?: string[];
		options?: { name: string; value?: string }[];
	};
	readinessGates?: { conditionType: string }[];
	tolerations?: {
		key?: string;
		operator?: "Exists" | "Equal";
		value?: string;
		effect?: string;
	}[];
}

export interface PodStatus {
	phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
	conditions?: {
		type: string;
		status: "True" | "False" | "Unknown";
		reason?: string;
		message?: string;
		lastProbeTime?: string | null;
		lastTransitionTime?: string;
	}[];
	message?: string;
	reason?: string;
	hostIP?: string;
	hostIPs?: { ip: string }[];
	podIP?: string;
	podIPs?: { ip: string }[];
	startTime?: string;
	containerStatuses?: ContainerStatus[];
	initContainerStatuses?: ContainerStatus[];
	qosClass?: string;
}

export interface Pod extends KubeObject {
	spec: PodSpec;
	status?: PodStatus;
}

export interface ConfigMap extends KubeObject {
	data?: Record<string, string>;
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

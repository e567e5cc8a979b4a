/** Every name Fairlead writes on somebody's objects, in one place. */

export const group = "fairlead.dev";
export const groupVersion = "fairlead.dev/v1alpha1";

/** `loadBalancerClass: fairlead.dev/<name of a BalancerClass>` */
export const classPrefix = "fairlead.dev/";

export const annotations = {
	/** What address the Service holds, from where; written before anything is built on it. JSON, see model/assignment.ts. */
	assigned: "fairlead.dev/assigned",
	/** Class and provider that hold something for the Service, until clean-up: `<class>/<provider>`. */
	provisionedBy: "fairlead.dev/provisioned-by",
	/** Addresses the user asks for, comma-separated, one per family. */
	addresses: "fairlead.dev/addresses",
	/** AddressPool the user asks for. */
	pool: "fairlead.dev/pool",
	sharingKey: "fairlead.dev/sharing-key",
	/** NodePorts the user asks for: `PORTNAME=30080,…` or `80/TCP=30080,…`, or the name of a NodePortPool. */
	nodePorts: "fairlead.dev/node-ports",
	/** `Keep`: a class with nodePorts Release leaves this Service its NodePorts. */
	releaseNodePorts: "fairlead.dev/release-node-ports",
	/** `auto`, or the name of the AddressPool to take an external IP from. */
	externalIPs: "fairlead.dev/external-ips",
	/** The external IPs that were assigned for it. JSON, see model/external-ips/record.ts. */
	assignedExternalIPs: "fairlead.dev/assigned-external-ips",
	/** `hcloud-ccm`: take over the balancer that controller made for the Service; `no`: leave it and make another. */
	adopt: "fairlead.dev/adopt",
} as const;

/** On the Lease of an agent. */
export const agentAnnotations = {
	/** What the agent says of its node; JSON, see model/agent-report.ts. */
	report: "fairlead.dev/agent-report",
	/** Which process writes it: two agents that run for one node find each other by it. */
	instance: "fairlead.dev/agent-instance",
} as const;

/** Agents' Leases are `fairlead-agent-<node>` in Fairlead's namespace and carry this label. */
export const agentLease = {
	prefix: "fairlead-agent-",
	label: "fairlead.dev/component",
	labelValue: "agent",
} as const;

/** MetalLB's annotations, read but never written. */
export const metallbAnnotations = {
	pool: "metallb.io/address-pool",
	addresses: "metallb.io/loadBalancerIPs",
	sharingKey: "metallb.io/allow-shared-ip",
} as const;

/** Names MetalLB used before 0.13.10; it still reads them, and so do we, after those above. */
export const oldMetallbAnnotations = {
	pool: "metallb.universe.tf/address-pool",
	addresses: "metallb.universe.tf/loadBalancerIPs",
	sharingKey: "metallb.universe.tf/allow-shared-ip",
} as const;

export const finalizers = {
	/** For class-less Services: the name every cloud controller uses, so that a hand-over between controllers works. */
	classless: "service.kubernetes.io/load-balancer-cleanup",
	/**
	 * For Services with a loadBalancerClass: the upstream service controller strips the one above from Services it
	 * does not own (it does not look at the class), so these need one of our own.
	 */
	classed: "fairlead.dev/balancer",
	/** On a BalancerClass while a Service holds something through it. */
	classInUse: "fairlead.dev/class-in-use",
} as const;

export const conditions = {
	addressAssigned: "fairlead.dev/AddressAssigned",
	provisioned: "fairlead.dev/Provisioned",
	programmed: "fairlead.dev/Programmed",
	serving: "fairlead.dev/Serving",
	/** Only on Services with spec.externalIPs or annotation fairlead.dev/external-ips. */
	externalIPs: "fairlead.dev/ExternalIPs",
	/** Only on Services with annotation fairlead.dev/node-ports, or that a NodePortPool serves, or with a conflict. */
	nodePorts: "fairlead.dev/NodePorts",
} as const;

/** Event reasons of the upstream service controller (k8s.io/cloud-provider, controllers/service). */
export const eventReasons = {
	ensuring: "EnsuringLoadBalancer",
	ensured: "EnsuredLoadBalancer",
	deleting: "DeletingLoadBalancer",
	deleted: "DeletedLoadBalancer",
	syncFailed: "SyncLoadBalancerFailed",
	deleteFailed: "DeleteLoadBalancerFailed",
} as const;

/** Labels on everything Fairlead makes in a cloud. */
export const cloudLabels = {
	cluster: "fairlead.dev/cluster",
	serviceUid: "fairlead.dev/service-uid",
	serviceNamespace: "fairlead.dev/service-namespace",
	serviceName: "fairlead.dev/service-name",
} as const;

export const nodeLabels = {
	/** Source: k8s.io/api/core/v1 well_known_labels.go. */
	exclude: "node.kubernetes.io/exclude-from-external-load-balancers",
} as const;

export const nodeTaints = {
	/** Source: k8s.io/cloud-provider, ToBeDeletedTaint. */
	toBeDeleted: "ToBeDeletedByClusterAutoscaler",
} as const;

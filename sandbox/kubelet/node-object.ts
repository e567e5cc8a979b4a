import type { Lease, Node } from "../../operator/api/core.ts";
import { stamp } from "./pod-status.ts";

export interface NodeFacts {
	name: string;
	address: string;
	podCidr: string;
	/** As hcloud://42. */
	providerID?: string;
	labels?: Record<string, string>;
	machine: {
		cpus: number;
		memoryBytes: number;
		arch: string;
		os: string;
		kernel: string;
	};
}

interface NodeCondition {
	type: string;
	status: "True" | "False" | "Unknown";
	reason: string;
	message: string;
	lastHeartbeatTime: string;
	lastTransitionTime: string;
}

/** The version kubectl shows for the sandbox's nodes: the one its API server speaks. */
export const kubeletVersion = "v1.37.2";

/** How often the kubelet reports (nodeStatusReportFrequency) and renews its Lease; how long the Lease stands. */
export const reportEveryMs = 300_000;
export const renewEveryMs = 10_000;
export const leaseSeconds = 40;

const namespace = "kube-node-lease";

/** What a kubelet creates when its node is not there (pkg/kubelet/kubelet_node_status.go, initialNode). */
export function newNode(
	facts: NodeFacts,
	status: ReturnType<typeof nodeStatus>,
): Node {
	const { name, podCidr, providerID, labels } = facts;
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, labels: { ...ownLabels(facts), ...labels } },
		spec: {
			podCIDR: podCidr,
			podCIDRs: [podCidr],
			...(providerID !== undefined && { providerID }),
		} as NonNullable<Node["spec"]>,
		status,
	};
}

/** Labels every kubelet sets on its node, also on one that others made. */
export function ownLabels({
	name,
	machine,
}: NodeFacts): Record<string, string> {
	return {
		"kubernetes.io/hostname": name,
		"kubernetes.io/os": machine.os,
		"kubernetes.io/arch": machine.arch,
	};
}

/** The status it reports, ready or on its way out; a condition that stays as it is keeps its time of change. */
export function nodeStatus(
	facts: NodeFacts,
	before: Node | undefined,
	ready: boolean,
	now: number,
) {
	const { name, address, machine } = facts;
	const known = (before?.status?.conditions ?? []) as NodeCondition[];
	const condition = (
		type: string,
		status: "True" | "False",
		reason: string,
		message: string,
	): NodeCondition => {
		const old = known.find((each) => each.type === type);
		return {
			type,
			status,
			reason,
			message,
			lastHeartbeatTime: stamp(now),
			lastTransitionTime:
				old?.status === status && old.lastTransitionTime
					? old.lastTransitionTime
					: stamp(now),
		};
	};
	const types = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
	const resources = {
		cpu: String(machine.cpus),
		memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
		pods: "110",
	};
	return {
		addresses: [
			{ type: "InternalIP", address },
			{ type: "Hostname", address: name },
		],
		capacity: resources,
		allocatable: resources,
		conditions: [
			condition(
				"MemoryPressure",
				"False",
				"KubeletHasSufficientMemory",
				"kubelet has sufficient memory available",
			),
			condition(
				"DiskPressure",
				"False",
				"KubeletHasNoDiskPressure",
				"kubelet has no disk pressure",
			),
			condition(
				"PIDPressure",
				"False",
				"KubeletHasSufficientPID",
				"kubelet has sufficient PID available",
			),
			ready
				? condition(
						"Ready",
						"True",
						"KubeletReady",
						"kubelet is posting ready status",
					)
				: condition(
						"Ready",
						"False",
						"KubeletNotReady",
						"the kubelet of this node has been stopped",
					),
			...known.filter(({ type }) => !types.includes(type)),
		],
		nodeInfo: {
			machineID: "",
			systemUUID: "",
			bootID: "",
			kernelVersion: machine.kernel,
			osImage: "Fairlead sandbox",
			containerRuntimeVersion: "process://1",
			kubeletVersion,
			kubeProxyVersion: "",
			operatingSystem: machine.os,
			architecture: machine.arch,
		},
	};
}

/** The Lease that says the kubelet lives; it goes with its node. */
export function nodeLease(node: Node, now: number): Lease {
	const { name, uid } = node.metadata;
	return {
		apiVersion: "coordination.k8s.io/v1",
		kind: "Lease",
		metadata: {
			namespace,
			name,
			...(uid !== undefined && {
				ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid }],
			}),
		},
		spec: {
			holderIdentity: name,
			leaseDurationSeconds: leaseSeconds,
			renewTime: new Date(now).toISOString().replace("Z", "000Z"),
		},
	};
}

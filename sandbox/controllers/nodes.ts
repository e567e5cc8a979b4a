import type { Node } from "../../operator/api/core.ts";
import type { Clock } from "../../operator/clock.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { version } from "../apiserver/version.ts";
import { timestamp } from "./loop.ts";
import { mergeDiff } from "./merge-diff.ts";

/** What a node is made of; sizes as the machine has them. */
export interface NodeFacts {
	name: string;
	/** Where the node is reached by others. */
	address: string;
	podCidr: string;
	cpus: number;
	memoryBytes: number;
	/** Pods at most; upstream's default is 110. */
	pods?: number;
	/** `process.arch` and `os.release()`. */
	arch: string;
	kernelVersion: string;
	/** Of the sandbox, as the version of its runtime. */
	version: string;
	/** Further labels, such as a zone. */
	labels?: Record<string, string>;
}

/** How a kubelet sees its node. */
export interface NodeReport {
	ready: boolean;
	/** Why it is not ready. */
	message?: string;
}

const architectures: Record<string, string> = { x64: "amd64", ia32: "386" };

/** The Node that a kubelet registers, with its first report. */
export function nodeObject(
	facts: NodeFacts,
	report: NodeReport,
	now: number,
): Node {
	const { name, address, podCidr } = facts;
	const architecture = architectures[facts.arch] ?? facts.arch;
	const capacity = {
		cpu: String(facts.cpus),
		memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
		pods: String(facts.pods ?? 110),
	};
	return {
		metadata: {
			name,
			labels: {
				"beta.kubernetes.io/arch": architecture,
				"beta.kubernetes.io/os": "linux",
				"kubernetes.io/arch": architecture,
				"kubernetes.io/hostname": name,
				"kubernetes.io/os": "linux",
				...facts.labels,
			},
		},
		spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
		status: {
			addresses: [
				{ type: "InternalIP", address },
				{ type: "Hostname", address: name },
			],
			capacity,
			allocatable: capacity,
			conditions: nodeConditions(undefined, report, now),
			nodeInfo: {
				architecture,
				bootID: "",
				containerRuntimeVersion: `fairlead://${facts.version}`,
				kernelVersion: facts.kernelVersion,
				kubeProxyVersion: "",
				kubeletVersion: version.gitVersion,
				machineID: "",
				operatingSystem: "linux",
				osImage: "Fairlead sandbox",
				systemUUID: "",
			},
		},
	};
}

type Conditions = NonNullable<NonNullable<Node["status"]>["conditions"]>;

/** The kubelet's conditions, with its reasons; what stays keeps the time at which it began. */
export function nodeConditions(
	present: Conditions | undefined,
	{ ready, message = "the kubelet does not run" }: NodeReport,
	now: number,
): Conditions {
	const fine = [
		[
			"MemoryPressure",
			"KubeletHasSufficientMemory",
			"kubelet has sufficient memory available",
		],
		[
			"DiskPressure",
			"KubeletHasNoDiskPressure",
			"kubelet has no disk pressure",
		],
		[
			"PIDPressure",
			"KubeletHasSufficientPID",
			"kubelet has sufficient PID available",
		],
	].map(([type = "", reason = "", text = ""]) => ({
		type,
		status: "False",
		reason,
		message: text,
	}));
	const own = {
		type: "Ready",
		status: ready ? "True" : "False",
		reason: ready ? "KubeletReady" : "KubeletNotReady",
		message: ready ? "kubelet is posting ready status" : message,
	};
	const time = timestamp(now);
	return [...fine, own].map((condition) => {
		const before = present?.find(({ type }) => type === condition.type);
		const stays = before?.status === condition.status;
		return {
			...condition,
			lastHeartbeatTime: time,
			lastTransitionTime: (stays && before?.lastTransitionTime) || time,
		};
	});
}

/**
 * Makes the Node, or brings one that is there up to date with the facts; labels, taints and cordons that others put on it
 * stay. Resolves with the node as it is then.
 */
export async function registerNode(
	client: KubeClient,
	clock: Clock,
	facts: NodeFacts,
	report: NodeReport = { ready: true },
): Promise<Node> {
	const wanted = nodeObject(facts, report, clock.now());
	try {
		return await client.create(resources.nodes, wanted);
	} catch (error) {
		if (!isFairleadError(error) || error.reason !== "AlreadyExists")
			throw error;
	}
	const ref = { name: facts.name };
	const present = await client.get<Node>(resources.nodes, ref);
	const labels = mergeDiff(present.metadata.labels ?? {}, {
		...present.metadata.labels,
		...wanted.metadata.labels,
	});
	if (labels)
		await client.patch(resources.nodes, ref, {
			type: "merge",
			body: { metadata: { labels } },
		});
	return client.patch(
		resources.nodes,
		{ ...ref, subresource: "status" },
		{
			type: "merge",
			body: {
				status: {
					...wanted.status,
					conditions: nodeConditions(
						present.status?.conditions,
						report,
						clock.now(),
					),
				},
			},
		},
	);
}

/** Writes what a kubelet finds, with the time of the heartbeat. Others' conditions stay. */
export async function reportNode(
	client: KubeClient,
	clock: Clock,
	node: Node,
	report: NodeReport,
): Promise<Node> {
	const conditions = nodeConditions(
		node.status?.conditions,
		report,
		clock.now(),
	);
	return client.patch(
		resources.nodes,
		{ name: node.metadata.name, subresource: "status" },
		{ type: "strategic-merge", body: { status: { conditions } } },
	);
}

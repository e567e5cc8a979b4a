import type { Node, Pod } from "../../operator/api/core.ts";
import { objectKey } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	recorderOf,
	startLoop,
	timestamp,
} from "./loop.ts";
import { mergeDiff } from "./merge-diff.ts";
import { type Candidate, chooseNode } from "./node-fit.ts";
import { refOf } from "./ownership.ts";
import { isTerminal } from "./pod-state.ts";

const schedulerName = "default-scheduler";

/** Gives every pod a node. */
export function startScheduler(options: ControllerOptions): Loop {
	const { client, stores, clock } = options;
	const recorder = recorderOf(schedulerName, options);
	/** Decided here and not in the cache yet, by the pod's uid. */
	const assumed = new Map<string, { pod: Pod; node: string }>();

	const watch = (enqueue: Enqueue) => {
		// Whatever may have made room for pods that had none.
		const retry = () => {
			for (const pod of stores.pods.byIndex("node", ""))
				if (awaitsNode(pod)) enqueue(objectKey(pod));
		};
		return [
			follow(stores.pods, ({ type, object }) => {
				if (type !== "deleted" && awaitsNode(object))
					enqueue(objectKey(object));
				if (object.spec.nodeName && (type === "deleted" || isTerminal(object)))
					retry();
			}),
			follow(stores.nodes, (change) => {
				if (change.type !== "updated") return retry();
				const { old, object } = change;
				const differs = mergeDiff(facts(old), facts(object)) !== undefined;
				if (differs) retry();
			}),
		];
	};

	async function sync(key: string): Promise<void> {
		const pod = stores.pods.get(key);
		const { uid = "", namespace = "", name = "" } = pod?.metadata ?? {};
		if (!pod || !awaitsNode(pod) || assumed.has(uid)) return;
		const choice = chooseNode(pod, candidates());
		if ("problem" in choice) return refuse(pod, choice.problem);
		const { node } = choice;
		assumed.set(uid, { pod, node: node.metadata.name });
		try {
			stores.pods.apply(await bind(pod, node));
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return;
			throw error;
		} finally {
			assumed.delete(uid);
		}
		recorder.record(resources.pods, pod, {
			type: "Normal",
			reason: "Scheduled",
			action: "Binding",
			note: `Successfully assigned ${namespace}/${name} to ${node.metadata.name}`,
		});
	}

	function candidates(): Candidate[] {
		return [...stores.nodes.values()]
			.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
			.map((node) => ({
				node,
				pods: [
					...stores.pods.byIndex("node", node.metadata.name),
					...[...assumed.values()]
						.filter((each) => each.node === node.metadata.name)
						.map(({ pod }) => pod),
				],
			}));
	}

	/** The version guards it: a pod that was deleted, changed or bound meanwhile is looked at again. */
	async function bind(pod: Pod, node: Node): Promise<Pod> {
		const { uid, resourceVersion } = pod.metadata;
		const bound = await client.patch<Pod>(resources.pods, refOf(pod.metadata), {
			type: "merge",
			body: {
				metadata: { uid, resourceVersion, labels: topologyOf(node) },
				spec: { nodeName: node.metadata.name },
			},
		});
		stores.pods.apply(bound);
		return patchCondition(bound, { status: "True" });
	}

	async function refuse(pod: Pod, message: string): Promise<void> {
		const condition = { status: "False", reason: "Unschedulable", message };
		const present = pod.status?.conditions?.find(
			({ type }) => type === "PodScheduled",
		);
		recorder.record(resources.pods, pod, {
			type: "Warning",
			reason: "FailedScheduling",
			action: "Scheduling",
			note: message,
		});
		if (present?.status === "False" && present.message === message) return;
		try {
			stores.pods.apply(await patchCondition(pod, condition));
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}

	/** Others' conditions stay as they are. */
	function patchCondition(
		{ metadata }: Pod,
		condition: { status: string; reason?: string; message?: string },
	): Promise<Pod> {
		const whole = {
			type: "PodScheduled",
			reason: null,
			message: null,
			...condition,
			lastTransitionTime: timestamp(clock.now()),
		};
		return client.patch<Pod>(
			resources.pods,
			{ ...refOf(metadata), subresource: "status" },
			{
				type: "strategic-merge",
				body: {
					metadata: { uid: metadata.uid },
					status: { conditions: [whole] },
				},
			},
		);
	}

	const loop = startLoop("scheduler", options, { watch, sync });
	return {
		async stop() {
			await loop.stop();
			await recorder.flush(1_000);
		},
	};
}

/** What of a node decides about pods: not its heartbeat. */
function facts({ metadata, spec, status }: Node) {
	return {
		labels: metadata.labels,
		spec,
		allocatable: status?.allocatable,
		ready: status?.conditions?.find(({ type }) => type === "Ready")?.status,
	};
}

/** Labels of its node that a pod gets when it is bound (the admission plugin PodTopologyLabels). */
export function topologyOf({ metadata }: Node): Record<string, string> {
	return Object.fromEntries(
		["topology.kubernetes.io/zone", "topology.kubernetes.io/region"].flatMap(
			(key) => {
				const value = metadata.labels?.[key];
				return value === undefined ? [] : [[key, value]];
			},
		),
	);
}

function awaitsNode({ metadata, spec, status }: Pod): boolean {
	return (
		!spec.nodeName &&
		metadata.deletionTimestamp === undefined &&
		(spec.schedulerName ?? schedulerName) === schedulerName &&
		status?.phase !== "Failed" &&
		status?.phase !== "Succeeded"
	);
}

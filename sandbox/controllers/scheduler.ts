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
				else assumed.delete(object.metadata.uid ?? "");
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
			await bind(pod, node);
		} catch (error) {
			assumed.delete(uid);
			if (isFairleadError(error, "KubeNotFound")) return;
			throw error;
		}
		// The cache may have heard of it before the answer came.
		const known = stores.pods.get(key);
		if (known?.metadata.uid !== uid || !awaitsNode(known)) assumed.delete(uid);
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

	/** The uid guards it, and that a pod is bound only once. */
	function bind({ metadata }: Pod, node: Node): Promise<void> {
		const { namespace = "", name, uid } = metadata;
		return client.act(
			resources.pods,
			{ namespace, name, subresource: "binding" },
			{
				apiVersion: "v1",
				kind: "Binding",
				metadata: { namespace, name, uid },
				target: { kind: "Node", name: node.metadata.name },
			},
		);
	}

	/** Says why a pod has no node, on the pod and in an event. */
	async function refuse(pod: Pod, message: string): Promise<void> {
		recorder.record(resources.pods, pod, {
			type: "Warning",
			reason: "FailedScheduling",
			action: "Scheduling",
			note: message,
		});
		const present = pod.status?.conditions?.find(
			({ type }) => type === "PodScheduled",
		);
		if (present?.status === "False" && present.message === message) return;
		const condition = {
			type: "PodScheduled",
			status: "False",
			reason: "Unschedulable",
			message,
			lastTransitionTime:
				(present?.status === "False" && present.lastTransitionTime) ||
				timestamp(clock.now()),
		};
		const { metadata } = pod;
		try {
			stores.pods.apply(
				await client.patch<Pod>(
					resources.pods,
					{ ...refOf(metadata), subresource: "status" },
					{
						type: "strategic-merge",
						body: {
							metadata: { uid: metadata.uid },
							status: { conditions: [condition] },
						},
					},
				),
			);
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
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

function awaitsNode({ metadata, spec, status }: Pod): boolean {
	return (
		!spec.nodeName &&
		metadata.deletionTimestamp === undefined &&
		(spec.schedulerName ?? schedulerName) === schedulerName &&
		status?.phase !== "Failed" &&
		status?.phase !== "Succeeded"
	);
}

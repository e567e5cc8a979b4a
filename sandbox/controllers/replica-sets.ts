import type { Pod } from "../../operator/api/core.ts";
import { objectKey } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { ReplicaSet } from "../objects.ts";
import { Creations } from "./creations.ts";
import { Deletions } from "./deletions.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	recorderOf,
	startLoop,
} from "./loop.ts";
import { mergeDiff } from "./merge-diff.ts";
import {
	claim,
	controllerOf,
	controllerReference,
	refOf,
} from "./ownership.ts";
import { isActive, isTerminating } from "./pod-state.ts";
import { podsToDelete } from "./pods-to-delete.ts";
import { type Replicas, replicaSetStatus } from "./replica-set-status.ts";
import { selects } from "./selectors.ts";

/** Pods created or deleted in one go, as upstream. */
const burst = 500;

/** Keeps as many pods as each ReplicaSet asks for. */
export function startReplicaSets(options: ControllerOptions): Loop {
	const { client, stores, clock, random } = options;
	const recorder = recorderOf("replicaset-controller", options);
	const creations = new Creations(client, resources.pods, stores.pods, random);
	const deletions = new Deletions(client, resources.pods, stores.pods);

	const watch = (enqueue: Enqueue) => [
		follow(stores.replicaSets, ({ object }) => enqueue(objectKey(object))),
		follow(stores.pods, (change) => {
			for (const pod of change.type === "updated"
				? [change.old, change.object]
				: [change.object])
				for (const set of responsibleFor(pod)) enqueue(objectKey(set));
		}),
	];

	function responsibleFor(pod: Pod): ReplicaSet[] {
		const controller = controllerOf(pod);
		const { namespace = "", labels } = pod.metadata;
		if (controller) {
			const set = stores.replicaSets.get(`${namespace}/${controller.name}`);
			return set?.metadata.uid === controller.uid ? [set] : [];
		}
		return stores.replicaSets
			.byIndex("namespace", namespace)
			.filter(({ spec }) => selects(spec.selector, labels));
	}

	async function sync(key: string) {
		const set = stores.replicaSets.get(key);
		if (!set) return creations.forget(key);
		await creations.settle(key);
		const { namespace = "" } = set.metadata;
		await claim(client, set, {
			ownerResource: resources.replicaSets,
			resource: resources.pods,
			store: stores.pods,
			candidates: [
				...podsOf(set),
				...stores.pods.byIndex("orphans in", namespace),
			].filter(isActive),
		});
		let error: unknown;
		let failure: Replicas["failure"];
		if (set.metadata.deletionTimestamp === undefined) {
			const missing = (set.spec.replicas ?? 1) - activePodsOf(set).length;
			try {
				if (missing > 0) await create(key, set, Math.min(missing, burst));
				if (missing < 0) await remove(set, Math.min(-missing, burst));
			} catch (thrown) {
				error = thrown;
				const reason = missing > 0 ? "FailedCreate" : "FailedDelete";
				failure = { reason, message: (thrown as Error).message };
			}
		}
		const changesInMs = await report(set, failure);
		if (error) throw error;
		if (changesInMs !== undefined) return { retryAfterMs: changesInMs };
	}

	function podsOf({ metadata }: ReplicaSet): Pod[] {
		return stores.pods.byIndex("controller", metadata.uid ?? "");
	}

	function activePodsOf(set: ReplicaSet): Pod[] {
		return podsOf(set).filter(
			(pod) =>
				isActive(pod) &&
				!deletions.includes(pod) &&
				selects(set.spec.selector, pod.metadata.labels),
		);
	}

	/** In batches that double, so that what is refused is refused once, not five hundred times. */
	async function create(key: string, set: ReplicaSet, count: number) {
		for (let left = count, batch = 1; left > 0; batch *= 2) {
			const now = Math.min(batch, left);
			const results = await Promise.allSettled(
				Array.from({ length: now }, () => createOne(key, set)),
			);
			const failed = results.find((result) => result.status === "rejected");
			if (failed) throw failed.reason;
			left -= now;
		}
	}

	async function createOne(key: string, set: ReplicaSet) {
		try {
			const pod = await creations.create(key, podFrom(set));
			recorder.record(resources.replicaSets, set, {
				type: "Normal",
				reason: "SuccessfulCreate",
				action: "CreatePod",
				note: `Created pod: ${pod.metadata.name}`,
			});
		} catch (error) {
			// In a namespace that is going away nothing can be made, and nothing needs to be.
			if (isEmptying(set.metadata.namespace)) return;
			recorder.record(resources.replicaSets, set, {
				type: "Warning",
				reason: "FailedCreate",
				action: "CreatePod",
				note: `Error creating: ${(error as Error).message}`,
			});
			throw error;
		}
	}

	function isEmptying(namespace = ""): boolean {
		const found = stores.namespaces.get(namespace);
		return found?.metadata.deletionTimestamp !== undefined;
	}

	async function remove(set: ReplicaSet, count: number) {
		const chosen = podsToDelete(
			activePodsOf(set),
			relatedPods(set),
			count,
			clock.now(),
		);
		const results = await Promise.allSettled(
			chosen.map(async (pod) => {
				await deletions.delete(pod);
				recorder.record(resources.replicaSets, set, {
					type: "Normal",
					reason: "SuccessfulDelete",
					action: "DeletePod",
					note: `Deleted pod: ${pod.metadata.name}`,
				});
			}),
		);
		const failed = results.find((result) => result.status === "rejected");
		if (!failed) return;
		recorder.record(resources.replicaSets, set, {
			type: "Warning",
			reason: "FailedDelete",
			action: "DeletePod",
			note: `Error deleting: ${(failed.reason as Error).message}`,
		});
		throw failed.reason;
	}

	/** The pods of all ReplicaSets of the same owner: a node that has many of them loses one first. */
	function relatedPods(set: ReplicaSet): Pod[] {
		const owner = controllerOf(set);
		const siblings = owner
			? stores.replicaSets.byIndex("controller", owner.uid)
			: [set];
		return siblings.flatMap(podsOf);
	}

	/** Writes the status if it differs; returns in how many milliseconds it changes by itself. */
	async function report(
		set: ReplicaSet,
		failure: Replicas["failure"],
	): Promise<number | undefined> {
		const claimed = podsOf(set).filter(({ metadata }) =>
			selects(set.spec.selector, metadata.labels),
		);
		const { status, changesInMs } = replicaSetStatus(
			set,
			{
				active: activePodsOf(set),
				terminating: claimed.filter(
					(pod) => isTerminating(pod) || deletions.includes(pod),
				),
				failure,
			},
			clock.now(),
		);
		const difference = mergeDiff(set.status ?? {}, status);
		if (!difference) return changesInMs;
		const { uid, resourceVersion } = set.metadata;
		stores.replicaSets.apply(
			await client.patch<ReplicaSet>(
				resources.replicaSets,
				{ ...refOf(set.metadata), subresource: "status" },
				{
					type: "merge",
					body: { metadata: { uid, resourceVersion }, status: difference },
				},
			),
		);
		return changesInMs;
	}

	const loop = startLoop("replicaset", options, { watch, sync });
	return {
		async stop() {
			await loop.stop();
			deletions.stop();
			await recorder.flush(1_000);
		},
	};
}

function podFrom(set: ReplicaSet): Pod {
	const { name, namespace } = set.metadata;
	const { metadata = {}, spec } = set.spec.template;
	const { labels, annotations, finalizers } = metadata;
	return {
		metadata: {
			// Given when it is created.
			name: "",
			generateName: `${name}-`,
			...(namespace === undefined ? {} : { namespace }),
			...(labels ? { labels } : {}),
			...(annotations ? { annotations } : {}),
			...(finalizers ? { finalizers } : {}),
			ownerReferences: [controllerReference(resources.replicaSets, set)],
		},
		spec,
	};
}

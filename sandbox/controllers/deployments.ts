import { objectKey } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { Deployment, ReplicaSet } from "../objects.ts";
import { Deletions } from "./deletions.ts";
import {
	bothTimes,
	checkProgressInMs,
	type DeploymentStatus,
	hasDeadline,
	setCondition,
} from "./deployment-status.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	recorderOf,
	startLoop,
} from "./loop.ts";
import { mergeDiff } from "./merge-diff.ts";
import { claim, controllerOf, refOf } from "./ownership.ts";
import { annotations, sameTemplate } from "./revisions.ts";
import { planRollout } from "./rollout.ts";
import { desiredOf } from "./rollout-numbers.ts";
import { selects } from "./selectors.ts";

/** Rolls every Deployment's pods out, by way of ReplicaSets. */
export function startDeployments(options: ControllerOptions): Loop {
	const { client, stores, clock } = options;
	const recorder = recorderOf("deployment-controller", options);
	const deletions = new Deletions(
		client,
		resources.replicaSets,
		stores.replicaSets,
	);

	const watch = (enqueue: Enqueue) => [
		follow(stores.deployments, ({ object }) => enqueue(objectKey(object))),
		follow(stores.replicaSets, (change) => {
			for (const set of change.type === "updated"
				? [change.old, change.object]
				: [change.object])
				for (const each of responsibleFor(set)) enqueue(objectKey(each));
		}),
		// Recreate waits for the last old pod.
		follow(stores.pods, ({ type, object }) => {
			if (type === "added") return;
			const { namespace = "" } = object.metadata;
			const name = controllerOf(object)?.name ?? "";
			const set = stores.replicaSets.get(`${namespace}/${name}`);
			for (const each of set ? responsibleFor(set) : [])
				if (each.spec.strategy?.type === "Recreate") enqueue(objectKey(each));
		}),
	];

	function responsibleFor(set: ReplicaSet): Deployment[] {
		const { namespace = "", labels } = set.metadata;
		const controller = controllerOf(set);
		if (controller) {
			const found = stores.deployments.get(`${namespace}/${controller.name}`);
			return found?.metadata.uid === controller.uid ? [found] : [];
		}
		return stores.deployments
			.byIndex("namespace", namespace)
			.filter(({ spec }) => selects(spec.selector, labels));
	}

	async function sync(key: string) {
		const deployment = stores.deployments.get(key);
		if (!deployment) return;
		const { uid = "", namespace = "" } = deployment.metadata;
		const controlled = await claim(client, deployment, {
			ownerResource: resources.deployments,
			resource: resources.replicaSets,
			store: stores.replicaSets,
			candidates: [
				...stores.replicaSets.byIndex("controller", uid),
				...stores.replicaSets.byIndex("orphans in", namespace),
			],
		});
		const sets = controlled.filter((set) => !deletions.includes(set));
		const plan = planRollout({
			deployment,
			sets,
			pods: sets.flatMap((set) =>
				stores.pods.byIndex("controller", set.metadata.uid ?? ""),
			),
			now: clock.now(),
		});
		if (plan.create && !(await create(deployment, plan.create))) return;
		const versions = new Map<ReplicaSet, string | undefined>();
		for (const { set, next } of plan.changes) {
			const version = versions.get(set) ?? set.metadata.resourceVersion;
			const changed = await change(deployment, { set, next, version });
			versions.set(next, changed.metadata.resourceVersion);
		}
		for (const set of plan.cleanUp) await deletions.delete(set);
		await report(deployment, plan.status, plan.revision);
		const again = checkProgressInMs(deployment, plan.status, clock.now());
		if (again !== undefined) return { retryAfterMs: again };
	}

	/** False: the name was taken by another template's ReplicaSet, or nothing can be made here any more. */
	async function create(
		deployment: Deployment,
		set: ReplicaSet,
	): Promise<boolean> {
		try {
			const made = await client.create(resources.replicaSets, set);
			stores.replicaSets.apply(made);
			sayScaled(deployment, made, 0);
			return true;
		} catch (error) {
			if (!isFairleadError(error)) throw error;
			if (error.reason === "AlreadyExists")
				return handleTaken(deployment, set, error);
			const { namespace = "" } = deployment.metadata;
			const home = stores.namespaces.get(namespace);
			if (home?.metadata.deletionTimestamp !== undefined) return false;
			const message = `Failed to create new replica set ${JSON.stringify(set.metadata.name)}: ${error.message}`;
			recorder.record(resources.deployments, deployment, {
				type: "Warning",
				reason: "ReplicaSetCreateError",
				action: "CreateReplicaSet",
				note: message,
			});
			if (hasDeadline(deployment)) {
				const status: DeploymentStatus = {
					...deployment.status,
					conditions: [...(deployment.status?.conditions ?? [])],
				};
				setCondition(status, {
					type: "Progressing",
					status: "False",
					reason: "ReplicaSetCreateError",
					message,
					...bothTimes(clock.now()),
				});
				await report(deployment, status, undefined);
			}
			throw error;
		}
	}

	async function handleTaken(
		deployment: Deployment,
		set: ReplicaSet,
		error: Error,
	): Promise<boolean> {
		const holder = await client.get<ReplicaSet>(
			resources.replicaSets,
			refOf(set.metadata),
		);
		stores.replicaSets.apply(holder);
		const ours =
			controllerOf(holder)?.uid === deployment.metadata.uid &&
			sameTemplate(holder.spec.template, deployment.spec.template);
		// Made before, and not known here: it is now.
		if (ours) throw error;
		const { collisionCount = 0 } = deployment.status ?? {};
		await report(
			deployment,
			{ ...deployment.status, collisionCount: collisionCount + 1 },
			undefined,
		);
		return false;
	}

	async function change(
		deployment: Deployment,
		{
			set,
			next,
			version,
		}: { set: ReplicaSet; next: ReplicaSet; version: string | undefined },
	): Promise<ReplicaSet> {
		const { uid } = set.metadata;
		const { metadata = {}, spec } = (mergeDiff(
			{ metadata: set.metadata, spec: set.spec },
			{ metadata: next.metadata, spec: next.spec },
		) ?? {}) as { metadata?: object; spec?: object };
		const changed = await client.patch<ReplicaSet>(
			resources.replicaSets,
			refOf(set.metadata),
			{
				type: "merge",
				body: {
					metadata: { ...metadata, uid, resourceVersion: version },
					...(spec ? { spec } : {}),
				},
			},
		);
		stores.replicaSets.apply(changed);
		sayScaled(deployment, changed, desiredOf(set));
		return changed;
	}

	function sayScaled(deployment: Deployment, set: ReplicaSet, from: number) {
		const to = desiredOf(set);
		if (from === to) return;
		recorder.record(resources.deployments, deployment, {
			type: "Normal",
			reason: "ScalingReplicaSet",
			action: "ScaleReplicaSet",
			note: `Scaled ${from < to ? "up" : "down"} replica set ${set.metadata.name} from ${from} to ${to}`,
		});
	}

	async function report(
		deployment: Deployment,
		wanted: DeploymentStatus,
		revision: string | undefined,
	): Promise<void> {
		const { metadata } = deployment;
		const status = mergeDiff(deployment.status ?? {}, wanted);
		const noted =
			revision === undefined ||
			metadata.annotations?.[annotations.revision] === revision;
		if (!status && noted) return;
		const { uid, resourceVersion } = metadata;
		stores.deployments.apply(
			await client.patch<Deployment>(
				resources.deployments,
				{ ...refOf(metadata), subresource: "status" },
				{
					type: "merge",
					body: {
						metadata: {
							uid,
							resourceVersion,
							...(noted
								? {}
								: { annotations: { [annotations.revision]: revision } }),
						},
						...(status ? { status } : {}),
					},
				},
			),
		);
	}

	const loop = startLoop("deployment", options, { watch, sync });
	return {
		async stop() {
			await loop.stop();
			deletions.stop();
			await recorder.flush(1_000);
		},
	};
}

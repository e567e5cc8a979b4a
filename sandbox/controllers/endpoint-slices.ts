import type { EndpointSlice } from "../../operator/api/core.ts";
import { objectKey } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { Creations } from "./creations.ts";
import { Deletions } from "./deletions.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	startLoop,
} from "./loop.ts";
import { hasEndpoints } from "./service-endpoints.ts";
import { podsSelected, watchServices } from "./service-watch.ts";
import { managedBy, managedByLabel, planSlices } from "./slice-plan.ts";
import { TriggerTimes, triggerTimeAnnotation } from "./trigger-times.ts";
import { writeChange } from "./write-change.ts";

/** Keeps the EndpointSlices of Services that select pods. */
export function startEndpointSlices(options: ControllerOptions): Loop {
	const { client, stores, random } = options;
	const { endpointSlices: store, nodes } = stores;
	const creations = new Creations(
		client,
		resources.endpointSlices,
		store,
		random,
	);
	const deletions = new Deletions(client, resources.endpointSlices, store);
	const triggers = new TriggerTimes();
	/** Services that leave pods out because nobody knows their nodes, by node. */
	const waiting = new Map<string, Set<string>>();

	const watch = (enqueue: Enqueue) => [
		...watchServices(stores, enqueue),
		follow(store, (change) => {
			for (const slice of change.type === "updated"
				? [change.old, change.object]
				: [change.object]) {
				const service = serviceOf(slice);
				if (service !== undefined) enqueue(service);
			}
		}),
		follow(nodes, (change) => {
			const { name } = change.object.metadata;
			for (const key of waiting.get(name) ?? []) enqueue(key);
			waiting.delete(name);
			if (
				change.type === "updated" &&
				zoneOf(change.old) === zoneOf(change.object)
			)
				return;
			for (const pod of stores.pods.byIndex("node", name))
				for (const service of stores.services.byIndex(
					"namespace",
					pod.metadata.namespace ?? "",
				))
					enqueue(objectKey(service));
		}),
	];

	async function sync(key: string): Promise<void> {
		const service = stores.services.get(key);
		if (!service) {
			creations.forget(key);
			return triggers.forget(key);
		}
		// Slices of a Service without a selector are whoever's made them.
		if (!hasEndpoints(service)) return;
		await creations.settle(key);
		const { namespace = "", deletionTimestamp } = service.metadata;
		const pods = podsSelected(stores, namespace, service.spec.selector ?? {});
		const present = store
			.byIndex("service", key)
			.filter(
				(slice) =>
					serviceOf(slice) !== undefined &&
					slice.metadata.deletionTimestamp === undefined &&
					!deletions.includes(slice),
			);
		const time = triggers.next(key, service, pods);
		const plan = planSlices(service, pods, present, (name) => nodes.get(name));
		for (const node of plan.missingNodes)
			waiting.set(node, (waiting.get(node) ?? new Set()).add(key));
		if (deletionTimestamp === undefined && !isEmptying(namespace))
			for (const slice of plan.create)
				await creations.create(key, stamped(slice, time));
		for (const { slice, next } of plan.update)
			await writeChange(
				client,
				resources.endpointSlices,
				store,
				slice,
				stamped(next, time),
			);
		for (const slice of plan.remove) await deletions.delete(slice);
	}

	function isEmptying(namespace: string): boolean {
		const found = stores.namespaces.get(namespace);
		return found?.metadata.deletionTimestamp !== undefined;
	}

	const loop = startLoop("endpointslice", options, { watch, sync });
	return {
		async stop() {
			await loop.stop();
			deletions.stop();
		},
	};
}

/** Key of the Service whose slice this controller manages; undefined for anybody else's slice. */
function serviceOf({ metadata }: EndpointSlice): string | undefined {
	const name = metadata.labels?.["kubernetes.io/service-name"];
	return name && metadata.labels?.[managedByLabel] === managedBy
		? `${metadata.namespace ?? ""}/${name}`
		: undefined;
}

const zoneOf = ({
	metadata,
}: {
	metadata: { labels?: Record<string, string> };
}) => metadata.labels?.["topology.kubernetes.io/zone"];

function stamped(
	slice: EndpointSlice,
	time: string | undefined,
): EndpointSlice {
	const annotations = { ...slice.metadata.annotations };
	delete annotations[triggerTimeAnnotation];
	if (time !== undefined) annotations[triggerTimeAnnotation] = time;
	return { ...slice, metadata: { ...slice.metadata, annotations } };
}

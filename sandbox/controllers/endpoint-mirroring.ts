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
import { isMirrored, mirroredBy, planMirror } from "./mirrored-slices.ts";
import { managedByLabel, serviceNameLabel } from "./slice-plan.ts";
import { writeChange } from "./write-change.ts";

/** Makes slices of the Endpoints that people write by hand for Services without a selector. */
export function startEndpointMirroring(options: ControllerOptions): Loop {
	const { client, stores, random } = options;
	const { services, endpoints: sources, endpointSlices: store } = stores;
	const resource = resources.endpointSlices;
	const creations = new Creations(client, resource, store, random);
	const deletions = new Deletions(client, resource, store);

	const watch = (enqueue: Enqueue) => [
		follow(services, ({ object }) => enqueue(objectKey(object))),
		follow(sources, ({ object }) => enqueue(objectKey(object))),
		follow(store, (change) => {
			for (const slice of change.type === "updated"
				? [change.old, change.object]
				: [change.object]) {
				const key = sourceOf(slice);
				if (key !== undefined) enqueue(key);
			}
		}),
	];

	async function sync(key: string): Promise<void> {
		const source = sources.get(key);
		const mirrored = source && isMirrored(source, services.get(key));
		const present = store
			.byIndex("service", key)
			.filter(
				(slice) =>
					sourceOf(slice) !== undefined &&
					slice.metadata.deletionTimestamp === undefined &&
					!deletions.includes(slice),
			);
		if (!mirrored) {
			creations.forget(key);
			for (const slice of present) await deletions.delete(slice);
			return;
		}
		await creations.settle(key);
		const { namespace = "" } = source.metadata;
		const home = stores.namespaces.get(namespace);
		const { create, update, remove } = planMirror(source, present);
		if (home?.metadata.deletionTimestamp === undefined)
			for (const slice of create) await creations.create(key, slice);
		for (const { slice, next } of update)
			await writeChange(client, resource, store, slice, next);
		for (const slice of remove) await deletions.delete(slice);
	}

	const loop = startLoop("endpointslicemirroring", options, { watch, sync });
	return {
		async stop() {
			await loop.stop();
			deletions.stop();
		},
	};
}

/** Key of the Endpoints that a slice mirrors; undefined for anybody else's slice. */
function sourceOf({ metadata }: EndpointSlice): string | undefined {
	const name = metadata.labels?.[serviceNameLabel];
	return name && metadata.labels?.[managedByLabel] === mirroredBy
		? `${metadata.namespace ?? ""}/${name}`
		: undefined;
}

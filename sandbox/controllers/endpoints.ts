import { objectKey } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { Endpoints } from "../objects.ts";
import { subsetsOf, truncated } from "./endpoint-subsets.ts";
import {
	type ControllerOptions,
	type Enqueue,
	follow,
	type Loop,
	startLoop,
} from "./loop.ts";
import { sameMeaning } from "./merge-diff.ts";
import { refOf } from "./ownership.ts";
import { hasEndpoints, isHeadless } from "./service-endpoints.ts";
import { podsSelected, watchServices } from "./service-watch.ts";
import { TriggerTimes, triggerTimeAnnotation } from "./trigger-times.ts";
import { writeChange } from "./write-change.ts";

const managedByLabel = "endpoints.kubernetes.io/managed-by";
const managedBy = "endpoint-controller";
const headlessLabel = "service.kubernetes.io/headless";
const overCapacity = "endpoints.kubernetes.io/over-capacity";

/** Keeps the Endpoints of Services that select pods: what slices were before, for those who still read them. */
export function startEndpoints(options: ControllerOptions): Loop {
	const { client, stores } = options;
	const store = stores.endpoints;
	const triggers = new TriggerTimes();
	/** Services that were seen to be deleted: their Endpoints go with them, whoever made those. */
	const gone = new Set<string>();

	const watch = (enqueue: Enqueue) => [
		...watchServices(stores, enqueue),
		follow(stores.services, ({ type, object }) => {
			if (type === "deleted") gone.add(objectKey(object));
			else gone.delete(objectKey(object));
		}),
		follow(store, ({ object }) => enqueue(objectKey(object))),
	];

	async function sync(key: string): Promise<void> {
		const service = stores.services.get(key);
		const present = store.get(key);
		if (!service) {
			triggers.forget(key);
			const ours = present?.metadata.labels?.[managedByLabel] === managedBy;
			// What somebody made for a Service to come stays.
			if (present && (ours || gone.has(key))) await remove(present);
			gone.delete(key);
			return;
		}
		if (!hasEndpoints(service)) return;
		const {
			name,
			namespace = "",
			deletionTimestamp,
			labels,
		} = service.metadata;
		const home = stores.namespaces.get(namespace);
		if (deletionTimestamp ?? home?.metadata.deletionTimestamp) return;
		const pods = podsSelected(stores, namespace, service.spec.selector ?? {});
		const time = triggers.next(key, service, pods);
		const all = subsetsOf(service, pods);
		const subsets = truncated(all);
		const annotations = { ...present?.metadata.annotations };
		delete annotations[overCapacity];
		if (subsets !== all) annotations[overCapacity] = "truncated";
		const wanted: Endpoints = {
			...present,
			metadata: {
				name,
				namespace,
				...present?.metadata,
				labels: {
					...labels,
					...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
					[managedByLabel]: managedBy,
				},
				annotations,
			},
			subsets,
		};
		if (present && sameMeaning(present, wanted)) return;
		delete annotations[triggerTimeAnnotation];
		if (time !== undefined) annotations[triggerTimeAnnotation] = time;
		// Owned by nothing: that Endpoints and Service have one name is what ties them.
		if (!present) store.apply(await client.create(resources.endpoints, wanted));
		else await writeChange(client, resources.endpoints, store, present, wanted);
	}

	async function remove({ metadata }: Endpoints): Promise<void> {
		const { uid = "" } = metadata;
		try {
			await client.delete(resources.endpoints, refOf(metadata), { uid });
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound", "KubeConflict")) throw error;
		}
	}

	return startLoop("endpoints", options, { watch, sync });
}

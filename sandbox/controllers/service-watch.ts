import type { Pod } from "../../operator/api/core.ts";
import { objectKey } from "../../operator/api/meta.ts";
import type { Stores } from "../stores.ts";
import { type Enqueue, follow } from "./loop.ts";
import { hasLabels } from "./selectors.ts";
import { changesEndpoints } from "./service-endpoints.ts";

/** Queues every Service that changes, and those whose endpoints a change of a pod can concern; returns how to stop. */
export function watchServices(
	{ services, pods }: Stores,
	enqueue: Enqueue,
): (() => void)[] {
	const selecting = ({ metadata }: Pod) =>
		services
			.byIndex("namespace", metadata.namespace ?? "")
			.filter(
				({ spec }) =>
					spec.selector !== undefined &&
					hasLabels(spec.selector, metadata.labels),
			);
	return [
		follow(services, ({ object }) => enqueue(objectKey(object))),
		follow(pods, (change) => {
			const concerned =
				change.type === "updated"
					? changesEndpoints(change.old, change.object)
						? [change.old, change.object]
						: []
					: [change.object];
			for (const pod of concerned)
				for (const service of selecting(pod)) enqueue(objectKey(service));
		}),
	];
}

/** The pods that a Service selects; an empty selector selects all of the namespace. */
export function podsSelected(
	{ pods }: Stores,
	namespace: string,
	selector: Record<string, string>,
): Pod[] {
	return pods
		.byIndex("namespace", namespace)
		.filter(({ metadata }) => hasLabels(selector, metadata.labels));
}

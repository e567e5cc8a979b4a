import type { KubeObject } from "../../operator/api/meta.ts";
import type { Store } from "../../operator/cluster/index.ts";
import type { KubeClient, Resource } from "../../operator/cluster/kube.ts";
import { mergeDiff } from "./merge-diff.ts";
import { refOf } from "./ownership.ts";

/**
 * Makes `next` of `present` on the API server, by what differs and nothing else; a conflict if anybody changed it in the
 * meantime. The cache has the outcome at once.
 */
export async function writeChange<T extends KubeObject>(
	client: KubeClient,
	resource: Resource,
	store: Store<T>,
	present: T,
	next: T,
): Promise<void> {
	const { uid, resourceVersion } = present.metadata;
	const { metadata, ...body } = (mergeDiff(present, next) ?? {}) as {
		metadata?: object;
	};
	store.apply(
		await client.patch<T>(resource, refOf(present.metadata), {
			type: "merge",
			body: { ...body, metadata: { ...metadata, uid, resourceVersion } },
		}),
	);
}

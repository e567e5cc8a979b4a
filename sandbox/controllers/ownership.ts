import type {
	KubeObject,
	ObjectMeta,
	OwnerReference,
} from "../../operator/api/meta.ts";
import type { Store } from "../../operator/cluster/index.ts";
import type { KubeClient, Resource } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { LabelSelector } from "../objects.ts";
import { selects } from "./selectors.ts";

/** The one owner that answers for an object. */
export function controllerOf({
	metadata,
}: KubeObject): OwnerReference | undefined {
	return metadata.ownerReferences?.find(({ controller }) => controller);
}

/** The reference to put on what `owner` controls. */
export function controllerReference(
	resource: Resource,
	{ metadata }: KubeObject,
): OwnerReference {
	const { group, version, kind } = resource;
	return {
		apiVersion: group ? `${group}/${version}` : version,
		kind,
		name: metadata.name,
		uid: metadata.uid ?? "",
		controller: true,
		blockOwnerDeletion: true,
	};
}

interface Owner extends KubeObject {
	spec: { selector: LabelSelector };
}

/** What is to become of a candidate for an owner's control. */
export type Claim = "keep" | "adopt" | "release" | "leave";

/** The rules of controller_ref_manager.go: selected orphans are adopted, what is no longer selected is let go. */
export function claimOf(owner: Owner, object: KubeObject): Claim {
	const selected = selects(owner.spec.selector, object.metadata.labels);
	const controller = controllerOf(object);
	const leaving = owner.metadata.deletionTimestamp !== undefined;
	if (controller) {
		if (controller.uid !== owner.metadata.uid) return "leave";
		if (selected) return "keep";
		return leaving ? "leave" : "release";
	}
	const ending = object.metadata.deletionTimestamp !== undefined;
	return selected && !leaving && !ending ? "adopt" : "leave";
}

/**
 * Adopts and releases as `claimOf` says; resolves with what the owner controls then. The cache has the outcome at once.
 */
export async function claim<T extends KubeObject>(
	client: KubeClient,
	owner: Owner,
	{
		ownerResource,
		resource,
		store,
		candidates,
	}: {
		ownerResource: Resource;
		resource: Resource;
		store: Store<T>;
		candidates: T[];
	},
): Promise<T[]> {
	const claimed: T[] = [];
	let confirmed = false;
	const patch = async (object: T, reference: object) => {
		const { namespace, name, uid } = object.metadata;
		const changed = await client.patch<T>(
			resource,
			refOf({ name, namespace }),
			{
				type: "strategic-merge",
				body: { metadata: { uid, ownerReferences: [reference] } },
			},
		);
		store.apply(changed);
		return changed;
	};
	for (const object of candidates) {
		const decided = claimOf(owner, object);
		if (decided === "keep") claimed.push(object);
		if (decided !== "adopt" && decided !== "release") continue;
		try {
			if (decided === "release") {
				const { uid } = owner.metadata;
				await patch(object, { $patch: "delete", uid });
				continue;
			}
			// The cache may not know yet that the owner is being deleted (kubernetes/kubernetes#42639).
			if (!confirmed) {
				const { metadata } = owner;
				const fresh = await client.get(ownerResource, refOf(metadata));
				const { uid, deletionTimestamp } = fresh.metadata;
				if (uid !== metadata.uid || deletionTimestamp !== undefined)
					return claimed;
				confirmed = true;
			}
			claimed.push(
				await patch(object, controllerReference(ownerResource, owner)),
			);
		} catch (error) {
			// Gone in the meantime, or another object of that name.
			if (!isFairleadError(error, "KubeNotFound", "KubeInvalid")) throw error;
		}
	}
	return claimed;
}

/** How to address an object in a call. */
export function refOf({
	namespace,
	name,
}: Pick<ObjectMeta, "name"> & { namespace?: string | undefined }): {
	namespace?: string;
	name: string;
} {
	return namespace === undefined ? { name } : { namespace, name };
}

import type { KubeObject } from "../api/meta.ts";
import { isFairleadError } from "../errors.ts";
import type { KubeClient, ListOptions, Resource } from "./kube.ts";

export interface Listed<T> {
	objects: T[];
	resourceVersion: string;
}

/**
 * Reads a whole list in pages of `pageSize`, each object through `trim` as it arrives. The list is consistent: all of it
 * as of one resourceVersion, no older than the call. When the continue token expires (410) it is read again in one
 * piece: pages will not do for a list that is read this slowly.
 */
export async function listAll<T extends KubeObject>(
	client: Pick<KubeClient, "list">,
	resource: Resource,
	scope: Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector">,
	options: { pageSize: number; trim: (object: T) => T; signal: AbortSignal },
): Promise<Listed<T>> {
	const { pageSize, trim, signal } = options;
	const objects: T[] = [];
	let page = await client.list<T>(
		resource,
		{ ...scope, limit: pageSize },
		{ signal },
	);
	for (;;) {
		for (const object of page.items) objects.push(trim(object));
		const { resourceVersion, continue: token } = page.metadata;
		if (!token) return { objects, resourceVersion };
		try {
			page = await client.list<T>(
				resource,
				{ ...scope, limit: pageSize, continue: token },
				{ signal },
			);
		} catch (error) {
			if (!isFairleadError(error, "KubeGone")) throw error;
			objects.length = 0;
			page = await client.list<T>(resource, { ...scope }, { signal });
		}
	}
}

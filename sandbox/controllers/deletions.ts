import type { KubeObject } from "../../operator/api/meta.ts";
import { objectKey } from "../../operator/api/meta.ts";
import type { Store } from "../../operator/cluster/index.ts";
import type { KubeClient, Resource } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { refOf } from "./ownership.ts";

/**
 * Deletes objects and remembers them until the cache knows: a deletion answered but not yet watched must not be counted
 * on, nor done again for another object.
 */
export class Deletions<T extends KubeObject> {
	readonly #client: KubeClient;
	readonly #resource: Resource;
	readonly #store: Store<T>;
	readonly #uids = new Set<string>();
	readonly #stop: () => void;

	constructor(client: KubeClient, resource: Resource, store: Store<T>) {
		this.#client = client;
		this.#resource = resource;
		this.#store = store;
		this.#stop = store.onChange(({ type, object }) => {
			if (type === "deleted" || isGoing(object))
				this.#uids.delete(object.metadata.uid ?? "");
		});
	}

	/** Whether it has been deleted here, though the cache shows it as if nothing had happened. */
	includes(object: T): boolean {
		return this.#uids.has(object.metadata.uid ?? "");
	}

	/** Deletes this very object; one that is gone, or has been replaced under its name, is no error. */
	async delete(object: T): Promise<void> {
		const { uid = "" } = object.metadata;
		this.#uids.add(uid);
		try {
			await this.#client.delete(this.#resource, refOf(object.metadata), {
				uid,
			});
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound", "KubeConflict")) {
				this.#uids.delete(uid);
				throw error;
			}
		}
		const known = this.#store.get(objectKey(object));
		if (!known || known.metadata.uid !== uid || isGoing(known))
			this.#uids.delete(uid);
	}

	stop(): void {
		this.#stop();
	}
}

const isGoing = ({ metadata }: KubeObject) =>
	metadata.deletionTimestamp !== undefined;

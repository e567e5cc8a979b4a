import { type KubeObject, objectKey } from "../api/meta.ts";
import type { WatchEvent } from "./kube.ts";
import { compareVersions } from "../model/resource-version.ts";

/**
 * What the initial events of a WatchList (KEP-3157) have told so far. A closing bookmark says that they are all there;
 * only then do they mean anything.
 */
export class InitialEvents<T extends KubeObject> {
	readonly #objects = new Map<string, T>();
	readonly #trim: (object: T) => T;

	constructor(trim: (object: T) => T) {
		this.#trim = trim;
	}

	get objects(): Iterable<T> {
		return this.#objects.values();
	}

	take(event: Exclude<WatchEvent<T>, { type: "BOOKMARK" | "ERROR" }>): void {
		const { object, type } = event;
		const key = objectKey(object);
		const known = this.#objects.get(key)?.metadata.resourceVersion;
		if (compareVersions(object.metadata.resourceVersion, known) < 0) return;
		if (type === "DELETED") this.#objects.delete(key);
		else this.#objects.set(key, this.#trim(object));
	}
}

/** True for the bookmark that closes the initial events. */
export function endsInitialEvents(
	event: Extract<WatchEvent<KubeObject>, { type: "BOOKMARK" }>,
): boolean {
	const { annotations } = event.object.metadata;
	return annotations?.["k8s.io/initial-events-end"] === "true";
}

import { objectAt, objectsAt, stringAt, stringsAt } from "./access.ts";
import { type Context, internalCall, read } from "./context.ts";
import { deleteObject } from "./deletes.ts";
import type { Kind } from "./kinds.ts";
import { isObject, type JsonObject } from "./schema/decode.ts";
import type { Stored } from "./store.ts";
import { updateObject } from "./writes.ts";

interface Place {
	collection: string;
	key: string;
}

/**
 * Deletes objects whose owners are all gone, and takes off the finalizers `foregroundDeletion` and `orphan` when their
 * work is done, as the garbage collector of kube-controller-manager does; returns how to stop.
 */
export function collectGarbage(context: Context): () => void {
	const { store, log } = context;
	/** By the uid of an owner. */
	const dependents = new Map<string, Map<string, Place>>();
	const live = new Set<string>();
	let stopped = false;

	const later = (work: () => void) =>
		setImmediate(() => {
			if (stopped) return;
			try {
				work();
			} catch (err) {
				log.error({ err }, "garbage collection failed");
			}
		});

	const kindOf = (collection: string): Kind | undefined =>
		context.kinds.stored().find((kind) => kind.collection === collection);

	function callFor(place: Place, verb: "delete" | "patch") {
		const stored = store.get(place.collection, place.key);
		const kind = kindOf(place.collection);
		if (!stored || !kind) return undefined;
		const object = read(kind, stored);
		const call = internalCall(
			kind,
			verb,
			stringAt(object, "metadata", "namespace"),
			stringAt(object, "metadata", "name"),
		);
		return { call, object };
	}

	function index(place: Place, object: Stored | undefined, add: boolean) {
		for (const owner of ownersOf(object)) {
			const uid = stringAt(owner, "uid");
			const places = dependents.get(uid) ?? new Map<string, Place>();
			if (add) places.set(`${place.collection}/${place.key}`, place);
			else places.delete(`${place.collection}/${place.key}`);
			if (places.size > 0) dependents.set(uid, places);
			else dependents.delete(uid);
		}
	}

	function deleteIfUnowned(place: Place): void {
		const found = callFor(place, "delete");
		if (!found) return;
		const owners = ownersOf(found.object);
		if (
			owners.length === 0 ||
			owners.some((one) => live.has(stringAt(one, "uid")))
		)
			return;
		if (objectAt(found.object, "metadata")["deletionTimestamp"] === undefined)
			deleteObject(context, found.call, undefined);
	}

	function finish(place: Place): void {
		const found = callFor(place, "patch");
		if (!found) return;
		const meta = objectAt(found.object, "metadata");
		const finalizers = stringsAt(meta, "finalizers");
		if (meta["deletionTimestamp"] === undefined) return;
		const below = [...(dependents.get(stringAt(meta, "uid"))?.values() ?? [])];
		let done: string | undefined;
		if (finalizers.includes("orphan")) {
			for (const one of below) disown(one, stringAt(meta, "uid"));
			done = "orphan";
		} else if (finalizers.includes("foregroundDeletion")) {
			for (const one of below) {
				const dependent = callFor(one, "delete");
				if (
					dependent &&
					objectAt(dependent.object, "metadata")["deletionTimestamp"] ===
						undefined
				)
					deleteObject(context, dependent.call, {
						propagationPolicy: "Foreground",
					});
			}
			const left = below.filter((one) => store.get(one.collection, one.key));
			if (left.length === 0) done = "foregroundDeletion";
		}
		if (!done) return;
		updateObject(context, found.call, (object) => {
			const metadata = objectAt(object, "metadata");
			metadata["finalizers"] = stringsAt(metadata, "finalizers").filter(
				(one) => one !== done,
			);
			return object;
		});
	}

	function disown(place: Place, uid: string): void {
		const found = callFor(place, "patch");
		if (!found) return;
		updateObject(context, found.call, (object) => {
			const metadata = objectAt(object, "metadata");
			const others = ownersOf(object).filter((one) => one["uid"] !== uid);
			if (others.length > 0) metadata["ownerReferences"] = others;
			else delete metadata["ownerReferences"];
			return object;
		});
	}

	const stop = store.subscribeAll((collection, { key, before, after }) => {
		const place = { collection, key };
		index(place, before, false);
		index(place, after, true);
		const uid = stringAt((after ?? before) as JsonObject, "metadata", "uid");
		if (after) {
			live.add(uid);
			if (!before && ownersOf(after).length > 0)
				later(() => deleteIfUnowned(place));
			if (
				objectAt(after as JsonObject, "metadata")["deletionTimestamp"] !==
				undefined
			)
				later(() => finish(place));
			return;
		}
		live.delete(uid);
		for (const one of dependents.get(uid)?.values() ?? [])
			later(() => deleteIfUnowned(one));
		// An owner that waits in the foreground may have lost its last dependent.
		for (const owner of ownersOf(before)) {
			const kind = context.kinds.ofObject(
				stringAt(owner, "apiVersion"),
				stringAt(owner, "kind"),
			);
			if (!kind) continue;
			const namespace = stringAt(before as JsonObject, "metadata", "namespace");
			const name = stringAt(owner, "name");
			later(() =>
				finish({
					collection: kind.collection,
					key: kind.namespaced ? `${namespace}/${name}` : name,
				}),
			);
		}
	});
	return () => {
		stopped = true;
		stop();
	};
}

function ownersOf(object: Stored | undefined): JsonObject[] {
	return isObject(object)
		? objectsAt(object, "metadata", "ownerReferences")
		: [];
}

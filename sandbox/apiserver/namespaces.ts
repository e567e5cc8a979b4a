import { objectAt, stringAt, stringsAt } from "./access.ts";
import { type Context, internalCall, read } from "./context.ts";
import { deleteObject } from "./deletes.ts";
import type { JsonObject } from "./schema/decode.ts";
import { namespaceFinalizer } from "./strategies/namespace.ts";
import { updateObject } from "./writes.ts";

/**
 * Deletes what is in a namespace that is being deleted, and lets the namespace go when nothing is left, as the namespace
 * controller of kube-controller-manager does; returns how to stop.
 */
export function emptyNamespaces(context: Context): () => void {
	const { store, log } = context;
	let stopped = false;
	const waiting = new Set<string>();

	function later(namespace: string): void {
		if (waiting.has(namespace)) return;
		waiting.add(namespace);
		setImmediate(() => {
			waiting.delete(namespace);
			if (stopped) return;
			try {
				empty(namespace);
			} catch (err) {
				log.error({ err, namespace }, "emptying a namespace failed");
			}
		});
	}

	function empty(name: string): void {
		const namespace = store.get("namespaces", name) as JsonObject | undefined;
		if (!namespace || !isTerminating(namespace)) return;
		for (const kind of context.kinds.stored()) {
			if (!kind.namespaced) continue;
			for (const [, stored] of store.list(kind.collection, `${name}/`)) {
				const meta = objectAt(read(kind, stored), "metadata");
				if (meta["deletionTimestamp"] === undefined)
					deleteObject(
						context,
						internalCall(kind, "delete", name, stringAt(meta, "name")),
						undefined,
					);
			}
		}
		const left = context.kinds
			.stored()
			.some(
				(kind) =>
					kind.namespaced && store.list(kind.collection, `${name}/`).length > 0,
			);
		const kind = context.kinds.find("", "v1", "namespaces");
		if (left || !kind) return;
		const call = internalCall(kind, "update", undefined, name);
		call.request.subresource = "finalize";
		updateObject(context, call, (object) => {
			const spec = objectAt(object, "spec");
			spec["finalizers"] = stringsAt(spec, "finalizers").filter(
				(one) => one !== namespaceFinalizer,
			);
			return object;
		});
	}

	const stop = store.subscribeAll((collection, { key, after }) => {
		if (collection === "namespaces") {
			if (after && isTerminating(after as JsonObject)) later(key);
			return;
		}
		const slash = key.indexOf("/");
		if (after || slash < 0) return;
		const name = key.slice(0, slash);
		const namespace = store.get("namespaces", name) as JsonObject | undefined;
		if (namespace && isTerminating(namespace)) later(name);
	});
	return () => {
		stopped = true;
		stop();
	};
}

const isTerminating = (namespace: JsonObject) =>
	objectAt(namespace, "metadata")["deletionTimestamp"] !== undefined;

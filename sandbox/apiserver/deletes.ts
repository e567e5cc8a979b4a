import { numberAt, objectAt, stringAt, stringsAt } from "./access.ts";
import { conflict, notFound } from "./api-error.ts";
import {
	type Answer,
	type Call,
	type Context,
	isDryRun,
	read,
	timestamp,
} from "./context.ts";
import { listBody, listObjects } from "./reads.ts";
import type { Json, JsonObject } from "./schema/decode.ts";
import { isObject } from "./schema/decode.ts";
import { keyOf } from "./store.ts";
import { removeObject } from "./writes.ts";

/** What a DELETE may say in its body or query (metav1.DeleteOptions). */
interface DeleteOptions {
	dryRun: boolean;
	grace: number | undefined;
	propagation: string;
	uid: string;
	resourceVersion: string;
}

function readOptions(
	query: URLSearchParams,
	body: Json | undefined,
): DeleteOptions {
	const from = isObject(body) ? body : {};
	const grace = from["gracePeriodSeconds"] ?? query.get("gracePeriodSeconds");
	const orphan = from["orphanDependents"] ?? query.get("orphanDependents");
	return {
		dryRun: isDryRun(query) || stringsAt(from, "dryRun").includes("All"),
		grace: grace === null || grace === undefined ? undefined : Number(grace),
		propagation:
			stringAt(from, "propagationPolicy") ||
			(query.get("propagationPolicy") ??
				(orphan === true || orphan === "true" ? "Orphan" : "")),
		uid: stringAt(from, "preconditions", "uid"),
		resourceVersion: stringAt(from, "preconditions", "resourceVersion"),
	};
}

export function deleteObject(
	context: Context,
	call: Call,
	body: Json | undefined,
): Answer {
	const { kind, request } = call;
	const name = request.name ?? "";
	const key = keyOf(request.namespace, name);
	const { object, immediate } = deleteAt(
		context,
		call,
		key,
		name,
		readOptions(call.query, body),
	);
	if (!immediate || kind.strategy.returnsDeleted) return { code: 200, object };
	return {
		code: 200,
		object: {
			kind: "Status",
			apiVersion: "v1",
			metadata: {},
			status: "Success",
			details: {
				name,
				...(kind.group ? { group: kind.group } : {}),
				kind: kind.plural,
				uid: stringAt(object, "metadata", "uid"),
			},
		},
	};
}

/** Deletes what the selectors of the request match; answers with the list as it was. */
export function deleteCollection(
	context: Context,
	call: Call,
	body: Json | undefined,
): Answer {
	const options = readOptions(call.query, body);
	const list = listObjects(context, call);
	const items = list.items.map((item) => {
		const name = stringAt(item, "metadata", "name");
		const namespace = stringAt(item, "metadata", "namespace") || undefined;
		return deleteAt(context, call, keyOf(namespace, name), name, options)
			.object;
	});
	return {
		code: 200,
		object: listBody(call.kind, { items, metadata: list.metadata }),
	};
}

/** One deletion: at once, or by marking the object if somebody or something must have time first. */
function deleteAt(
	context: Context,
	{ kind }: Call,
	key: string,
	name: string,
	options: DeleteOptions,
): { object: JsonObject; immediate: boolean } {
	const stored = context.store.get(kind.collection, key);
	if (!stored) throw notFound(kind, name);
	const object = read(kind, stored);
	const meta = objectAt(object, "metadata");
	// The real server names the kind, not the resource, here (registry/rest/delete.go).
	const subject = { ...kind, plural: kind.kind };
	if (options.uid && options.uid !== meta["uid"])
		throw conflict(
			subject,
			name,
			`the UID in the precondition (${options.uid}) does not match the UID in record (${stringAt(meta, "uid")}). The object might have been deleted and then recreated`,
		);
	if (
		options.resourceVersion &&
		options.resourceVersion !== meta["resourceVersion"]
	)
		throw conflict(
			subject,
			name,
			`the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${stringAt(meta, "resourceVersion")}). The object might have been modified`,
		);
	const grace = kind.strategy.gracePeriod?.(object, options.grace) ?? 0;
	const finalizers = finalizersFor(object, options.propagation);
	const waiting =
		finalizers.length > 0 || grace > 0 || kind.plural === "namespaces";
	if (!waiting) {
		if (options.dryRun) return { object, immediate: true };
		return { object: removeObject(context, kind, key), immediate: true };
	}
	const marked = meta["deletionTimestamp"] !== undefined;
	const shorter =
		marked && grace < numberAt(meta, "deletionGracePeriodSeconds");
	if (
		marked &&
		!shorter &&
		finalizers.length === stringsAt(meta, "finalizers").length
	)
		return { object, immediate: false };
	const next = mark(context, object, grace, finalizers);
	if (kind.plural === "namespaces") {
		delete objectAt(next, "metadata")["deletionGracePeriodSeconds"];
		next["status"] = { ...objectAt(object, "status"), phase: "Terminating" };
	}
	if (options.dryRun) return { object: next, immediate: false };
	const written = context.store.put(
		kind.collection,
		key,
		kind.toStored ? kind.toStored(next) : next,
	);
	return { object: read(kind, written), immediate: false };
}

function mark(
	context: Context,
	object: JsonObject,
	grace: number,
	finalizers: string[],
): JsonObject {
	const meta: JsonObject = { ...objectAt(object, "metadata") };
	const end = Date.parse(timestamp(context)) + grace * 1000;
	meta["deletionTimestamp"] = `${new Date(end).toISOString().slice(0, 19)}Z`;
	meta["deletionGracePeriodSeconds"] = grace;
	if (numberAt(meta, "generation") > 0)
		meta["generation"] = numberAt(meta, "generation") + 1;
	if (finalizers.length > 0) meta["finalizers"] = finalizers;
	return { ...object, metadata: meta };
}

/** Foreground and orphan are finalizers that the garbage collector takes off; without dependents there is nothing to wait for. */
function finalizersFor(object: JsonObject, propagation: string): string[] {
	const meta = objectAt(object, "metadata");
	const present = stringsAt(meta, "finalizers");
	const kept = present.filter(
		(one) => one !== "orphan" && one !== "foregroundDeletion",
	);
	if (propagation === "Foreground") return [...kept, "foregroundDeletion"];
	if (propagation === "Orphan") return [...kept, "orphan"];
	return propagation === "Background" ? kept : present;
}

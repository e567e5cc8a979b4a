import { clone, equal } from "./json.ts";
import {
	ensureObject,
	numberAt,
	objectAt,
	objectsAt,
	stringAt,
	stringsAt,
} from "./access.ts";
import {
	ApiError,
	alreadyExists,
	badRequest,
	conflict,
	forbidden,
	modified,
	notFound,
} from "./api-error.ts";
import { trackUpdate } from "./apply/managed-fields.ts";
import {
	type Call,
	type Context,
	isDryRun,
	newUid,
	read,
	timestamp,
} from "./context.ts";
import { invalid, invalidObject } from "./field-error.ts";
import type { Kind } from "./kinds.ts";
import { validateMetadata } from "./metadata.ts";
import { generateName } from "./names.ts";
import type { JsonObject } from "./schema/decode.ts";
import { keyOf } from "./store.ts";

const nothing = { commit() {}, revert() {} };

/**
 * Creates an object that was read from a body; returns what is stored. `applied`: server-side apply has settled who owns
 * which fields. Throws an ApiError.
 */
export function createObject(
	context: Context,
	call: Call,
	object: JsonObject,
	applied = false,
): JsonObject {
	const { kind, request, query } = call;
	const meta = ensureObject(object, "metadata");
	placeInNamespace(kind, request.namespace, meta);
	if (stringAt(meta, "resourceVersion"))
		throw new ApiError(
			500,
			"",
			"resourceVersion should not be set on objects to be created",
		);
	kind.strategy.defaults?.(object);
	if (!applied) trackUpdate(context, call, undefined, object);
	if (kind.namespaced) requireNamespace(context, kind, object);
	const base = stringAt(meta, "generateName");
	if (base && !stringAt(meta, "name"))
		meta["name"] = generateName(base, context.random);
	const name = stringAt(meta, "name");
	for (const field of [
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
		"selfLink",
	])
		delete meta[field];
	meta["uid"] = newUid(context);
	meta["creationTimestamp"] = timestamp(context);
	if (kind.strategy.generation) meta["generation"] = 1;
	else delete meta["generation"];
	const dryRun = isDryRun(query);
	const transaction =
		kind.strategy.allocate?.(object, undefined, dryRun) ?? nothing;
	try {
		kind.strategy.prepareForCreate?.(object);
		const errors = kind.strategy.validate?.(object, undefined) ?? [];
		errors.unshift(...validateMetadata(kind, object, undefined));
		if (errors.length > 0) throw invalidObject(kind, name, errors);
		kind.strategy.warnings?.(object, undefined).forEach(call.warn);
		const key = keyOf(request.namespace, name);
		if (context.store.get(kind.collection, key))
			throw alreadyExists(kind, name);
		if (dryRun) {
			transaction.revert();
			return object;
		}
		const stored = context.store.put(
			kind.collection,
			key,
			kind.toStored ? kind.toStored(object) : object,
		);
		transaction.commit();
		return read(kind, stored);
	} catch (error) {
		transaction.revert();
		throw error;
	}
}

export interface UpdateOptions {
	/** A PUT that names a uid fails with a conflict if the object has another; a patch is refused as invalid. */
	uidConflicts?: boolean;
	/** Server-side apply has settled who owns which fields. */
	applied?: boolean;
}

/**
 * Replaces a stored object by what `change` makes of it (a copy may be changed and returned). Writes nothing if nothing
 * changes; removes the object if it was waiting for its last finalizer. Throws an ApiError.
 */
export function updateObject(
	context: Context,
	call: Call,
	change: (current: JsonObject) => JsonObject,
	options: UpdateOptions = {},
): JsonObject {
	const { kind, request, query } = call;
	const name = request.name ?? "";
	const key = keyOf(request.namespace, name);
	const stored = context.store.get(kind.collection, key);
	if (!stored) throw notFound(kind, name);
	const old = read(kind, stored);
	const oldMeta = objectAt(old, "metadata");
	const object = change(clone(old));
	const meta = ensureObject(object, "metadata");
	placeInNamespace(kind, request.namespace, meta);
	const uid = stringAt(meta, "uid");
	if (options.uidConflicts && uid && uid !== oldMeta["uid"])
		throw conflict(
			kind,
			name,
			`StorageError: invalid object, Code: 4, Key: /registry/${storagePath(kind)}/${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${stringAt(oldMeta, "uid")}`,
		);
	checkRevision(kind, name, meta, oldMeta);
	kind.strategy.defaults?.(object);
	if (!options.applied) trackUpdate(context, call, old, object);
	if (oldMeta["generation"] !== undefined)
		meta["generation"] = oldMeta["generation"];
	const status = request.subresource === "status";
	// These two write past the strategy, as they do upstream.
	const direct =
		request.subresource === "finalize" || request.subresource === "binding";
	const dryRun = isDryRun(query);
	const transaction =
		(status ? undefined : kind.strategy.allocate?.(object, old, dryRun)) ??
		nothing;
	try {
		if (status) kind.strategy.prepareForStatus?.(object, old);
		else if (!direct) kind.strategy.prepareForUpdate?.(object, old);
		keepSystemFields(meta, oldMeta);
		if (
			kind.strategy.generation &&
			!status &&
			!direct &&
			(specChanged(object, old) ||
				(kind.strategy.generation === "and annotations" &&
					!equal(
						objectAt(meta, "annotations"),
						objectAt(oldMeta, "annotations"),
					)))
		)
			meta["generation"] = numberAt(oldMeta, "generation") + 1;
		const errors = status
			? (kind.strategy.validateStatus?.(object, old) ?? [])
			: (kind.strategy.validate?.(object, old) ?? []);
		errors.unshift(...validateMetadata(kind, object, old));
		if (errors.length > 0) throw invalidObject(kind, name, errors);
		if (!status) kind.strategy.warnings?.(object, old).forEach(call.warn);
		meta["resourceVersion"] = stringAt(oldMeta, "resourceVersion");
		if (equal(withoutTimes(object), withoutTimes(old))) {
			transaction.revert();
			return old;
		}
		if (dryRun) {
			transaction.revert();
			return object;
		}
		const next = kind.toStored ? kind.toStored(object) : object;
		if (isFinalized(kind, meta, object)) {
			transaction.commit();
			removeObject(context, kind, key);
			return object;
		}
		const result = context.store.put(kind.collection, key, next);
		transaction.commit();
		return read(kind, result);
	} catch (error) {
		transaction.revert();
		throw error;
	}
}

/** Takes an object out of the store and gives back what it held. */
export function removeObject(
	context: Context,
	kind: Kind,
	key: string,
): JsonObject {
	const last = read(kind, context.store.remove(kind.collection, key));
	kind.strategy.released?.(last);
	return last;
}

/** Where etcd would have the objects of a kind. */
function storagePath(kind: Kind): string {
	if (kind.custom) return `${kind.group}/${kind.plural}`;
	const own: Record<string, string> = {
		services: "services/specs",
		endpoints: "services/endpoints",
		nodes: "minions",
	};
	return own[kind.plural] ?? kind.plural;
}

function isFinalized(
	kind: Kind,
	meta: JsonObject,
	object: JsonObject,
): boolean {
	return (
		meta["deletionTimestamp"] !== undefined &&
		stringsAt(meta, "finalizers").length === 0 &&
		numberAt(meta, "deletionGracePeriodSeconds") === 0 &&
		(kind.plural !== "namespaces" ||
			stringsAt(object, "spec", "finalizers").length === 0)
	);
}

function checkRevision(
	kind: Kind,
	name: string,
	meta: JsonObject,
	oldMeta: JsonObject,
): void {
	const given = stringAt(meta, "resourceVersion");
	if (!given || given === "0") {
		if (kind.custom || kind.strategy.needsResourceVersion)
			throw invalidObject(kind, name, [
				invalid(
					"metadata.resourceVersion",
					0,
					"must be specified for an update",
				),
			]);
		return;
	}
	if (!/^\d+$/.test(given))
		throw invalidObject(kind, name, [
			invalid(
				"metadata.resourceVersion",
				given,
				`strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`,
			),
		]);
	if (given !== oldMeta["resourceVersion"])
		throw conflict(kind, name, modified);
}

function keepSystemFields(meta: JsonObject, old: JsonObject): void {
	if (!stringAt(meta, "uid")) meta["uid"] = old["uid"] as string;
	meta["creationTimestamp"] = old["creationTimestamp"] as string;
	for (const field of ["deletionTimestamp", "deletionGracePeriodSeconds"])
		if (old[field] !== undefined && meta[field] === undefined)
			meta[field] = old[field];
	if (old["deletionTimestamp"] !== undefined)
		meta["deletionTimestamp"] = old["deletionTimestamp"];
}

/** A change of nothing but the times of managedFields is no change. */
function withoutTimes(object: JsonObject): JsonObject {
	const meta = objectAt(object, "metadata");
	const entries = objectsAt(meta, "managedFields").map((entry) => ({
		...entry,
		time: "",
	}));
	return { ...object, metadata: { ...meta, managedFields: entries } };
}

/** Anything but metadata and status. */
function specChanged(object: JsonObject, old: JsonObject): boolean {
	const { metadata: _a, status: _b, ...now } = object;
	const { metadata: _c, status: _d, ...before } = old;
	return !equal(now, before);
}

function placeInNamespace(
	kind: Kind,
	namespace: string | undefined,
	meta: JsonObject,
): void {
	const given = stringAt(meta, "namespace");
	if (!kind.namespaced) {
		if (given)
			throw badRequest(
				"the namespace of the provided object does not match the namespace sent on the request",
			);
		return;
	}
	if (given && given !== namespace)
		throw badRequest(
			"the namespace of the provided object does not match the namespace sent on the request",
		);
	meta["namespace"] = namespace ?? "";
}

/** Nothing is created in a namespace that is not there or is going away. */
function requireNamespace(
	context: Context,
	kind: Kind,
	object: JsonObject,
): void {
	const name = stringAt(object, "metadata", "namespace");
	const namespace = context.store.get("namespaces", name);
	if (!namespace)
		throw notFound(
			{ group: "", plural: "namespaces", kind: "Namespace" },
			name,
		);
	if (stringAt(namespace, "status", "phase") === "Terminating")
		throw forbidden(
			kind,
			stringAt(object, "metadata", "name"),
			`unable to create new content in namespace ${name} because it is being terminated`,
			[
				{
					reason: "NamespaceTerminating",
					message: `namespace ${name} is being terminated`,
					field: "metadata.namespace",
				},
			],
		);
}

/** The name in a PUT's body must be the one in its path. */
export function checkName(call: Call, object: JsonObject): void {
	const given = stringAt(object, "metadata", "name");
	const name = call.request.name ?? "";
	if (given && given !== name)
		throw badRequest(
			`the name of the object (${given}) does not match the name on the URL (${name})`,
		);
	if (!given && call.request.subresource === undefined)
		throw badRequest(
			`the name of the object ( based on URL) was undeterminable: name must be provided`,
		);
	const namespace = stringAt(object, "metadata", "namespace");
	if (namespace && call.kind.namespaced && namespace !== call.request.namespace)
		throw badRequest(
			"the namespace of the provided object does not match the namespace sent on the request",
		);
}

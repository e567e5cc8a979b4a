import { ensureObject, objectAt, stringAt } from "../access.ts";
import { ApiError, badRequest, type Cause, conflict } from "../api-error.ts";
import {
	type Answer,
	type Call,
	type Context,
	read,
	timestamp,
} from "../context.ts";
import { invalidObject, required } from "../field-error.ts";
import { equal } from "../json.ts";
import { groupVersion } from "../kinds.ts";
import {
	decode,
	isObject,
	type Json,
	type JsonObject,
} from "../schema/decode.ts";
import { keyOf } from "../store.ts";
import { checkName, createObject, updateObject } from "../writes.ts";
import {
	difference,
	emptySet,
	intersection,
	isEmpty,
	places,
	printPath,
	union,
	withAncestors,
	without,
} from "./field-set.ts";
import {
	type Manager,
	readManagers,
	resetFields,
	writeManagers,
} from "./managed-fields.ts";
import { compare, merge, placesOf, removePlaces } from "./typed.ts";

/**
 * Server-side apply: what the body says is set, what the same manager applied earlier and no longer says goes unless
 * somebody else owns it, and what others own with another value is a conflict unless `force` is set.
 */
export function applyObject(context: Context, call: Call, body: Json): Answer {
	const { kind, request, query } = call;
	const applied = readApplied(call, body);
	if (!query.get("fieldManager"))
		throw invalidObject(
			{ group: "meta.k8s.io", plural: "", kind: "PatchOptions" },
			"",
			[required("fieldManager", "is required for apply patch")],
		);
	const key = keyOf(request.namespace, request.name ?? "");
	const stored = context.store.get(kind.collection, key);
	if (!stored) {
		const meta = ensureObject(applied, "metadata");
		if (request.subresource || stringAt(meta, "uid"))
			throw request.subresource
				? new ApiError(
						404,
						"NotFound",
						`${kind.plural} ${JSON.stringify(request.name)} not found`,
						{ name: request.name ?? "", kind: kind.plural },
					)
				: conflict(
						kind,
						request.name ?? "",
						`uid mismatch: the provided object specified uid ${stringAt(meta, "uid")}, and no existing object was found`,
					);
		delete meta["resourceVersion"];
		const { object, managers } = merged(context, call, undefined, applied);
		const full = decode(kind.type, object);
		writeManagers(full, managers);
		return { code: 201, object: createObject(context, call, full, true) };
	}
	const before = read(kind, stored);
	const { object, managers, changed } = merged(context, call, before, applied);
	if (!changed) return { code: 200, object: before };
	const full = decode(kind.type, object);
	writeManagers(full, managers);
	return {
		code: 200,
		object: updateObject(context, call, () => full, { applied: true }),
	};
}

/** The body, checked but not filled up: only what it says counts. */
function readApplied(call: Call, body: Json): JsonObject {
	const { kind } = call;
	if (!isObject(body)) throw badRequest("an applied object must be an object");
	const apiVersion = stringAt(body, "apiVersion");
	if (!apiVersion || !stringAt(body, "kind"))
		throw badRequest(
			`error decoding YAML: Object '${apiVersion ? "Kind" : "apiVersion"}' is missing in '${JSON.stringify(body)}'`,
		);
	if (apiVersion !== groupVersion(kind) || body["kind"] !== kind.kind)
		throw badRequest(
			`invalid object type: ${groupVersionKind(apiVersion, stringAt(body, "kind"))}`,
		);
	if (objectAt(body, "metadata")["managedFields"] !== undefined)
		throw badRequest("metadata.managedFields must be nil");
	checkName(call, body);
	const unknown: string[] = [];
	const decoded = decode(kind.type, body, unknown);
	if (unknown.length > 0) {
		const meta = objectAt(body, "metadata");
		const lines = unknown.map(
			(path) => `.${path}: field not declared in schema`,
		);
		throw new ApiError(
			500,
			"",
			`failed to create typed patch object (${stringAt(meta, "namespace")}/${stringAt(meta, "name")}; ${groupVersionKind(apiVersion, kind.kind)}): ${
				lines.length === 1
					? lines[0]
					: `errors:\n${lines.map((line) => `  ${line}`).join("\n")}`
			}`,
		);
	}
	const declared = dropUndeclared(body, decoded);
	const meta = ensureObject(declared, "metadata");
	meta["name"] = call.request.name ?? "";
	if (kind.namespaced) meta["namespace"] = call.request.namespace ?? "";
	return declared;
}

/** As Go prints it: `/v1, Kind=Service`. */
function groupVersionKind(apiVersion: string, kind: string): string {
	return `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

/** Fields the type does not have are left out; the values are the decoded ones. */
function dropUndeclared(given: JsonObject, decoded: JsonObject): JsonObject {
	const keep = (raw: Json, known: Json | undefined): Json | undefined => {
		if (raw === null) return undefined;
		if (isObject(raw)) {
			if (!isObject(known))
				return Object.keys(raw).length === 0 ? raw : undefined;
			const result: JsonObject = {};
			for (const [key, value] of Object.entries(raw)) {
				const kept = keep(value, known[key]);
				if (kept !== undefined) result[key] = kept;
				// An empty value of an omitempty field is gone from the decoded object, but was applied.
				else if (known[key] === undefined && isZero(value)) result[key] = value;
			}
			return result;
		}
		if (Array.isArray(raw))
			return Array.isArray(known)
				? raw.map((item, index) => keep(item, known[index]) ?? item)
				: raw.length === 0
					? raw
					: undefined;
		return known;
	};
	return keep(given, decoded) as JsonObject;
}

const isZero = (value: Json) => value === "" || value === 0 || value === false;

function merged(
	context: Context,
	call: Call,
	live: JsonObject | undefined,
	applied: JsonObject,
): { object: JsonObject; managers: Manager[]; changed: boolean } {
	const { kind, query, request } = call;
	const type = kind.type;
	const name = query.get("fieldManager") ?? "";
	const subresource = request.subresource ?? "";
	const ignored = resetFields(call);
	const managers = readManagers(live);
	const previous = managers.find(
		(one) =>
			one.operation === "Apply" &&
			one.manager === name &&
			one.subresource === subresource,
	);
	const others = managers.filter((one) => one !== previous);
	const mine: Manager = {
		manager: name,
		operation: "Apply",
		apiVersion: groupVersion(kind),
		time: timestamp(context),
		subresource,
		set: without(placesOf(type, applied).set, ignored),
	};
	const base = live ?? decode(type, {});
	let object = merge(type, base, applied) as JsonObject;
	if (previous) {
		const owned = [...others, mine].reduce(
			(sum, one) => union(sum, one.set),
			emptySet(),
		);
		const gone = difference(withAncestors(previous.set), withAncestors(owned));
		object = removePlaces(type, object, {
			...gone,
			member: false,
		}) as JsonObject;
	}
	const { added, modified, removed } = compare(type, base, object);
	const touched = without(union(added, modified), ignored);
	if (query.get("force") !== "true") refuseConflicts(others, touched);
	for (const one of others)
		one.set = difference(
			difference(one.set, touched),
			without(removed, ignored),
		);
	const unchanged =
		live !== undefined &&
		equal(object, live) &&
		previous !== undefined &&
		isEmpty(difference(previous.set, mine.set)) &&
		isEmpty(difference(mine.set, previous.set));
	return { object, managers: [...others, mine], changed: !unchanged };
}

function refuseConflicts(
	others: Manager[],
	touched: ReturnType<typeof emptySet>,
): void {
	const lines: { who: string; fields: string[] }[] = [];
	for (const one of others) {
		const fields = [...places(intersection(one.set, touched))].map(printPath);
		if (fields.length > 0) lines.push({ who: describe(one), fields });
	}
	if (lines.length === 0) return;
	lines.sort((a, b) => (a.who < b.who ? -1 : 1));
	const total = lines.reduce((sum, one) => sum + one.fields.length, 0);
	const message =
		total === 1
			? `conflict with ${lines[0]?.who}: ${lines[0]?.fields[0]}`
			: lines
					.map(
						({ who, fields }) =>
							`conflicts with ${who}:\n${fields.map((one) => `- ${one}`).join("\n")}`,
					)
					.join("\n");
	const causes: Cause[] = lines.flatMap(({ who, fields }) =>
		fields.map((field) => ({
			reason: "FieldManagerConflict",
			message: `conflict with ${who}`,
			field,
		})),
	);
	throw new ApiError(
		409,
		"Conflict",
		`Apply failed with ${total} conflict${total === 1 ? "" : "s"}: ${message}`,
		{ causes: causes as unknown as JsonObject[] },
	);
}

function describe(one: Manager): string {
	const who =
		JSON.stringify(one.manager) +
		(one.subresource
			? ` with subresource ${JSON.stringify(one.subresource)}`
			: "");
	if (one.operation === "Apply") return who;
	return `${who} using ${one.apiVersion}`;
}

import { numberAt, objectAt, stringAt, stringMapAt } from "./access.ts";
import {
	badRequest,
	expired,
	notFound,
	tooLargeResourceVersion,
} from "./api-error.ts";
import { type Call, type Context, read } from "./context.ts";
import { forbiddenField, invalidObject } from "./field-error.ts";
import { groupVersion, type Kind } from "./kinds.ts";
import { isObject, type Json, type JsonObject } from "./schema/decode.ts";
import { fieldSelector, labelSelector } from "./selectors.ts";
import { keyOf, type Stored } from "./store.ts";

const listOptions = {
	group: "meta.k8s.io",
	plural: "listoptions",
	kind: "ListOptions",
};

export function getObject(context: Context, call: Call): JsonObject {
	const { kind, request } = call;
	const name = request.name ?? "";
	const found = context.store.get(
		kind.collection,
		keyOf(request.namespace, name),
	);
	if (!found) throw notFound(kind, name);
	return read(kind, found);
}

/** A predicate made of the request's label and field selectors, and its name if the path has one. */
export function selection(call: Call): (object: JsonObject) => boolean {
	const { kind, query, request } = call;
	const byLabel = labelSelector(query.get("labelSelector"));
	const own = kind.strategy.fields ?? {};
	const known = (field: string) =>
		field === "metadata.name" ||
		(field === "metadata.namespace" && kind.namespaced) ||
		Object.hasOwn(own, field);
	const requirements = fieldSelector(query.get("fieldSelector"));
	for (const { field } of requirements)
		if (!known(field)) throw badRequest(unsupportedField(kind, field));
	return (object) => {
		const meta = objectAt(object, "metadata");
		if (request.name !== undefined && meta["name"] !== request.name)
			return false;
		if (!byLabel(stringMapAt(meta, "labels"))) return false;
		if (requirements.length === 0) return true;
		const values: Record<string, string> = {};
		for (const { field } of requirements)
			values[field] =
				field === "metadata.name"
					? stringAt(meta, "name")
					: field === "metadata.namespace"
						? stringAt(meta, "namespace")
						: (own[field]?.(object) ?? "");
		return requirements.every(
			({ field, value, equal }) => (values[field] === value) === equal,
		);
	};
}

/** Kinds with selectable fields of their own have one text, all others another. */
function unsupportedField(kind: Kind, field: string): string {
	return kind.strategy.fields
		? `field label not supported: ${field}`
		: `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

interface Continuation {
	revision: number;
	start: string;
}

/** The objects of a list, and what its metadata says. */
export function listObjects(
	context: Context,
	call: Call,
): { items: JsonObject[]; metadata: JsonObject } {
	const { kind, query, request } = call;
	const { store } = context;
	const matches = selection(call);
	const limit = Number(query.get("limit") ?? 0);
	const token = query.get("continue");
	const given = query.get("resourceVersion") ?? "";
	const match = query.get("resourceVersionMatch") ?? "";
	checkListOptions(token, given, match);
	if (query.has("sendInitialEvents"))
		throw invalidObject(listOptions, "", [
			forbiddenField(
				"sendInitialEvents",
				"sendInitialEvents is forbidden for list",
			),
		]);
	const asked = parseRevision(given);
	let revision = store.revision;
	let start = "";
	if (token) ({ revision, start } = readContinue(token));
	else if (asked > revision) throw tooLargeResourceVersion(asked, revision);
	else if (match === "Exact") revision = asked;
	const prefix =
		kind.namespaced && request.namespace ? `${request.namespace}/` : "";
	const entries: [string, Stored][] =
		revision < store.revision
			? store.listAt(kind.collection, revision, prefix)
			: store.list(kind.collection, prefix);
	const items: JsonObject[] = [];
	let last = "";
	let rest = 0;
	for (const [key, stored] of entries) {
		if (key < start) continue;
		if (limit > 0 && items.length >= limit) {
			rest++;
			continue;
		}
		const object = read(kind, stored);
		if (!matches(object)) continue;
		items.push(object);
		last = key;
	}
	const metadata: JsonObject = { resourceVersion: String(revision) };
	if (rest > 0) {
		metadata["continue"] = writeContinue({ revision, start: `${last}\0` });
		// With a selector the server does not know how many of the rest match.
		if (!query.get("labelSelector") && !query.get("fieldSelector"))
			metadata["remainingItemCount"] = rest;
	}
	return { items, metadata };
}

/** A list as it stands on the wire. Items of built-in kinds do not repeat apiVersion and kind. */
export function listBody(
	kind: Kind,
	list: { items: JsonObject[]; metadata: JsonObject },
): JsonObject {
	return {
		kind: kind.listKind,
		apiVersion: groupVersion(kind),
		metadata: list.metadata,
		items: kind.custom
			? list.items
			: list.items.map(({ apiVersion: _v, kind: _k, ...rest }) => rest),
	};
}

function checkListOptions(
	token: string | null,
	revision: string,
	match: string,
): void {
	if (match && !revision && !token)
		throw invalidObject(listOptions, "", [
			forbiddenField(
				"resourceVersionMatch",
				"resourceVersionMatch is forbidden unless resourceVersion is provided",
			),
		]);
	if (token && match)
		throw invalidObject(listOptions, "", [
			forbiddenField(
				"resourceVersionMatch",
				"resourceVersionMatch is forbidden when continue is provided",
			),
		]);
	if (match && match !== "Exact" && match !== "NotOlderThan")
		throw invalidObject(listOptions, "", [
			{
				type: "FieldValueNotSupported",
				field: "resourceVersionMatch",
				value: match,
				detail: 'supported values: "Exact", "NotOlderThan", ""',
			},
		]);
	if (match === "Exact" && revision === "0")
		throw invalidObject(listOptions, "", [
			forbiddenField(
				"resourceVersionMatch",
				'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
			),
		]);
	if (token && revision && revision !== "0")
		throw badRequest(
			"specifying resource version is not allowed when using continue",
		);
}

export function parseRevision(text: string): number {
	if (text === "") return 0;
	if (!/^\d+$/.test(text))
		throw badRequest(
			`invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
		);
	return Number(text);
}

function writeContinue({ revision, start }: Continuation): string {
	return Buffer.from(
		JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start }),
	).toString("base64url");
}

function readContinue(token: string): Continuation {
	let json: Json;
	const text = Buffer.from(token, "base64url").toString("latin1");
	try {
		json = JSON.parse(text) as Json;
	} catch {
		throw badRequest(
			`invalid continue token: continue key is not valid: invalid character '${text[0] ?? ""}' looking for beginning of value`,
		);
	}
	if (!isObject(json) || stringAt(json, "v") !== "meta.k8s.io/v1")
		throw badRequest(
			'continue key is not valid: server does not recognize this encoded version "v1"',
		);
	const revision = numberAt(json, "rv");
	if (revision <= 0)
		throw expired(
			"The provided continue parameter is too old to display a consistent list result.",
		);
	return { revision, start: stringAt(json, "start") };
}

import { textOf } from "../access.ts";
import { clone, equal } from "../json.ts";
import { ApiError } from "../api-error.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";

/** Applies an RFC 6902 patch; `document` stays as it is. Throws Invalid (422) if it does not apply. */
export function jsonPatch(document: JsonObject, patch: Json): JsonObject {
	if (!Array.isArray(patch))
		throw new ApiError(
			400,
			"BadRequest",
			"error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
		);
	let result: Json = clone(document);
	for (const operation of patch) {
		if (!isObject(operation)) throw doesNotApply();
		result = apply(result, operation);
	}
	return result as JsonObject;
}

function apply(document: Json, operation: JsonObject): Json {
	const op = operation["op"];
	const path = operation["path"];
	if (typeof path !== "string") throw doesNotApply();
	switch (op) {
		case "add":
			return add(document, path, operation["value"] ?? null);
		case "remove":
			return remove(document, path).document;
		case "replace": {
			if (path === "") return operation["value"] ?? null;
			read(document, path);
			const { parent, key } = locate(document, path);
			if (Array.isArray(parent))
				parent[Number(key)] = operation["value"] ?? null;
			else parent[key] = operation["value"] ?? null;
			return document;
		}
		case "test": {
			const found = find(document, path) ?? null;
			if (!equal(found, operation["value"] ?? null)) throw doesNotApply();
			return document;
		}
		case "move": {
			const from = textOf(operation["from"]);
			const taken = remove(document, from);
			return add(taken.document, path, taken.value);
		}
		case "copy": {
			const value = read(document, textOf(operation["from"]));
			return add(document, path, clone(value));
		}
		default:
			throw doesNotApply();
	}
}

function add(document: Json, path: string, value: Json): Json {
	if (path === "") return value;
	const { parent, key } = locate(document, path);
	if (!Array.isArray(parent)) {
		parent[key] = value;
		return document;
	}
	const index = key === "-" ? parent.length : Number(key);
	if (!Number.isInteger(index) || index < 0 || index > parent.length)
		throw doesNotApply();
	parent.splice(index, 0, value);
	return document;
}

function remove(document: Json, path: string): { document: Json; value: Json } {
	const value = read(document, path);
	const { parent, key } = locate(document, path);
	if (Array.isArray(parent)) parent.splice(Number(key), 1);
	else delete parent[key];
	return { document, value };
}

function read(document: Json, path: string): Json {
	const found = find(document, path);
	if (found === undefined) throw doesNotApply();
	return found;
}

function find(document: Json, path: string): Json | undefined {
	let at: Json | undefined = document;
	for (const key of segments(path)) {
		if (Array.isArray(at)) at = /^\d+$/.test(key) ? at[Number(key)] : undefined;
		else if (isObject(at) && Object.hasOwn(at, key)) at = at[key];
		else return undefined;
	}
	return at;
}

function locate(
	document: Json,
	path: string,
): { parent: JsonObject | Json[]; key: string } {
	const keys = segments(path);
	const key = keys.pop() ?? "";
	const parent = find(document, keys.map((one) => `/${escape(one)}`).join(""));
	if (!isObject(parent) && !Array.isArray(parent)) throw doesNotApply();
	return { parent, key };
}

const segments = (path: string) =>
	path === ""
		? []
		: path
				.slice(1)
				.split("/")
				.map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"));
const escape = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");

/** The real server hides why (apiserver, handlers/patch.go: NewGenericServerResponse). */
function doesNotApply(): ApiError {
	return new ApiError(
		422,
		"Invalid",
		"the server rejected our request due to an error in our request",
		{},
	);
}

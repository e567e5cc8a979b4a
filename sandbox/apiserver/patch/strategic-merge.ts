import { textOf } from "../access.ts";
import { equal } from "../json.ts";
import { ApiError, badRequest } from "../api-error.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";
import type { Field, StructType, Type } from "../schema/types.ts";

const deleteFrom = "$deleteFromPrimitiveList/";
const elementOrder = "$setElementOrder/";

/**
 * Applies a strategic merge patch, with the merge keys of the type's table and the directives `$patch: merge|replace|
 * delete`, `$retainKeys`, `$deleteFromPrimitiveList/x` and `$setElementOrder/x` (k8s.io/apimachinery/pkg/util/
 * strategicpatch). Neither argument is changed. Throws a BadRequest for a malformed patch.
 */
export function strategicMerge(
	type: StructType,
	document: JsonObject,
	patch: JsonObject,
): JsonObject {
	return mergeStruct(type, document, patch);
}

function mergeStruct(
	type: Type | undefined,
	document: JsonObject,
	patch: JsonObject,
): JsonObject {
	const directive = patch["$patch"];
	if (directive === "replace") return withoutDirectives(patch) as JsonObject;
	if (directive === "delete") return {};
	if (directive !== undefined && directive !== "merge")
		throw badRequest(
			`unknown patch type: ${textOf(directive)} in map: ${JSON.stringify(patch)}`,
		);
	let result: JsonObject = { ...document };
	const retain = patch["$retainKeys"];
	if (Array.isArray(retain))
		result = Object.fromEntries(
			Object.entries(result).filter(([key]) => retain.includes(key)),
		);
	for (const [key, value] of Object.entries(patch)) {
		if (key === "$patch" || key === "$retainKeys") continue;
		if (key.startsWith(deleteFrom)) {
			const name = key.slice(deleteFrom.length);
			const from = result[name];
			// Merged values of the same patch win over its deletions, as the keys sort.
			if (Array.isArray(from) && Array.isArray(value))
				result[name] = from.filter((item) => !value.includes(item));
			continue;
		}
		if (key.startsWith(elementOrder)) continue;
		if (value === null) {
			delete result[key];
			continue;
		}
		const field = type?.kind === "struct" ? type.fields.get(key) : undefined;
		const fieldType = type?.kind === "map" ? type.value : field?.type;
		const before = result[key];
		if (isObject(value))
			result[key] = isObject(before)
				? mergeStruct(fieldType, before, value)
				: mergeStruct(fieldType, {}, value);
		else if (Array.isArray(value))
			result[key] = mergeList(
				field,
				Array.isArray(before) ? before : undefined,
				value,
			);
		else result[key] = value;
	}
	for (const [name, list] of Object.entries(result)) {
		const order = patch[`${elementOrder}${name}`] ?? patch[name];
		const field = type?.kind === "struct" ? type.fields.get(name) : undefined;
		if (Array.isArray(order) && Array.isArray(list) && field?.merge)
			result[name] = inOrder(
				list,
				order,
				Array.isArray(document[name]) ? document[name] : [],
				field.merge.key,
			);
	}
	return result;
}

function mergeList(
	field: Field | undefined,
	before: Json[] | undefined,
	patch: Json[],
): Json[] {
	if (!field?.merge || field.type.kind !== "list")
		return withoutDirectives(patch) as Json[];
	const { key } = field.merge;
	if (!key) {
		const merged = [...(before ?? [])];
		for (const item of patch) if (!merged.includes(item)) merged.push(item);
		return merged;
	}
	let result = [...(before ?? [])];
	const items = patch.map((item) => {
		if (!isObject(item))
			throw badRequest("expected a map, but received a string");
		return item;
	});
	const replaces = items.some((item) => item["$patch"] === "replace");
	if (replaces)
		return items
			.filter((item) => item["$patch"] !== "replace")
			.map((item) => withoutDirectives(item));
	for (const item of items) {
		const directive = item["$patch"];
		if (directive === "delete") {
			if (item[key] === undefined) throw noMergeKey(item, key);
			result = result.filter((one) => !sameKey(one, item, key));
			continue;
		}
		if (item[key] === undefined) throw noMergeKey(item, key);
		const at = result.findIndex((one) => sameKey(one, item, key));
		const type = field.type.items;
		if (at < 0) result.push(mergeStruct(type, {}, item));
		else result[at] = mergeStruct(type, result[at] as JsonObject, item);
	}
	return result;
}

const sameKey = (one: Json, other: JsonObject, key: string) =>
	isObject(one) && equal(one[key], other[key]);

function noMergeKey(item: JsonObject, key: string) {
	return new ApiError(
		500,
		"",
		`map: ${goMap(item)} does not contain declared merge key: ${key}`,
	);
}

/** A map as Go's %v prints it. */
export function goMap(value: Json): string {
	if (Array.isArray(value)) return `[${value.map(goMap).join(" ")}]`;
	if (isObject(value))
		return `map[${Object.keys(value)
			.sort()
			.map((key) => `${key}:${goMap(value[key] ?? null)}`)
			.join(" ")}]`;
	return value === null ? "<nil>" : String(value);
}

/** Items the patch names in its order, merged with the rest in the order they had (strategicpatch, mergeSortedSlice). */
function inOrder(
	list: Json[],
	order: Json[],
	before: Json[],
	key: string | undefined,
): Json[] {
	const identity = (item: Json) =>
		JSON.stringify(key && isObject(item) ? (item[key] ?? null) : item);
	const wanted = order.map(identity);
	const server = before.map(identity);
	const place = (item: Json) => wanted.indexOf(identity(item));
	const named = list
		.filter((item) => place(item) >= 0)
		.sort((a, b) => place(a) - place(b));
	const rest = list.filter((item) => place(item) < 0);
	const result: Json[] = [];
	for (const item of named) {
		const own = server.indexOf(identity(item));
		while (rest[0] !== undefined && own > server.indexOf(identity(rest[0])))
			result.push(rest.shift() as Json);
		result.push(item);
	}
	return [...result, ...rest];
}

function withoutDirectives(value: Json): Json {
	if (Array.isArray(value))
		return value
			.filter((item) => !(isObject(item) && item["$patch"] === "delete"))
			.map(withoutDirectives);
	if (!isObject(value)) return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([key]) => !key.startsWith("$"))
			.map(([key, item]) => [key, withoutDirectives(item)]),
	);
}

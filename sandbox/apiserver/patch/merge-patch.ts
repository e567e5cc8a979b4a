import { isObject, type Json, type JsonObject } from "../schema/decode.ts";

/** RFC 7386; neither argument is changed. */
export function mergePatch(document: Json, patch: Json): Json {
	if (!isObject(patch)) return patch;
	const result: JsonObject = isObject(document) ? { ...document } : {};
	for (const [key, value] of Object.entries(patch)) {
		if (value === null) delete result[key];
		else result[key] = mergePatch(result[key] ?? null, value);
	}
	return result;
}

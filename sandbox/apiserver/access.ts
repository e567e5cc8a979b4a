import { isObject, type Json, type JsonObject } from "./schema/decode.ts";

/** Reads of raw JSON objects: what is missing or of another type reads as empty. */

export function objectAt(
	from: Json | undefined,
	...path: string[]
): JsonObject {
	const found = valueAt(from, ...path);
	return isObject(found) ? found : {};
}

export function listAt(from: Json | undefined, ...path: string[]): Json[] {
	const found = valueAt(from, ...path);
	return Array.isArray(found) ? found : [];
}

/** Items that are objects. */
export function objectsAt(
	from: Json | undefined,
	...path: string[]
): JsonObject[] {
	return listAt(from, ...path).filter(isObject);
}

export function stringAt(from: Json | undefined, ...path: string[]): string {
	const found = valueAt(from, ...path);
	return typeof found === "string" ? found : "";
}

export function numberAt(from: Json | undefined, ...path: string[]): number {
	const found = valueAt(from, ...path);
	return typeof found === "number" ? found : 0;
}

export function stringsAt(from: Json | undefined, ...path: string[]): string[] {
	return listAt(from, ...path).filter((one) => typeof one === "string");
}

export function stringMapAt(
	from: Json | undefined,
	...path: string[]
): Record<string, string> {
	return objectAt(from, ...path) as Record<string, string>;
}

export function valueAt(
	from: Json | undefined,
	...path: string[]
): Json | undefined {
	let at = from;
	for (const key of path) {
		if (!isObject(at)) return undefined;
		at = at[key];
	}
	return at;
}

/** Sets `value` if nothing but an empty value is there. */
export function setDefault(to: JsonObject, key: string, value: Json): void {
	const now = to[key];
	if (now === undefined || now === null || now === "" || now === 0)
		to[key] = value;
}

/** The object at `key`, made if there is none. */
export function ensureObject(to: JsonObject, key: string): JsonObject {
	const now = to[key];
	if (isObject(now)) return now;
	const made: JsonObject = {};
	to[key] = made;
	return made;
}

/** A value as text, for messages: strings as they are. */
export function textOf(value: Json | undefined): string {
	return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

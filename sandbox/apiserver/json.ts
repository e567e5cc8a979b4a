import type { Json } from "./schema/decode.ts";

/** Same value, whatever the order of keys. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
	if (a === b) return true;
	if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
	if (Array.isArray(a) || Array.isArray(b))
		return (
			Array.isArray(a) &&
			Array.isArray(b) &&
			a.length === b.length &&
			a.every((item, index) => equal(item, b[index]))
		);
	const keys = Object.keys(a);
	return (
		keys.length === Object.keys(b).length &&
		keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
	);
}

/** A copy that shares nothing. */
export function clone<T extends Json>(value: T): T {
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) return value.map(clone) as T;
	const copy: Record<string, Json> = {};
	for (const key of Object.keys(value)) copy[key] = clone(value[key] as Json);
	return copy as T;
}

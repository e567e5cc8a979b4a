import { equal } from "../json.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";
import type { ListType, Type } from "../schema/types.ts";
import { emptySet, type FieldSet, insert } from "./field-set.ts";

/** Values walked along their types, as server-side apply sees them (structured-merge-diff, typed). */

/** Places of a value, and what stands at those that are leaves. */
export interface Places {
	set: FieldSet;
	leaves: Map<string, Json>;
}

export const pathKey = (path: readonly string[]): string => path.join("\0");

/** Nobody knows the type: maps are merged, lists replaced. */
const deduced: Type = { kind: "any" };

/** With `containers`, also the places of structs, maps and lists that hold others. */
export function placesOf(type: Type, value: Json, containers = false): Places {
	const result: Places = { set: emptySet(), leaves: new Map() };
	walk(type, value, [], { ...result, containers });
	return result;
}

function walk(
	type: Type,
	value: Json,
	path: string[],
	into: Places & { containers: boolean },
): void {
	const leaf = () => {
		insert(into.set, path);
		into.leaves.set(pathKey(path), value);
	};
	if (into.containers && path.length > 0) insert(into.set, path);
	if (isObject(value) && !isAtomic(type)) {
		for (const [key, item] of Object.entries(value)) {
			const below = [...path, `f:${key}`];
			const named = type.kind === "struct" && type.fields.has(key);
			walk(childType(type, key), item, below, into);
			if (!named || (isObject(item) && Object.keys(item).length === 0)) {
				insert(into.set, below);
				if (isObject(item) && Object.keys(item).length === 0)
					into.leaves.set(pathKey(below), item);
			}
		}
		return;
	}
	if (Array.isArray(value) && type.kind === "list" && type.list !== "atomic") {
		for (const item of value) {
			const below = [...path, itemEdge(type, item)];
			insert(into.set, below);
			walk(type.items, item, below, into);
		}
		return;
	}
	if (path.length > 0) leaf();
}

function isAtomic(type: Type): boolean {
	return (
		((type.kind === "struct" || type.kind === "map") && type.atomic) ||
		type.kind === "scalar"
	);
}

function childType(type: Type, key: string): Type {
	if (type.kind === "struct") return type.fields.get(key)?.type ?? deduced;
	return type.kind === "map" ? type.value : deduced;
}

/** `k:{…}` or `v:…` of an item; a key that is not given counts with its default. */
export function itemEdge(type: ListType, item: Json): string {
	if (type.list === "set" || !isObject(item))
		return `v:${JSON.stringify(item)}`;
	const keys: JsonObject = {};
	for (const key of [...type.keys].sort()) {
		const fallback =
			type.items.kind === "struct"
				? type.items.fields.get(key)?.default
				: undefined;
		const value = item[key] ?? fallback;
		if (value !== undefined) keys[key] = value;
	}
	return `k:${JSON.stringify(keys)}`;
}

/** What a change from `before` to `after` did, place by place. */
export interface Comparison {
	added: FieldSet;
	removed: FieldSet;
	modified: FieldSet;
}

export function compare(
	type: Type,
	before: Json | undefined,
	after: Json,
): Comparison {
	const old = placesOf(type, before ?? {}, true);
	const now = placesOf(type, after, true);
	const modified = emptySet();
	for (const [key, value] of now.leaves) {
		const was = old.leaves.get(key);
		if (was !== undefined && !equal(was, value))
			insert(modified, key.split("\0"));
	}
	return {
		added: subtract(now.set, old.set),
		removed: subtract(old.set, now.set),
		modified,
	};
}

function subtract(a: FieldSet, b: FieldSet | undefined): FieldSet {
	const result = emptySet();
	result.member = a.member && !b?.member;
	for (const [edge, child] of a.children) {
		const rest = subtract(child, b?.children.get(edge));
		if (rest.member || rest.children.size > 0) result.children.set(edge, rest);
	}
	return result;
}

/** `live` with everything `applied` says put in. */
export function merge(type: Type, live: Json, applied: Json): Json {
	if (isObject(live) && isObject(applied) && !isAtomic(type)) {
		const result: JsonObject = { ...live };
		for (const [key, item] of Object.entries(applied)) {
			const before = live[key];
			result[key] =
				before === undefined ? item : merge(childType(type, key), before, item);
		}
		return result;
	}
	if (
		Array.isArray(live) &&
		Array.isArray(applied) &&
		type.kind === "list" &&
		type.list !== "atomic"
	)
		return mergeList(type, live, applied);
	return applied;
}

/** Items of `applied` in its order; what only `live` has keeps its place before the next item both have. */
function mergeList(type: ListType, live: Json[], applied: Json[]): Json[] {
	const edges = live.map((item) => itemEdge(type, item));
	const wanted = new Set(applied.map((item) => itemEdge(type, item)));
	const result: Json[] = [];
	let next = 0;
	const takeUntil = (end: number) => {
		for (; next < end; next++)
			if (!wanted.has(edges[next] as string)) result.push(live[next] as Json);
	};
	for (const item of applied) {
		const place = edges.indexOf(itemEdge(type, item));
		if (place < 0) result.push(item);
		else {
			takeUntil(place);
			next = Math.max(next, place + 1);
			result.push(merge(type.items, live[place] as Json, item));
		}
	}
	takeUntil(live.length);
	return result;
}

/** `value` without the places of `set` and everything below them. */
export function removePlaces(type: Type, value: Json, set: FieldSet): Json {
	if (isObject(value) && !isAtomic(type)) {
		const result: JsonObject = {};
		for (const [key, item] of Object.entries(value)) {
			const child = set.children.get(`f:${key}`);
			if (child?.member) continue;
			result[key] = child
				? removePlaces(childType(type, key), item, child)
				: item;
		}
		return result;
	}
	if (Array.isArray(value) && type.kind === "list" && type.list !== "atomic")
		return value.flatMap((item) => {
			const child = set.children.get(itemEdge(type, item));
			if (child?.member) return [];
			return [child ? removePlaces(type.items, item, child) : item];
		});
	return value;
}

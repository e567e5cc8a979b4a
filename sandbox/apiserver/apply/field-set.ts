import type { JsonObject } from "../schema/decode.ts";

/*
 * Sets of fields as metadata.managedFields has them (sigs.k8s.io/structured-merge-diff, fieldpath): a tree whose edges are
 * `f:name` (a field), `k:{"port":80}` (a list item by its keys) or `v:"x"` (a member of a set).
 */

export interface FieldSet {
	/** The place itself belongs to the set, not only something below it. */
	member: boolean;
	children: Map<string, FieldSet>;
}

export const emptySet = (): FieldSet => ({
	member: false,
	children: new Map(),
});

export function isEmpty(set: FieldSet): boolean {
	return !set.member && set.children.size === 0;
}

/** Adds the place `path` leads to. */
export function insert(set: FieldSet, path: readonly string[]): void {
	let at = set;
	for (const edge of path) {
		let next = at.children.get(edge);
		if (!next) at.children.set(edge, (next = emptySet()));
		at = next;
	}
	at.member = true;
}

/** Combines two sets place by place. */
function combine(
	a: FieldSet | undefined,
	b: FieldSet | undefined,
	rule: (inA: boolean, inB: boolean) => boolean,
): FieldSet {
	const result = emptySet();
	result.member = rule(a?.member ?? false, b?.member ?? false);
	for (const edge of new Set([
		...(a?.children.keys() ?? []),
		...(b?.children.keys() ?? []),
	])) {
		const child = combine(a?.children.get(edge), b?.children.get(edge), rule);
		if (!isEmpty(child)) result.children.set(edge, child);
	}
	return result;
}

export const union = (a: FieldSet, b: FieldSet): FieldSet =>
	combine(a, b, (inA, inB) => inA || inB);
export const difference = (a: FieldSet, b: FieldSet): FieldSet =>
	combine(a, b, (inA, inB) => inA && !inB);
export const intersection = (a: FieldSet, b: FieldSet): FieldSet =>
	combine(a, b, (inA, inB) => inA && inB);

/** Without everything at and below the places that `roots` has. */
export function without(set: FieldSet, roots: FieldSet): FieldSet {
	if (roots.member) return emptySet();
	const result = emptySet();
	result.member = set.member;
	for (const [edge, child] of set.children) {
		const root = roots.children.get(edge);
		const kept = root ? without(child, root) : child;
		if (!isEmpty(kept)) result.children.set(edge, kept);
	}
	return result;
}

/** With every place above a member a member too. */
export function withAncestors(set: FieldSet): FieldSet {
	return {
		member: !isEmpty(set),
		children: new Map(
			[...set.children].map(([edge, child]) => [edge, withAncestors(child)]),
		),
	};
}

/** Every place in the set, as a path. */
export function* places(
	set: FieldSet,
	path: string[] = [],
): Generator<string[]> {
	if (set.member) yield path;
	for (const [edge, child] of [...set.children].sort(([a], [b]) =>
		a < b ? -1 : 1,
	))
		yield* places(child, [...path, edge]);
}

/** As FieldsV1. */
export function toFieldsV1(set: FieldSet): JsonObject {
	const result: JsonObject = {};
	if (set.member && set.children.size > 0) result["."] = {};
	for (const edge of [...set.children.keys()].sort())
		result[edge] = toFieldsV1(set.children.get(edge) as FieldSet);
	return result;
}

/** From FieldsV1. */
export function fromFieldsV1(fields: JsonObject, root = true): FieldSet {
	const set = emptySet();
	const entries = Object.entries(fields);
	set.member = !root && (entries.length === 0 || Object.hasOwn(fields, "."));
	for (const [edge, child] of entries)
		if (edge !== ".")
			set.children.set(edge, fromFieldsV1((child ?? {}) as JsonObject, false));
	return set;
}

/** As messages name a place: `.spec.ports[port=80,protocol="TCP"].targetPort`. */
export function printPath(path: readonly string[]): string {
	return path
		.map((edge) => {
			const rest = edge.slice(2);
			if (edge.startsWith("f:")) return `.${rest}`;
			if (edge.startsWith("v:")) return `[=${rest}]`;
			const keys = JSON.parse(rest) as JsonObject;
			return `[${Object.keys(keys)
				.sort()
				.map((key) => `${key}=${JSON.stringify(keys[key])}`)
				.join(",")}]`;
		})
		.join("");
}

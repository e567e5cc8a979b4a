import { apps } from "./apps.ts";
import { authentication } from "./authentication.ts";
import { authorization } from "./authorization.ts";
import { autoscaling } from "./autoscaling.ts";
import { coordination } from "./coordination.ts";
import { core } from "./core.ts";
import { discovery } from "./discovery.ts";
import { events } from "./events.ts";
import { extensions } from "./extensions.ts";
import { meta } from "./meta.ts";
import { pod } from "./pod.ts";
import { policy } from "./policy.ts";

/*
 * Types of the Kubernetes API, from tables in the notation
 *
 *   Struct: field 1 type flags; other? 2 []type flags; ~ 3 Inlined
 *   Atomic@: …
 *
 * `field?` is omitempty, `field??` omitzero, `~` a struct whose fields stand among the others in JSON; the number is the
 * field's in protobuf (0: none). `*` is a pointer, `[]` a list, `{}` a map with string keys. Flags: `map(keys)`, `set`,
 * `atomic`, `granular` (server-side apply), `merge(key)`, `retainKeys` (strategic merge patch), `="default"`.
 */

export type Scalar =
	| "string"
	| "bool"
	| "int32"
	| "int64"
	| "double"
	| "bytes"
	| "time"
	| "microTime"
	| "intOrString"
	| "quantity";

export interface ScalarType {
	kind: "scalar";
	scalar: Scalar;
}

/** Anything at all: RawExtension, FieldsV1, unknown fields that are preserved. */
export interface AnyType {
	kind: "any";
	/** It is FieldsV1. */
	fields?: true;
}

export interface StructType {
	kind: "struct";
	/** As in the tables: `ServicePort`, `meta.ObjectMeta`. */
	name: string;
	/** By name in JSON; fields of inlined structs included. */
	fields: Map<string, Field>;
	/** By number in protobuf; an inlined struct is one field there. */
	wire: Map<number, { field?: Field; inline?: StructType }>;
	atomic: boolean;
	/** Fields that are not listed are kept, as `any`. */
	open?: boolean;
}

export interface MapType {
	kind: "map";
	value: Type;
	atomic: boolean;
}

export interface ListType {
	kind: "list";
	items: Type;
	list: "atomic" | "set" | "map";
	/** Fields that identify an item, for `list: "map"`. */
	keys: string[];
}

export type Type = ScalarType | AnyType | StructType | MapType | ListType;

export interface Field {
	name: string;
	type: Type;
	pointer: boolean;
	/** Left out of JSON when it has the zero value; Go cannot do that for structs, except with omitzero. */
	omit: "never" | "empty" | "zero";
	/** Used for a key of a list item that does not give it. */
	default?: string;
	/** Strategic merge patch: merge lists, by this key if the items are structs. */
	merge?: { key?: string };
	retainKeys?: boolean;
}

const source = new Map<string, { atomic: boolean; text: string }>();
const parsed = new Map<string, StructType>();

for (const table of [
	core,
	pod,
	meta,
	apps,
	discovery,
	events,
	coordination,
	autoscaling,
	policy,
	authentication,
	authorization,
	extensions,
])
	for (const entry of table.trim().split(/\n(?! )/)) {
		const colon = entry.indexOf(":");
		const head = entry.slice(0, colon);
		const atomic = head.endsWith("@");
		source.set(atomic ? head.slice(0, -1) : head, {
			atomic,
			text: entry.slice(colon + 1),
		});
	}

/** The struct of that name; parsed when first asked for, since most runs need few. */
export function structType(name: string): StructType {
	const known = parsed.get(name);
	if (known) return known;
	const entry = source.get(name);
	if (!entry) throw new Error(`no type ${name} in the tables`);
	const struct: StructType = {
		kind: "struct",
		name,
		fields: new Map(),
		wire: new Map(),
		atomic: entry.atomic,
	};
	// Known before its fields are: a type may hold itself.
	parsed.set(name, struct);
	for (const text of entry.text.split(";")) {
		const [head, number, typeName, ...flags] = text.trim().split(/\s+/);
		if (!head || !typeName) continue;
		if (head === "~") {
			const inline = structType(typeName.replace("*", ""));
			for (const field of inline.fields.values())
				struct.fields.set(field.name, field);
			if (number !== "0") struct.wire.set(Number(number), { inline });
			continue;
		}
		const field = parseField(head, typeName, flags);
		struct.fields.set(field.name, field);
		struct.wire.set(Number(number), { field });
	}
	return struct;
}

function parseField(head: string, typeName: string, flags: string[]): Field {
	const argument = (flag: string) =>
		flags.flatMap((one) =>
			one === flag
				? [""]
				: one.startsWith(`${flag}(`)
					? [one.slice(flag.length + 1, -1)]
					: [],
		)[0];
	const pointer = typeName.startsWith("*");
	const type = parseType(pointer ? typeName.slice(1) : typeName);
	const keys = argument("map");
	const field: Field = {
		name: head.replace(/\?+$/, ""),
		type,
		pointer,
		omit: head.endsWith("??") ? "zero" : head.endsWith("?") ? "empty" : "never",
	};
	if (type.kind === "list" && keys !== undefined)
		field.type = { ...type, list: "map", keys: keys.split(",") };
	else if (type.kind === "list" && flags.includes("set"))
		field.type = { ...type, list: "set" };
	else if (type.kind === "map" && flags.includes("atomic"))
		field.type = { ...type, atomic: true };
	else if (type.kind === "struct" && flags.includes("granular"))
		field.type = { ...type, atomic: false };
	const mergeKey = argument("merge");
	if (mergeKey !== undefined) field.merge = mergeKey ? { key: mergeKey } : {};
	if (flags.includes("retainKeys")) field.retainKeys = true;
	const value = flags.find((flag) => flag.startsWith("="));
	if (value) field.default = JSON.parse(value.slice(1)) as string;
	return field;
}

const any: AnyType = { kind: "any" };
const scalar = (name: Scalar): ScalarType => ({ kind: "scalar", scalar: name });
const simple: Record<string, Type> = {
	any,
	fieldsV1: { kind: "any", fields: true },
	...Object.fromEntries(
		[
			"string",
			"bool",
			"int32",
			"int64",
			"double",
			"bytes",
			"time",
			"microTime",
			"intOrString",
			"quantity",
		].map((name) => [name, scalar(name as Scalar)]),
	),
};

function parseType(text: string): Type {
	if (text.startsWith("*")) return parseType(text.slice(1));
	if (text.startsWith("[]"))
		return {
			kind: "list",
			items: parseType(text.slice(2)),
			list: "atomic",
			keys: [],
		};
	if (text.startsWith("{}"))
		return { kind: "map", value: parseType(text.slice(2)), atomic: false };
	return simple[text] ?? structType(text);
}

import { objectAt, stringAt, stringsAt } from "../access.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";
import {
	type Field,
	type StructType,
	structType,
	type Type,
} from "../schema/types.ts";

/**
 * The type of a custom resource from its structural schema, for pruning unknown fields and for server-side apply.
 * Whether values have the right type is left to validation.
 */
export function structOfSchema(name: string, schema: JsonObject): StructType {
	const meta = structType("meta.ObjectMeta");
	const fields = new Map<string, Field>();
	const add = (field: string, type: Type) =>
		fields.set(field, { name: field, type, pointer: true, omit: "empty" });
	add("apiVersion", { kind: "any" });
	add("kind", { kind: "any" });
	fields.set("metadata", {
		name: "metadata",
		type: meta,
		pointer: false,
		omit: "never",
	});
	for (const [field, value] of Object.entries(objectAt(schema, "properties")))
		if (!fields.has(field) && isObject(value)) add(field, typeOf(value));
	return {
		kind: "struct",
		name,
		fields,
		wire: new Map(),
		atomic: false,
		open:
			schema["x-kubernetes-preserve-unknown-fields"] === true ||
			Object.keys(schema).length === 0,
	};
}

function typeOf(schema: JsonObject): Type {
	const type = stringAt(schema, "type");
	if (type === "array" && isObject(schema["items"])) {
		const list = stringAt(schema, "x-kubernetes-list-type");
		return {
			kind: "list",
			items: typeOf(schema["items"]),
			list: list === "map" || list === "set" ? list : "atomic",
			keys: stringsAt(schema, "x-kubernetes-list-map-keys"),
		};
	}
	if (type === "object" && isObject(schema["additionalProperties"]))
		return {
			kind: "map",
			value: typeOf(schema["additionalProperties"]),
			atomic: schema["x-kubernetes-map-type"] === "atomic",
		};
	if (type !== "object") return { kind: "any" };
	const fields = new Map<string, Field>();
	for (const [name, value] of Object.entries(objectAt(schema, "properties")))
		if (isObject(value))
			fields.set(name, {
				name,
				type: typeOf(value),
				pointer: true,
				omit: "empty",
				...defaultOf(value),
			});
	return {
		kind: "struct",
		name: "object",
		fields,
		wire: new Map(),
		atomic: schema["x-kubernetes-map-type"] === "atomic",
		open: schema["x-kubernetes-preserve-unknown-fields"] === true,
	};
}

function defaultOf(schema: JsonObject): { default?: string } {
	const value: Json | undefined = schema["default"];
	return typeof value === "string" ? { default: value } : {};
}

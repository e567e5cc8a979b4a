import { createHash } from "node:crypto";
import { objectAt } from "./access.ts";
import { groupVersion, type Kind, type Kinds } from "./kinds.ts";
import type { JsonObject } from "./schema/decode.ts";
import { texts } from "./schema/texts.ts";
import {
	type Scalar,
	type StructType,
	structType,
	type Type,
} from "./schema/types.ts";

/*
 * /openapi/v3, made from the same tables that decode requests, with the texts of texts.ts: what kubectl's validation,
 * explain, and diff need.
 */

const paths: Record<string, string> = {
	meta: "io.k8s.apimachinery.pkg.apis.meta.v1",
	apps: "io.k8s.api.apps.v1",
	discovery: "io.k8s.api.discovery.v1",
	events: "io.k8s.api.events.v1",
	policy: "io.k8s.api.policy.v1",
	coordination: "io.k8s.api.coordination.v1",
	autoscaling: "io.k8s.api.autoscaling.v1",
	ext: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
};

const machinery = "io.k8s.apimachinery.pkg";
const scalars: Record<Scalar, JsonObject> = {
	string: { type: "string" },
	bool: { type: "boolean" },
	int32: { type: "integer", format: "int32" },
	int64: { type: "integer", format: "int64" },
	double: { type: "number", format: "double" },
	bytes: { type: "string", format: "byte" },
	time: reference(`${machinery}.apis.meta.v1.Time`),
	microTime: reference(`${machinery}.apis.meta.v1.MicroTime`),
	intOrString: reference(`${machinery}.util.intstr.IntOrString`),
	quantity: reference(`${machinery}.api.resource.Quantity`),
};

/** Schemas that are no structs. */
const named: Record<string, JsonObject> = {
	[`${machinery}.apis.meta.v1.Time`]: { type: "string", format: "date-time" },
	[`${machinery}.apis.meta.v1.MicroTime`]: {
		type: "string",
		format: "date-time",
	},
	[`${machinery}.util.intstr.IntOrString`]: {
		oneOf: [{ type: "integer" }, { type: "string" }],
		format: "int-or-string",
	},
	[`${machinery}.api.resource.Quantity`]: {
		oneOf: [{ type: "string" }, { type: "number" }],
	},
	[`${machinery}.apis.meta.v1.FieldsV1`]: { type: "object" },
	[`${machinery}.runtime.RawExtension`]: { type: "object" },
};

function reference(name: string): JsonObject {
	return { $ref: `#/components/schemas/${name}` };
}

const documents = new WeakMap<
	Kinds,
	{ generation: number; texts: Map<string, JsonObject> }
>();

/** The index, or the document of one group and version; undefined if there is none. */
export function openApi(kinds: Kinds, path: string): JsonObject | undefined {
	let cache = documents.get(kinds);
	if (cache?.generation !== kinds.generation)
		documents.set(
			kinds,
			(cache = { generation: kinds.generation, texts: new Map() }),
		);
	const roots = new Map<string, Kind[]>();
	for (const kind of kinds.all) {
		const root = rootOf(kind);
		roots.set(root, [...(roots.get(root) ?? []), kind]);
	}
	if (path === "/openapi/v3") {
		const entries = [...roots].map(([root, members]) => {
			const hash = createHash("sha256")
				.update(
					JSON.stringify(members.map((kind) => kind.custom ?? kind.schemaName)),
				)
				.digest("hex")
				.toUpperCase();
			return [root, { serverRelativeURL: `/openapi/v3/${root}?hash=${hash}` }];
		});
		return { paths: Object.fromEntries(entries) as JsonObject };
	}
	const root = path.slice("/openapi/v3/".length);
	const members = roots.get(root);
	if (!members) return undefined;
	let document = cache.texts.get(root);
	if (!document) cache.texts.set(root, (document = documentOf(members)));
	return document;
}

const rootOf = (kind: Kind) =>
	kind.group ? `apis/${groupVersion(kind)}` : "api/v1";

function documentOf(members: Kind[]): JsonObject {
	const schemas: JsonObject = {};
	const operations: JsonObject = {};
	for (const kind of members) {
		const gvk = {
			group: kind.group,
			version: kind.version,
			kind: kind.kind,
		};
		const schema = kind.custom
			? customSchema(kind.custom.schema, schemas)
			: structSchema(kind.type, schemas);
		schemas[kind.schemaName] = {
			...schema,
			"x-kubernetes-group-version-kind": [gvk],
		};
		const base = `/${rootOf(kind)}${kind.namespaced ? "/namespaces/{namespace}" : ""}/${kind.plural}`;
		const content = {
			"application/json": {
				schema: { $ref: `#/components/schemas/${kind.schemaName}` },
			},
		};
		const parameters = ["dryRun", "fieldManager", "fieldValidation"].map(
			(name) => ({
				name,
				in: "query",
				schema: { type: "string", uniqueItems: true },
			}),
		);
		const operation = (action: string) => ({
			"x-kubernetes-action": action,
			"x-kubernetes-group-version-kind": gvk,
			parameters,
			responses: { "200": { description: "OK", content } },
		});
		operations[base] = { post: operation("post"), get: operation("list") };
		operations[`${base}/{name}`] = {
			get: operation("get"),
			put: operation("put"),
			patch: operation("patch"),
			delete: operation("delete"),
		};
	}
	return {
		openapi: "3.0.0",
		info: { title: "Kubernetes", version: "v1.37.2" },
		paths: operations,
		components: { schemas },
	};
}

function nameOf(struct: StructType): string {
	const [prefix, name] = struct.name.includes(".")
		? (struct.name.split(".") as [string, string])
		: ["", struct.name];
	return `${paths[prefix] ?? "io.k8s.api.core.v1"}.${name}`;
}

function structSchema(struct: StructType, schemas: JsonObject): JsonObject {
	const properties: JsonObject = {};
	const required: string[] = [];
	for (const field of struct.fields.values()) {
		const schema = schemaOf(field.type, schemas);
		properties[field.name] = {
			...(schema["$ref"] ? { allOf: [schema] } : schema),
			...(field.default === undefined ? {} : { default: field.default }),
			...(field.merge
				? {
						"x-kubernetes-patch-strategy": "merge",
						...(field.merge.key
							? { "x-kubernetes-patch-merge-key": field.merge.key }
							: {}),
					}
				: {}),
		};
		if (field.omit === "never") required.push(field.name);
	}
	return describe(nameOf(struct), {
		type: "object",
		properties,
		...(required.length > 0 ? { required } : {}),
		...(struct.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
	});
}

let described: Map<string, string> | undefined;

/** Adds the texts and enums of a schema to it; returns it. */
function describe(name: string, schema: JsonObject): JsonObject {
	described ??= new Map(
		texts
			.trim()
			.split("\n")
			.map((line) => {
				const space = line.indexOf(" ");
				return [line.slice(0, space), line.slice(space + 1)];
			}),
	);
	const found = JSON.parse(described.get(name) ?? "{}") as Record<
		string,
		string | [string, string[]]
	>;
	const properties = objectAt(schema, "properties");
	for (const [field, text] of Object.entries(found)) {
		const at = field === "" ? schema : objectAt(properties, field);
		at["description"] = typeof text === "string" ? text : text[0];
		if (typeof text !== "string") at["enum"] = text[1];
	}
	return schema;
}

function schemaOf(type: Type, schemas: JsonObject): JsonObject {
	switch (type.kind) {
		case "any":
			return use(
				type.fields
					? `${machinery}.apis.meta.v1.FieldsV1`
					: `${machinery}.runtime.RawExtension`,
				schemas,
			);
		case "scalar": {
			const schema = scalars[type.scalar];
			const name = schema["$ref"];
			return typeof name === "string"
				? use(name.slice("#/components/schemas/".length), schemas)
				: schema;
		}
		case "map":
			return {
				type: "object",
				additionalProperties: schemaOf(type.value, schemas),
				...(type.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
			};
		case "list":
			return {
				type: "array",
				items: schemaOf(type.items, schemas),
				"x-kubernetes-list-type": type.list,
				...(type.list === "map"
					? { "x-kubernetes-list-map-keys": type.keys }
					: {}),
			};
		case "struct": {
			const name = nameOf(type);
			if (!schemas[name]) {
				schemas[name] = {};
				schemas[name] = structSchema(type, schemas);
			}
			return reference(name);
		}
	}
}

/** A reference to one of `named`, which the document then holds. */
function use(name: string, schemas: JsonObject): JsonObject {
	schemas[name] ??= describe(name, { ...named[name] });
	return reference(name);
}

/** A custom schema with what every object has. */
function customSchema(schema: JsonObject, schemas: JsonObject): JsonObject {
	const every = structSchema(structType("Namespace"), schemas);
	const { apiVersion, kind, metadata } = objectAt(every, "properties");
	return {
		...schema,
		properties: {
			apiVersion: apiVersion as JsonObject,
			kind: kind as JsonObject,
			metadata: metadata as JsonObject,
			...(schema["properties"] as JsonObject | undefined),
		},
	};
}

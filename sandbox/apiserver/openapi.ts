import { createHash } from "node:crypto";
import { groupVersion, type Kind, type Kinds } from "./kinds.ts";
import type { JsonObject } from "./schema/decode.ts";
import type { Scalar, StructType, Type } from "./schema/types.ts";

/*
 * /openapi/v3, made from the same tables that decode requests: enough for kubectl's validation, explain, and diff. Texts
 * that describe fields are not there.
 */

const paths: Record<string, string> = {
	meta: "io.k8s.apimachinery.pkg.apis.meta.v1",
	apps: "io.k8s.api.apps.v1",
	discovery: "io.k8s.api.discovery.v1",
	events: "io.k8s.api.events.v1",
	coordination: "io.k8s.api.coordination.v1",
	autoscaling: "io.k8s.api.autoscaling.v1",
	ext: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
};

const scalars: Record<Scalar, JsonObject> = {
	string: { type: "string" },
	bool: { type: "boolean" },
	int32: { type: "integer", format: "int32" },
	int64: { type: "integer", format: "int64" },
	double: { type: "number", format: "double" },
	bytes: { type: "string", format: "byte" },
	time: { type: "string", format: "date-time" },
	microTime: { type: "string", format: "date-time" },
	intOrString: {
		oneOf: [{ type: "integer" }, { type: "string" }],
		format: "int-or-string",
	},
	quantity: { oneOf: [{ type: "string" }, { type: "number" }] },
};

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
			? customSchema(kind.custom.schema)
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
	return {
		type: "object",
		properties,
		...(required.length > 0 ? { required } : {}),
		...(struct.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
	};
}

function schemaOf(type: Type, schemas: JsonObject): JsonObject {
	switch (type.kind) {
		case "any":
			return { type: "object" };
		case "scalar":
			return scalars[type.scalar];
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
			return { $ref: `#/components/schemas/${name}` };
		}
	}
}

/** A custom schema with what every object has. */
function customSchema(schema: JsonObject): JsonObject {
	return {
		...schema,
		properties: {
			apiVersion: { type: "string" },
			kind: { type: "string" },
			metadata: { type: "object" },
			...(schema["properties"] as JsonObject | undefined),
		},
	};
}

import { clone } from "../json.ts";
import {
	numberAt,
	objectAt,
	objectsAt,
	stringAt,
	stringsAt,
} from "../access.ts";
import type { Column, Columns } from "../columns.ts";
import { since } from "../columns.ts";
import { type Context, timestamp } from "../context.ts";
import type { FieldError } from "../field-error.ts";
import type { Kind } from "../kinds.ts";
import type { JsonObject } from "../schema/decode.ts";
import type { Strategy } from "../strategy.ts";
import { jsonPath } from "./json-path.ts";
import { applyDefaults, validateSchema } from "./schema-rules.ts";
import { structOfSchema } from "./structural.ts";

/** Where the definitions are stored. */
export const crdCollection = "customresourcedefinitions.apiextensions.k8s.io";

/**
 * Serves the kinds of every CustomResourceDefinition in the store, as they come, change and go, and says so in their
 * conditions; returns how to stop.
 */
export function customKinds(
	context: Context,
	builtIn: readonly Kind[],
): () => void {
	const refresh = () => {
		const crds = context.store
			.list(crdCollection)
			.map(([, object]) => object as JsonObject)
			.filter((crd) => !objectAt(crd, "metadata")["deletionTimestamp"]);
		context.kinds.set([...builtIn, ...crds.flatMap(kindsOf)]);
	};
	return context.store.subscribe(crdCollection, ({ key, after, before }) => {
		refresh();
		if (after && !before && !isEstablished(after as JsonObject))
			establish(context, key, after as JsonObject);
		if (!after && before) dropObjects(context, before as JsonObject);
	});
}

function establish(context: Context, key: string, crd: JsonObject): void {
	const now = timestamp(context);
	const condition = (type: string, reason: string, message: string) => ({
		type,
		status: "True",
		lastTransitionTime: now,
		reason,
		message,
	});
	const names = objectAt(crd, "spec", "names");
	context.store.put(crdCollection, key, {
		...crd,
		status: {
			conditions: [
				condition("NamesAccepted", "NoConflicts", "no conflicts found"),
				condition(
					"Established",
					"InitialNamesAccepted",
					"the initial names have been accepted",
				),
			],
			acceptedNames: names,
			storedVersions: objectsAt(crd, "spec", "versions")
				.filter((version) => version["storage"] === true)
				.map((version) => stringAt(version, "name")),
		},
	});
}

const isEstablished = (crd: JsonObject) =>
	objectsAt(crd, "status", "conditions").some(
		(one) => one["type"] === "Established" && one["status"] === "True",
	);

/** Objects do not outlive their definition. */
function dropObjects(context: Context, crd: JsonObject): void {
	const plural = stringAt(crd, "spec", "names", "plural");
	const stored = `${plural}.${stringAt(crd, "spec", "group")}`;
	for (const [key] of context.store.list(stored))
		context.store.remove(stored, key);
}

function kindsOf(crd: JsonObject): Kind[] {
	const spec = objectAt(crd, "spec");
	const names = objectAt(spec, "names");
	const group = stringAt(spec, "group");
	const plural = stringAt(names, "plural");
	const name = stringAt(names, "kind");
	return objectsAt(spec, "versions")
		.filter((version) => version["served"] === true)
		.map((version): Kind => {
			const schema = objectAt(version, "schema", "openAPIV3Schema");
			const subresources = objectAt(version, "subresources");
			const apiVersion = `${group}/${stringAt(version, "name")}`;
			const scale = objectAt(subresources, "scale");
			return {
				group,
				version: stringAt(version, "name"),
				plural,
				singular: stringAt(names, "singular") || name.toLowerCase(),
				kind: name,
				listKind: stringAt(names, "listKind") || `${name}List`,
				shortNames: stringsAt(names, "shortNames"),
				categories: stringsAt(names, "categories"),
				namespaced: stringAt(spec, "scope") === "Namespaced",
				subresources: [
					...(subresources["status"] ? (["status"] as const) : []),
					...(subresources["scale"] ? (["scale"] as const) : []),
				],
				type: structOfSchema(name, schema),
				schemaName: `${group.split(".").toReversed().join(".")}.${stringAt(version, "name")}.${name}`,
				strategy: strategyOf(schema, subresources, scale),
				columns: columnsOf(version),
				collection: `${plural}.${group}`,
				fromStored: (object) =>
					object["apiVersion"] === apiVersion
						? object
						: { ...object, apiVersion },
				custom: { schema },
			};
		});
}

function strategyOf(
	schema: JsonObject,
	subresources: JsonObject,
	scale: JsonObject,
): Strategy {
	const hasStatus = subresources["status"] !== undefined;
	const check = (object: JsonObject, old?: JsonObject): FieldError[] =>
		validateSchema(schema, object, old);
	return {
		generation: true,
		defaults: (object) => applyDefaults(schema, object),
		prepareForCreate(object) {
			if (hasStatus) delete object["status"];
		},
		prepareForUpdate(object, old) {
			if (!hasStatus) return;
			delete object["status"];
			if (old["status"] !== undefined) object["status"] = clone(old["status"]);
		},
		prepareForStatus(object, old) {
			// Of a custom resource, /status changes nothing but the status.
			for (const key of Object.keys(object))
				if (key !== "status" && key !== "metadata") delete object[key];
			for (const [key, value] of Object.entries(old))
				if (key !== "status" && key !== "metadata") object[key] = clone(value);
			const managed = objectAt(object, "metadata")["managedFields"];
			object["metadata"] = {
				...clone(objectAt(old, "metadata")),
				...(managed === undefined ? {} : { managedFields: managed }),
			};
		},
		validate: check,
		validateStatus: check,
		...(Object.keys(scale).length > 0
			? {
					scale: {
						replicas: dotted(stringAt(scale, "specReplicasPath")),
						statusReplicas: dotted(stringAt(scale, "statusReplicasPath")),
						...(scale["labelSelectorPath"]
							? { selector: dotted(stringAt(scale, "labelSelectorPath")) }
							: {}),
					},
				}
			: {}),
	};
}

const dotted = (path: string) => path.split(".").filter(Boolean);

function columnsOf(version: JsonObject): Columns {
	const given = objectsAt(version, "additionalPrinterColumns");
	const age: JsonObject = {
		name: "Age",
		type: "date",
		jsonPath: ".metadata.creationTimestamp",
	};
	const columns = given.length > 0 ? given : [age];
	const name: Column = {
		name: "Name",
		type: "string",
		format: "name",
		priority: 0,
		description: "Name must be unique within a namespace.",
	};
	return {
		definitions: [
			name,
			...columns.map((column) => ({
				name: stringAt(column, "name"),
				type: stringAt(column, "type"),
				format: stringAt(column, "format"),
				priority: numberAt(column, "priority"),
				description: stringAt(column, "description"),
			})),
		],
		cells: (object, now) => [
			stringAt(object, "metadata", "name"),
			...columns.map((column) => {
				const value = jsonPath(object, stringAt(column, "jsonPath"));
				if (value === undefined) return null;
				if (column["type"] === "date")
					return typeof value === "string" ? since(value, now) : null;
				return typeof value === "object" ? JSON.stringify(value) : value;
			}),
		],
	};
}

import { objectAt, stringAt } from "./access.ts";
import type { Context } from "./context.ts";
import type { Kind } from "./kinds.ts";
import type { JsonObject } from "./schema/decode.ts";

/** What a client asked to get instead of the objects (Accept: application/json;as=…;g=meta.k8s.io;v=v1). */
export type Form = "objects" | "Table" | "PartialObjectMetadata";

export function formOf(accept: string): Form {
	for (const part of accept.split(",")) {
		const as = /;\s*as=(\w+)/.exec(part)?.[1];
		if (as === "Table") return "Table";
		if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
			return "PartialObjectMetadata";
		if (/application\/(json|yaml)|\*\/\*|protobuf/.test(part) && !as)
			return "objects";
	}
	return "objects";
}

export function partial(object: JsonObject): JsonObject {
	return {
		kind: "PartialObjectMetadata",
		apiVersion: "meta.k8s.io/v1",
		metadata: objectAt(object, "metadata"),
	};
}

/** A metav1.Table of `objects`; `include` says what each row carries of its object. */
export function table(
	context: Context,
	kind: Kind,
	objects: JsonObject[],
	options: {
		metadata: JsonObject;
		include: string | null;
		/** In a watch only the first table says what the columns are. */
		withColumns?: boolean;
	},
): JsonObject {
	const now = context.clock.now();
	return {
		kind: "Table",
		apiVersion: "meta.k8s.io/v1",
		metadata: options.metadata,
		columnDefinitions:
			options.withColumns === false
				? []
				: kind.columns.definitions.map((column) => ({
						name: column.name,
						type: column.type,
						format: column.format ?? "",
						description: column.description ?? "",
						priority: column.priority ?? 0,
					})),
		rows: objects.map((object) => ({
			cells: kind.columns.cells(object, now),
			object:
				options.include === "None"
					? null
					: options.include === "Object"
						? object
						: partial(object),
		})),
	};
}

/** A single object or a deleted one as a table. */
export function tableOfOne(
	context: Context,
	kind: Kind,
	object: JsonObject,
	include: string | null,
	withColumns = true,
): JsonObject {
	return table(context, kind, [object], {
		metadata: {
			resourceVersion: stringAt(object, "metadata", "resourceVersion"),
		},
		include,
		withColumns,
	});
}

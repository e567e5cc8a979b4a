import { ensureObject, objectAt, stringAt } from "./access.ts";
import { badRequest, methodNotSupported, notFound } from "./api-error.ts";
import { applyObject } from "./apply/apply.ts";
import { type FieldValidation, readObject } from "./body.ts";
import type { Answer, Call, Context } from "./context.ts";
import { deleteCollection, deleteObject } from "./deletes.ts";
import { invalidObject } from "./field-error.ts";
import { patchObject } from "./patches.ts";
import { getObject, listBody, listObjects } from "./reads.ts";
import { handleScale } from "./scale.ts";
import type { Json } from "./schema/decode.ts";
import { keyOf } from "./store.ts";
import { checkName, createObject, updateObject } from "./writes.ts";

/**
 * Every verb but watch, for objects, status and scale. `body` is the parsed body, if there was one. From the first read to
 * the write nothing is awaited, so that requests do not see each other's half-done work. Throws an ApiError.
 */
export function handleResource(
	context: Context,
	call: Call,
	contentType: string,
	body: Json | undefined,
): Answer {
	const { kind, request } = call;
	const validation = fieldValidation(call);
	checkDryRun(call);
	if (request.subresource === "scale")
		return handleScale(context, call, contentType, body);
	switch (request.verb) {
		case "get":
			return { code: 200, object: getObject(context, call) };
		case "list":
			return { code: 200, object: listBody(kind, listObjects(context, call)) };
		case "create": {
			if (request.name !== undefined) throw methodNotSupported(kind, "create");
			const object = readObject(kind, body ?? null, validation, call.warn);
			return { code: 201, object: createObject(context, call, object) };
		}
		case "update": {
			const object = readObject(kind, body ?? null, validation, call.warn);
			checkName(call, object);
			const key = keyOf(request.namespace, request.name ?? "");
			if (!context.store.get(kind.collection, key)) {
				if (!kind.strategy.createOnUpdate || request.subresource)
					throw notFound(kind, request.name ?? "");
				const meta = ensureObject(object, "metadata");
				meta["name"] = request.name ?? "";
				delete meta["resourceVersion"];
				return { code: 201, object: createObject(context, call, object) };
			}
			return {
				code: 200,
				object: updateObject(context, call, () => object, {
					uidConflicts: true,
				}),
			};
		}
		case "patch":
			if (body === undefined) throw badRequest("a patch needs a body");
			if (contentType.startsWith("application/apply-patch"))
				return applyObject(context, call, body);
			return patchObject(context, call, contentType, body, validation);
		case "delete":
			return deleteObject(context, call, body);
		case "deletecollection":
			return deleteCollection(context, call, body);
		case "watch":
			throw new Error("a watch is a stream, not an answer");
	}
}

/** Namespaces: PUT of finalize replaces spec.finalizers, and nothing else. */
export function finalizeNamespace(
	context: Context,
	call: Call,
	body: Json | undefined,
): Answer {
	const given = readObject(call.kind, body ?? null, "Warn", call.warn);
	const object = updateObject(
		context,
		{ ...call, request: { ...call.request, subresource: "finalize" } },
		(current) => {
			const revision = stringAt(given, "metadata", "resourceVersion");
			if (revision) objectAt(current, "metadata")["resourceVersion"] = revision;
			current["spec"] = objectAt(given, "spec");
			return current;
		},
	);
	return { code: 200, object };
}

function fieldValidation({ query }: Call): FieldValidation {
	const given = query.get("fieldValidation") ?? "";
	if (given === "" || given === "Warn") return "Warn";
	if (given === "Strict" || given === "Ignore") return given;
	throw invalidOptions(
		"fieldValidation",
		given,
		'"", "Ignore", "Strict", "Warn"',
	);
}

function checkDryRun({ query }: Call): void {
	for (const given of query.getAll("dryRun"))
		if (given !== "All") throw invalidOptions("dryRun", [given], '"All"');
}

function invalidOptions(field: string, value: Json, supported: string) {
	return invalidObject(
		{ group: "meta.k8s.io", plural: "", kind: "CreateOptions" },
		"",
		[
			{
				type: "FieldValueNotSupported",
				field,
				value,
				detail: `supported values: ${supported}`,
			},
		],
	);
}

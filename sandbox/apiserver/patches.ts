import { badRequest, unsupportedMediaType } from "./api-error.ts";
import { decodeAs, type FieldValidation } from "./body.ts";
import type { Answer, Call, Context } from "./context.ts";
import { jsonPatch } from "./patch/json-patch.ts";
import { mergePatch } from "./patch/merge-patch.ts";
import { strategicMerge } from "./patch/strategic-merge.ts";
import { isObject, type Json, type JsonObject } from "./schema/decode.ts";
import type { StructType } from "./schema/types.ts";
import { checkName, updateObject } from "./writes.ts";

const types = [
	"application/json-patch+json",
	"application/merge-patch+json",
	"application/strategic-merge-patch+json",
	"application/apply-patch+yaml",
];

/** PATCH of an object or its status, in every format but server-side apply. Throws an ApiError. */
export function patchObject(
	context: Context,
	call: Call,
	contentType: string,
	patch: Json,
	validation: FieldValidation,
): Answer {
	const object = updateObject(context, call, (current) => {
		const patched = applyPatch(
			contentType,
			call.kind.custom ? undefined : call.kind.type,
			current,
			patch,
		);
		const decoded = decodeAs(call.kind, patched, validation, call.warn);
		checkName(call, decoded);
		return decoded;
	});
	return { code: 200, object };
}

/** `type` is what strategic merge needs to know; without it that format is refused. */
export function applyPatch(
	contentType: string,
	type: StructType | undefined,
	current: JsonObject,
	patch: Json,
): JsonObject {
	const format = contentType.split(";")[0]?.trim() ?? "";
	if (format === "application/json-patch+json")
		return jsonPatch(current, patch);
	if (format === "application/strategic-merge-patch+json" && type)
		return strategicMerge(type, current, anObject(patch));
	if (format === "application/merge-patch+json")
		return mergePatch(current, anObject(patch)) as JsonObject;
	const known = type
		? types
		: types.filter((one) => !one.includes("strategic"));
	throw unsupportedMediaType(
		`the body of the request was in an unknown format - accepted media types include: ${known.join(", ")}`,
	);
}

function anObject(patch: Json): JsonObject {
	if (isObject(patch)) return patch;
	throw badRequest(
		`error decoding patch: json: cannot unmarshal ${Array.isArray(patch) ? "array" : typeof patch} into Go value of type map[string]interface {}`,
	);
}

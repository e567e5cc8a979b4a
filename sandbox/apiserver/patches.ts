import { ApiError, badRequest, unsupportedMediaType } from "./api-error.ts";
import type { FieldValidation } from "./body.ts";
import { invalid, invalidObject } from "./field-error.ts";
import type { Answer, Call, Context } from "./context.ts";
import { jsonPatch } from "./patch/json-patch.ts";
import { mergePatch } from "./patch/merge-patch.ts";
import { goMap, strategicMerge } from "./patch/strategic-merge.ts";
import {
	decode,
	DecodeError,
	isObject,
	type Json,
	type JsonObject,
} from "./schema/decode.ts";
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
	const format = contentType.split(";")[0]?.trim() ?? "";
	if (!types.includes(format))
		throw new ApiError(
			415,
			"UnsupportedMediaType",
			"415: Unsupported Media Type",
			{},
		);
	const object = updateObject(context, call, (current) => {
		const patched = applyPatch(
			contentType,
			call.kind.custom ? undefined : call.kind.type,
			current,
			patch,
		);
		const decoded = decodePatched(
			call,
			patched,
			validation,
			format.includes("strategic") ? goMap(patch) : JSON.stringify(patched),
		);
		checkName(call, decoded);
		return decoded;
	});
	return { code: 200, object };
}

/** What a patch makes is refused as an invalid patch, with what the real server shows of it: `shown`. */
function decodePatched(
	call: Call,
	patched: JsonObject,
	validation: FieldValidation,
	shown: string,
): JsonObject {
	const unknown: string[] = [];
	const refuse = (why: string) =>
		invalidObject({ group: "", plural: "", kind: "" }, "", [
			invalid("patch", shown, why),
		]);
	let decoded: JsonObject;
	try {
		decoded = decode(call.kind.type, patched, unknown);
	} catch (error) {
		if (!(error instanceof DecodeError)) throw error;
		throw refuse(error.message);
	}
	const texts = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
	if (texts.length > 0 && validation === "Strict")
		throw refuse(`strict decoding error: ${texts.join(", ")}`);
	if (validation === "Warn") texts.forEach(call.warn);
	return decoded;
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

import { ApiError, type Cause, type ErrorSubject } from "./api-error.ts";
import type { Json, JsonObject } from "./schema/decode.ts";

/** One thing wrong with an object; types and texts are those of k8s.io/apimachinery/pkg/util/validation/field. */
export interface FieldError {
	type: keyof typeof texts;
	field: string;
	detail: string;
	value?: Json;
	/** The value is not shown: it would be long. */
	omitValue?: boolean;
}

const texts = {
	FieldValueRequired: "Required value",
	FieldValueInvalid: "Invalid value",
	FieldValueTypeInvalid: "Invalid value",
	FieldValueNotSupported: "Unsupported value",
	FieldValueDuplicate: "Duplicate value",
	FieldValueForbidden: "Forbidden",
	FieldValueNotFound: "Not found",
	FieldValueTooLong: "Too long",
	FieldValueTooMany: "Too many",
	InternalError: "Internal error",
} as const;

export const required = (field: string, detail = ""): FieldError => ({
	type: "FieldValueRequired",
	field,
	detail,
});
export const invalid = (
	field: string,
	value: Json | undefined,
	detail: string,
): FieldError => ({
	type: "FieldValueInvalid",
	field,
	value: value ?? null,
	detail,
});
export const duplicate = (field: string, value: Json): FieldError => ({
	type: "FieldValueDuplicate",
	field,
	value,
	detail: "",
});
export const forbiddenField = (field: string, detail: string): FieldError => ({
	type: "FieldValueForbidden",
	field,
	detail,
});
export const notSupported = (
	field: string,
	value: Json | undefined,
	allowed: readonly string[],
): FieldError => ({
	type: "FieldValueNotSupported",
	field,
	value: value ?? "",
	detail: `supported values: ${[...allowed]
		.sort()
		.map((one) => JSON.stringify(one))
		.join(", ")}`,
});
export const tooLong = (field: string, max: number): FieldError => ({
	type: "FieldValueTooLong",
	field,
	detail: `may not be more than ${max} bytes`,
});
export const tooMany = (
	field: string,
	count: number,
	max: number,
): FieldError => ({
	type: "FieldValueTooMany",
	field,
	value: count,
	detail: `must have at most ${max} items`,
});

/** `Invalid value: "x": must be …`, without the field. */
function body(error: FieldError): string {
	const text = texts[error.type];
	const withValue =
		error.type === "FieldValueRequired" ||
		error.type === "FieldValueForbidden" ||
		error.type === "FieldValueTooLong" ||
		error.type === "InternalError" ||
		error.omitValue
			? text
			: `${text}: ${shown(error.value)}`;
	return error.detail ? `${withValue}: ${error.detail}` : withValue;
}

function shown(value: Json | undefined): string {
	if (value === undefined || value === null) return "null";
	return JSON.stringify(value);
}

/** The 422 a real server answers. */
export function invalidObject(
	subject: ErrorSubject,
	name: string,
	errors: readonly FieldError[],
): ApiError {
	const messages = [
		...new Set(errors.map((error) => `${error.field}: ${body(error)}`)),
	];
	const causes: Cause[] = errors.map((error) => ({
		reason: error.type,
		message: body(error),
		field: error.field,
	}));
	return new ApiError(
		422,
		"Invalid",
		`${subject.group ? `${subject.kind}.${subject.group}` : subject.kind} ${JSON.stringify(name)} is invalid: ${
			messages.length === 1 ? messages[0] : `[${messages.join(", ")}]`
		}`,
		{
			...(name ? { name } : {}),
			...(subject.group ? { group: subject.group } : {}),
			...(subject.kind ? { kind: subject.kind } : {}),
			causes: causes as unknown as JsonObject[],
		},
	);
}

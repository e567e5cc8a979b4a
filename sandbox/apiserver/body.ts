import { badRequest, unsupportedMediaType } from "./api-error.ts";
import { stringAt } from "./access.ts";
import { groupVersion, type Kind, type Verb } from "./kinds.ts";
import {
	decode,
	DecodeError,
	isObject,
	type Json,
	type JsonObject,
} from "./schema/decode.ts";
import type { StructType } from "./schema/types.ts";

/** What a request's body may be. */
export interface Body {
	contentType: string;
	bytes: Buffer;
}

/** How strict the server is about unknown fields. */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

export const protobufType = "application/vnd.kubernetes.protobuf";

/** The body as JSON, from JSON, YAML or (with the type it should have) protobuf. Throws an ApiError. */
export async function parseBody(
	body: Body,
	protobufTypes: (apiVersion: string, kind: string) => StructType | undefined,
	verb: Verb = "create",
	kind = "",
): Promise<Json> {
	const type = body.contentType.split(";")[0]?.trim() ?? "";
	switch (type) {
		case "":
		case "application/json":
		case "application/json-patch+json":
		case "application/merge-patch+json":
		case "application/strategic-merge-patch+json":
			return parseJson(body.bytes, verb, kind);
		case "application/yaml":
		case "application/apply-patch+yaml":
			return parseYaml(body.bytes, verb, kind);
		case protobufType: {
			const { decodeProtobuf } = await import("./protobuf.ts");
			return decodeProtobuf(body.bytes, protobufTypes);
		}
		default:
			throw unsupportedMediaType(
				`the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, ${protobufType}`,
			);
	}
}

function parseJson(bytes: Buffer, verb: Verb, kind: string): Json {
	const text = bytes.toString();
	try {
		return JSON.parse(text) as Json;
	} catch (error) {
		const why = goJsonError(text, (error as Error).message);
		throw badRequest(
			verb === "patch"
				? `error decoding patch: ${why}`
				: `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${summary(bytes)})`,
		);
	}
}

/** What Go's decoder would have said, as far as that can be told. */
function goJsonError(text: string, message: string): string {
	const position = Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
	return position >= text.trimEnd().length
		? "unexpected end of JSON input"
		: `invalid character '${text[position]}' looking for beginning of value`;
}

/** The first bytes of a body, as text if it looks like JSON (apiserver, handlers/rest.go, summarizeData). */
function summary(bytes: Buffer): string {
	const start = bytes.subarray(0, 30);
	const text = bytes[0] === 0x7b ? start.toString() : start.toString("hex");
	return bytes.length > 30 ? `${text} ...` : text;
}

async function parseYaml(
	bytes: Buffer,
	verb: Verb,
	kind: string,
): Promise<Json> {
	const text = bytes.toString();
	if (text.trimStart().startsWith("{")) return parseJson(bytes, verb, kind);
	const { parse } = await import("yaml");
	try {
		return parse(text) as Json;
	} catch (error) {
		throw badRequest(`error decoding YAML: ${(error as Error).message}`);
	}
}

/**
 * A body as an object of the kind: checked against the request, decoded, unknown fields reported as `validation` says.
 * Throws a BadRequest.
 */
export function readObject(
	kind: Kind,
	json: Json,
	validation: FieldValidation,
	warn: (text: string) => void,
): JsonObject {
	if (!isObject(json))
		throw badRequest(
			`the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(json) ? "array" : typeof json} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (${summary(Buffer.from(JSON.stringify(json)))})`,
		);
	const apiVersion = stringAt(json, "apiVersion") || groupVersion(kind);
	const name = stringAt(json, "kind") || kind.kind;
	if (kind.custom && !(json["kind"] && json["apiVersion"]))
		throw badRequest(
			`Object '${json["kind"] ? "apiVersion" : "Kind"}' is missing in '${JSON.stringify(json)}'`,
		);
	const refuse = (why: string) =>
		badRequest(
			`${name} in version ${JSON.stringify(apiVersion.split("/").at(-1))} cannot be handled as a ${kind.kind}: ${why}`,
		);
	if (apiVersion !== groupVersion(kind))
		throw refuse(
			`no kind ${JSON.stringify(name)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
		);
	if (name !== kind.kind)
		throw refuse(
			`converting (${kind.version}.${name}) to (${kind.group.split(".")[0] || "core"}.${kind.kind}): unknown conversion`,
		);
	return decodeAs(
		kind,
		{ ...json, apiVersion: groupVersion(kind), kind: kind.kind },
		validation,
		warn,
	);
}

/** Decodes, and reports unknown fields. */
export function decodeAs(
	kind: Kind,
	json: JsonObject,
	validation: FieldValidation,
	warn: (text: string) => void,
): JsonObject {
	const unknown: string[] = [];
	let object: JsonObject;
	try {
		object = decode(kind.type, json, unknown);
	} catch (error) {
		if (!(error instanceof DecodeError)) throw error;
		throw badRequest(
			`${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${error.message}`,
		);
	}
	const texts = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
	if (validation === "Strict" && texts.length > 0)
		throw badRequest(
			`${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: strict decoding error: ${texts.join(", ")}`,
		);
	if (validation === "Warn") texts.forEach(warn);
	return object;
}

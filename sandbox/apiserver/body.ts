import { badRequest, unsupportedMediaType } from "./api-error.ts";
import type { Kind } from "./kinds.ts";
import { groupVersion } from "./kinds.ts";
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
): Promise<Json> {
	const type = body.contentType.split(";")[0]?.trim() ?? "";
	switch (type) {
		case "":
		case "application/json":
		case "application/json-patch+json":
		case "application/merge-patch+json":
		case "application/strategic-merge-patch+json":
			return parseJson(body.bytes);
		case "application/yaml":
		case "application/apply-patch+yaml":
			return parseYaml(body.bytes);
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

function parseJson(bytes: Buffer): Json {
	try {
		return JSON.parse(bytes.toString()) as Json;
	} catch (error) {
		throw badRequest(
			`couldn't get version/kind; json parse error: ${(error as Error).message}`,
		);
	}
}

async function parseYaml(bytes: Buffer): Promise<Json> {
	const text = bytes.toString();
	if (text.trimStart().startsWith("{")) return parseJson(bytes);
	const { parse } = await import("yaml");
	try {
		return parse(text) as Json;
	} catch (error) {
		throw badRequest(`error parsing YAML: ${(error as Error).message}`);
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
			`couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(json) ? "array" : typeof json} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
		);
	const apiVersion = json["apiVersion"] ?? groupVersion(kind);
	const name = json["kind"] ?? kind.kind;
	if (kind.custom && !(json["kind"] && json["apiVersion"]))
		throw badRequest(
			json["kind"]
				? `Object 'apiVersion' is missing in '${JSON.stringify(json)}'`
				: `Object 'Kind' is missing in '${JSON.stringify(json)}'`,
		);
	if (apiVersion !== groupVersion(kind) || name !== kind.kind) {
		const [group, version] = splitVersion(String(apiVersion));
		throw badRequest(
			kind.custom || group !== kind.group || version !== kind.version
				? `the API version in the data (${String(apiVersion)}) does not match the expected API version (${groupVersion(kind)})`
				: `${String(name)} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: converting (${String(name)}) to (${kind.kind}): unknown conversion`,
		);
	}
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

function splitVersion(apiVersion: string): [group: string, version: string] {
	const slash = apiVersion.indexOf("/");
	return slash < 0
		? ["", apiVersion]
		: [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
}

import { badRequest } from "./api-error.ts";
import type { Json, JsonObject } from "./schema/decode.ts";
import type { Scalar, StructType, Type } from "./schema/types.ts";

/*
 * Kubernetes' protobuf: the bytes "k8s\0", then a runtime.Unknown whose raw field is the object, with the field numbers of
 * the type tables. Only reading: answers are JSON, which every client that sends protobuf also accepts.
 */

const magic = Buffer.from("k8s\0");

/** The object of a request's body, as JSON. Throws a BadRequest. */
export function decodeProtobuf(
	bytes: Buffer,
	types: (apiVersion: string, kind: string) => StructType | undefined,
): JsonObject {
	if (!bytes.subarray(0, 4).equals(magic))
		throw badRequest(
			"provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
		);
	const envelope = new Map<number, Buffer>();
	for (const { number, value } of fieldsOf(bytes.subarray(4)))
		if (Buffer.isBuffer(value)) envelope.set(number, value);
	const meta: Record<string, string> = {};
	for (const { number, value } of fieldsOf(envelope.get(1) ?? Buffer.alloc(0)))
		meta[number === 1 ? "apiVersion" : "kind"] = String(value);
	const apiVersion = meta["apiVersion"] ?? "";
	const kind = meta["kind"] ?? "";
	const type = types(apiVersion, kind);
	if (!type)
		throw badRequest(
			`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
		);
	const object = decodeStruct(type, envelope.get(2) ?? Buffer.alloc(0));
	return { ...object, apiVersion, kind };
}

interface WireField {
	number: number;
	value: bigint | Buffer;
}

function* fieldsOf(bytes: Buffer): Generator<WireField> {
	const at = { position: 0 };
	while (at.position < bytes.length) {
		const key = varint(bytes, at);
		const number = Number(key >> 3n);
		switch (Number(key & 7n)) {
			case 0:
				yield { number, value: varint(bytes, at) };
				break;
			case 1:
				yield { number, value: slice(bytes, at, 8) };
				break;
			case 2:
				yield { number, value: slice(bytes, at, Number(varint(bytes, at))) };
				break;
			case 5:
				yield { number, value: slice(bytes, at, 4) };
				break;
			default:
				throw badRequest(`proto: illegal wireType ${key & 7n}`);
		}
	}
}

function varint(bytes: Buffer, at: { position: number }): bigint {
	let value = 0n;
	for (let shift = 0n; shift < 70n; shift += 7n) {
		const byte = bytes[at.position++];
		if (byte === undefined) throw badRequest("unexpected EOF");
		value |= BigInt(byte & 0x7f) << shift;
		if (byte < 0x80) return BigInt.asUintN(64, value);
	}
	throw badRequest("proto: integer overflow");
}

function slice(
	bytes: Buffer,
	at: { position: number },
	length: number,
): Buffer {
	const end = at.position + length;
	if (end > bytes.length) throw badRequest("unexpected EOF");
	const part = bytes.subarray(at.position, end);
	at.position = end;
	return part;
}

function decodeStruct(type: StructType, bytes: Buffer): JsonObject {
	const result: JsonObject = {};
	for (const { number, value } of fieldsOf(bytes)) {
		const target = type.wire.get(number);
		if (!target) continue;
		if (target.inline) {
			if (Buffer.isBuffer(value))
				Object.assign(result, decodeStruct(target.inline, value));
			continue;
		}
		const { field } = target;
		if (!field) continue;
		if (field.type.kind === "list") {
			const items = (result[field.name] ??= []) as Json[];
			items.push(decodeValue(field.type.items, value));
		} else if (field.type.kind === "map") {
			const map = (result[field.name] ??= {}) as JsonObject;
			let key = "";
			let item: Json | undefined;
			for (const entry of fieldsOf(value as Buffer))
				if (entry.number === 1) key = String(entry.value);
				else item = decodeValue(field.type.value, entry.value);
			map[key] = item ?? decodeValue(field.type.value, Buffer.alloc(0));
		} else if (field.type.kind === "struct" && result[field.name] !== undefined)
			// Fields of a message may come in several parts.
			Object.assign(
				result[field.name] as JsonObject,
				decodeValue(field.type, value),
			);
		else result[field.name] = decodeValue(field.type, value);
	}
	return result;
}

function decodeValue(type: Type, value: bigint | Buffer): Json {
	switch (type.kind) {
		case "struct":
			return decodeStruct(type, value as Buffer);
		case "scalar":
			return decodeScalar(type.scalar, value);
		case "any":
			return decodeRaw(value as Buffer);
		default:
			throw badRequest("proto: lists of lists are not known here");
	}
}

function decodeScalar(type: Scalar, value: bigint | Buffer): Json {
	switch (type) {
		case "bool":
			return value !== 0n;
		case "int32":
		case "int64":
			return Number(BigInt.asIntN(64, value as bigint));
		case "double":
			return (value as Buffer).readDoubleLE();
		case "bytes":
			return (value as Buffer).toString("base64");
		case "quantity":
			return decodeMessage(value)(1)?.toString() ?? "0";
		case "intOrString": {
			const field = decodeMessage(value);
			return field(1) === 1n
				? (field(3)?.toString() ?? "")
				: Number(BigInt.asIntN(64, (field(2) as bigint | undefined) ?? 0n));
		}
		case "time":
		case "microTime": {
			const field = decodeMessage(value);
			const seconds = BigInt.asIntN(64, (field(1) as bigint | undefined) ?? 0n);
			// Go's zero time.
			if (seconds <= -62_135_596_800n || (field(1) ?? field(2)) === undefined)
				return null;
			const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
			if (type === "time") return `${text}Z`;
			const nanos = Number((field(2) as bigint | undefined) ?? 0n);
			return `${text}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
		}
		default:
			return (value as Buffer).toString();
	}
}

/** Fields of a small message, by number. */
function decodeMessage(value: bigint | Buffer) {
	const fields = new Map<number, bigint | Buffer>();
	for (const field of fieldsOf(value as Buffer))
		fields.set(field.number, field.value);
	return (number: number) => fields.get(number);
}

/** FieldsV1 and RawExtension: JSON inside field 1. */
function decodeRaw(value: Buffer): Json {
	const raw = decodeMessage(value)(1);
	if (raw === undefined) return null;
	try {
		return JSON.parse(raw.toString()) as Json;
	} catch {
		throw badRequest("proto: an embedded object is not JSON");
	}
}

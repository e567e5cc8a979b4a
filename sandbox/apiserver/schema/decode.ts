import type { Field, ScalarType, StructType, Type } from "./types.ts";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** What Go's decoder says when JSON does not fit a struct; the message is the real server's. */
export class DecodeError extends Error {}

export function isObject(value: unknown): value is JsonObject {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The object as it comes out of Go's structs: wrong types refused, unknown fields left out (and named in `unknown`),
 * null and empty values of omitempty fields left out, structs without a pointer always there. Throws a DecodeError.
 */
export function decode(
	type: StructType,
	value: Json,
	unknown: string[] = [],
): JsonObject {
	return decodeStruct(type, value, "", "", unknown);
}

function decodeStruct(
	type: StructType,
	value: Json,
	path: string,
	goPath: string,
	unknown: string[],
): JsonObject {
	const from = value ?? {};
	if (!isObject(from)) throw mismatch(value, type.name, goPath, type);
	const result: JsonObject = {};
	for (const field of type.fields.values()) {
		const given = from[field.name];
		const at = path ? `${path}.${field.name}` : field.name;
		const goAt = goPath ? `${goPath}.${field.name}` : field.name;
		if (given === undefined || given === null) {
			const zero = absent(field);
			if (zero !== undefined) result[field.name] = zero;
			continue;
		}
		const decoded = decodeValue(field.type, given, at, goAt, type, unknown);
		if (!omitted(field, decoded)) result[field.name] = decoded;
	}
	for (const [name, given] of Object.entries(from)) {
		if (type.fields.has(name)) continue;
		if (type.open) result[name] = given;
		else unknown.push(path ? `${path}.${name}` : name);
	}
	return result;
}

function decodeValue(
	type: Type,
	value: Json,
	path: string,
	goPath: string,
	owner: StructType,
	unknown: string[],
): Json {
	switch (type.kind) {
		case "any":
			return value;
		case "scalar":
			return decodeScalar(type, value, goPath, owner);
		case "struct":
			if (value !== null && !isObject(value))
				throw mismatch(value, goName(type), goPath, owner);
			return decodeStruct(type, value, path, goPath, unknown);
		case "map": {
			if (!isObject(value)) throw mismatch(value, goName(type), goPath, owner);
			const result: JsonObject = {};
			for (const [key, item] of Object.entries(value))
				result[key] =
					item === null
						? zeroOf(type.value)
						: decodeValue(
								type.value,
								item,
								`${path}.${key}`,
								goPath,
								owner,
								unknown,
							);
			return result;
		}
		case "list":
			if (!Array.isArray(value))
				throw mismatch(value, goName(type), goPath, owner);
			return value.map((item, index) =>
				item === null && type.items.kind !== "struct"
					? zeroOf(type.items)
					: decodeValue(
							type.items,
							item,
							`${path}[${index}]`,
							goPath,
							owner,
							unknown,
						),
			);
	}
}

function decodeScalar(
	type: ScalarType,
	value: Json,
	goPath: string,
	owner: StructType,
): Json {
	const wrong = () => mismatch(value, goName(type), goPath, owner);
	switch (type.scalar) {
		case "string":
			if (typeof value !== "string") throw wrong();
			return value;
		case "bytes":
			if (typeof value !== "string") throw wrong();
			if (!/^[A-Za-z0-9+/\r\n]*=?=?[\r\n]*$/.test(value))
				throw new DecodeError(
					`illegal base64 data at input byte ${value.search(/[^A-Za-z0-9+/\r\n]/)}`,
				);
			return Buffer.from(value, "base64").toString("base64");
		case "bool":
			if (typeof value !== "boolean") throw wrong();
			return value;
		case "int32":
		case "int64": {
			if (typeof value !== "number") throw wrong();
			const limit = type.scalar === "int32" ? 2 ** 31 : Number.MAX_SAFE_INTEGER;
			if (!Number.isInteger(value) || value < -limit || value >= limit)
				throw mismatch(value, goName(type), goPath, owner);
			return value;
		}
		case "double":
			if (typeof value !== "number") throw wrong();
			return value;
		case "intOrString":
			if (typeof value !== "number" && typeof value !== "string") throw wrong();
			return value;
		case "quantity":
			if (typeof value !== "number" && typeof value !== "string") throw wrong();
			return String(value);
		case "time":
		case "microTime": {
			if (typeof value !== "string") throw wrong();
			return decodeTime(value, type.scalar === "microTime");
		}
	}
}

function decodeTime(text: string, micro: boolean): string {
	const match =
		/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text);
	const ms = match ? Date.parse(text) : Number.NaN;
	if (Number.isNaN(ms))
		throw new DecodeError(
			`parsing time ${JSON.stringify(text)} as "${micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00"}": cannot parse ${JSON.stringify(text)} as "2006"`,
		);
	const seconds = new Date(Math.floor(ms / 1000) * 1000)
		.toISOString()
		.slice(0, 19);
	if (!micro) return `${seconds}Z`;
	return `${seconds}.${(match?.[1] ?? ".").slice(1, 7).padEnd(6, "0")}Z`;
}

/** What Go encodes for a field nobody gave; undefined: nothing. */
function absent(field: Field): Json | undefined {
	if (field.pointer) return field.omit === "never" ? null : undefined;
	if (field.omit === "zero") return undefined;
	const zero = zeroOf(field.type);
	return omitted(field, zero) ? undefined : zero;
}

function omitted(field: Field, value: Json): boolean {
	if (field.omit === "never" || field.pointer) return false;
	if (value === "" || value === 0 || value === false)
		return field.type.kind === "scalar" && field.type.scalar !== "intOrString";
	// A time has no empty value of its own in Go: without omitzero it stands as null.
	if (value === null)
		return !(
			field.type.kind === "scalar" && /^(t|microT)ime$/.test(field.type.scalar)
		);
	if (field.type.kind === "list") return (value as Json[]).length === 0;
	if (field.type.kind === "map" || field.omit === "zero")
		return isObject(value) && Object.keys(value).length === 0;
	return false;
}

function zeroOf(type: Type): Json {
	switch (type.kind) {
		case "struct":
			return decodeStruct(type, {}, "", "", []);
		case "scalar":
			return {
				string: "",
				bytes: null,
				bool: false,
				int32: 0,
				int64: 0,
				double: 0,
				intOrString: 0,
				quantity: "0",
				time: null,
				microTime: null,
			}[type.scalar];
		default:
			return null;
	}
}

function goName(type: Type): string {
	switch (type.kind) {
		case "scalar":
			return (
				{
					bytes: "[]uint8",
					intOrString: "intstr.IntOrString",
					quantity: "resource.Quantity",
					time: "v1.Time",
					microTime: "v1.MicroTime",
					double: "float64",
				}[type.scalar as string] ?? type.scalar
			);
		case "list":
			return `[]${goName(type.items)}`;
		case "map":
			return `map[string]${goName(type.value)}`;
		case "struct":
			return `v1.${type.name.split(".").at(-1)}`;
		case "any":
			return "runtime.RawExtension";
	}
}

function mismatch(
	value: Json,
	goType: string,
	goPath: string,
	owner: StructType,
): DecodeError {
	const found = Array.isArray(value)
		? "array"
		: isObject(value)
			? "object"
			: typeof value === "boolean"
				? "bool"
				: typeof value === "number" &&
						/^u?int/.test(goType) &&
						(!Number.isInteger(value) || goType !== "string")
					? `number ${value}`
					: typeof value;
	const where = goPath
		? `Go struct field ${owner.name.split(".").at(-1)}.${goPath} of type`
		: "Go value of type";
	return new DecodeError(
		`json: cannot unmarshal ${found} into ${where} ${goType}`,
	);
}

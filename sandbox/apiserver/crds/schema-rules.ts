import { clone, equal } from "../json.ts";
import { objectAt, stringAt, stringsAt } from "../access.ts";
import {
	type FieldError,
	invalid,
	required,
	tooLong,
	tooMany,
} from "../field-error.ts";
import { checkRules } from "./validation-rules.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";

/** Puts in the defaults of a structural schema, below metadata nothing. */
export function applyDefaults(schema: JsonObject, value: Json): void {
	if (Array.isArray(value)) {
		const items = schema["items"];
		if (isObject(items)) for (const item of value) applyDefaults(items, item);
		return;
	}
	if (!isObject(value)) return;
	for (const [name, property] of Object.entries(
		objectAt(schema, "properties"),
	)) {
		if (!isObject(property)) continue;
		if (
			property["default"] !== undefined &&
			(value[name] === undefined ||
				(value[name] === null && property["nullable"] !== true))
		)
			value[name] = clone(property["default"]);
		if (value[name] !== undefined) applyDefaults(property, value[name]);
	}
	const other = schema["additionalProperties"];
	if (isObject(other))
		for (const item of Object.values(value)) applyDefaults(other, item);
}

/** Checks an object against the schema of its version; field paths and texts as the real server's. */
export function validateSchema(
	schema: JsonObject,
	object: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	for (const [name, property] of Object.entries(objectAt(schema, "properties")))
		if (
			isObject(property) &&
			!["apiVersion", "kind", "metadata"].includes(name) &&
			object[name] !== undefined
		)
			check(property, object[name], name, errors);
	for (const name of stringsAt(schema, "required"))
		if (object[name] === undefined) errors.push(required(name));
	return errors.some(({ type }) => blocking.has(type))
		? [...errors, unchecked]
		: [...errors, ...checkRules(schema, object, old)];
}

/** What keeps rules from being asked: they may rely on the schema. */
const blocking = new Set<FieldError["type"]>([
	"FieldValueNotSupported",
	"FieldValueRequired",
	"FieldValueTooLong",
	"FieldValueTooMany",
	"FieldValueTypeInvalid",
]);
const unchecked = invalid(
	"<nil>",
	null,
	"some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
);

function check(
	schema: JsonObject,
	value: Json,
	at: string,
	errors: FieldError[],
): void {
	if (value === null) {
		if (schema["nullable"] !== true)
			errors.push(typeError(at, value, stringAt(schema, "type")));
		return;
	}
	const type = stringAt(schema, "type");
	if (schema["x-kubernetes-int-or-string"] === true) {
		if (typeof value !== "string" && !Number.isInteger(value))
			errors.push(typeError(at, value, "integer,string"));
	} else if (type && !hasType(value, type)) {
		errors.push(typeError(at, value, type));
		return;
	}
	const allowed = schema["enum"];
	if (Array.isArray(allowed) && !allowed.some((one) => equal(one, value)))
		errors.push({
			type: "FieldValueNotSupported",
			field: at,
			value,
			detail: `supported values: ${allowed.map((one) => JSON.stringify(one)).join(", ")}`,
		});
	if (typeof value === "string") checkString(schema, value, at, errors);
	if (typeof value === "number") checkNumber(schema, value, at, errors);
	if (Array.isArray(value)) checkList(schema, value, at, errors);
	if (isObject(value)) checkObject(schema, value, at, errors);
	for (const one of Array.isArray(schema["allOf"]) ? schema["allOf"] : [])
		if (isObject(one)) check(one, value, at, errors);
}

function hasType(value: Json, type: string): boolean {
	switch (type) {
		case "array":
			return Array.isArray(value);
		case "object":
			return isObject(value);
		case "integer":
			return Number.isInteger(value);
		default:
			return typeof value === type;
	}
}

function goTypeOf(value: Json): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "array";
	if (typeof value === "number")
		return Number.isInteger(value) ? "integer" : "number";
	return typeof value;
}

function typeError(at: string, value: Json, type: string): FieldError {
	return {
		type: "FieldValueTypeInvalid",
		field: at,
		value:
			value === null
				? "null"
				: isObject(value) || Array.isArray(value)
					? goTypeOf(value)
					: value,
		detail: `${at} in body must be of type ${type}: ${JSON.stringify(goTypeOf(value))}`,
	};
}

function checkString(
	schema: JsonObject,
	value: string,
	at: string,
	errors: FieldError[],
): void {
	const length = Array.from(value).length;
	const max = schema["maxLength"];
	const min = schema["minLength"];
	if (typeof max === "number" && length > max) errors.push(tooLong(at, max));
	if (typeof min === "number" && length < min)
		errors.push(
			invalid(at, value, `${at} in body should be at least ${min} chars long`),
		);
	const pattern = schema["pattern"];
	if (typeof pattern === "string" && !new RegExp(pattern, "u").test(value))
		errors.push(invalid(at, value, `${at} in body should match '${pattern}'`));
}

function checkNumber(
	schema: JsonObject,
	value: number,
	at: string,
	errors: FieldError[],
): void {
	const { minimum, maximum } = schema;
	if (typeof minimum === "number") {
		const exclusive = schema["exclusiveMinimum"] === true;
		if (value < minimum || (exclusive && value === minimum))
			errors.push(
				invalid(
					at,
					value,
					`${at} in body should be greater than ${exclusive ? "" : "or equal to "}${minimum}`,
				),
			);
	}
	if (typeof maximum === "number") {
		const exclusive = schema["exclusiveMaximum"] === true;
		if (value > maximum || (exclusive && value === maximum))
			errors.push(
				invalid(
					at,
					value,
					`${at} in body should be less than ${exclusive ? "" : "or equal to "}${maximum}`,
				),
			);
	}
}

function checkList(
	schema: JsonObject,
	value: Json[],
	at: string,
	errors: FieldError[],
): void {
	const max = schema["maxItems"];
	const min = schema["minItems"];
	if (typeof max === "number" && value.length > max)
		errors.push(tooMany(at, value.length, max));
	if (typeof min === "number" && value.length < min)
		errors.push(
			invalid(
				at,
				value.length,
				`${at} in body should have at least ${min} items`,
			),
		);
	const items = schema["items"];
	if (isObject(items))
		for (const [index, item] of value.entries())
			check(items, item, `${at}[${index}]`, errors);
	const list = schema["x-kubernetes-list-type"];
	const keys = stringsAt(schema, "x-kubernetes-list-map-keys");
	if (list !== "set" && list !== "map") return;
	const seen = new Set<string>();
	for (const [index, item] of value.entries()) {
		const identity =
			list === "map" && isObject(item)
				? Object.fromEntries(keys.map((key) => [key, item[key] ?? null]))
				: item;
		const text = JSON.stringify(identity);
		if (seen.has(text))
			errors.push({
				type: "FieldValueDuplicate",
				field: `${at}[${index}]`,
				value: identity,
				detail: "",
			});
		seen.add(text);
	}
}

function checkObject(
	schema: JsonObject,
	value: JsonObject,
	at: string,
	errors: FieldError[],
): void {
	const properties = objectAt(schema, "properties");
	const other = schema["additionalProperties"];
	for (const [name, item] of Object.entries(value)) {
		const property = properties[name];
		if (isObject(property)) check(property, item, `${at}.${name}`, errors);
		else if (isObject(other)) check(other, item, `${at}.${name}`, errors);
	}
	for (const name of stringsAt(schema, "required"))
		if (value[name] === undefined) errors.push(required(`${at}.${name}`));
	const max = schema["maxProperties"];
	if (typeof max === "number" && Object.keys(value).length > max)
		errors.push(tooMany(at, Object.keys(value).length, max));
}

import { Environment } from "@marcbachmann/cel-js";
import { equal } from "../json.ts";
import { objectAt, objectsAt, stringAt, stringsAt } from "../access.ts";
import {
	type FieldError,
	forbiddenField,
	invalid,
	required,
} from "../field-error.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";
import { addAddresses } from "./cel-addresses.ts";
import { addLists } from "./cel-lists.ts";

/** x-kubernetes-validations of CustomResourceDefinitions (apiextensions-apiserver, pkg/apiserver/schema/cel). */

type Program = (variables: Record<string, unknown>) => unknown;

let environment: Environment | undefined;
const programs = new Map<string, Program>();

function compile(expression: string): Program {
	let program = programs.get(expression);
	if (program) return program;
	if (!environment) {
		environment = new Environment({ enableOptionalTypes: true })
			.registerVariable("self", "dyn")
			.registerVariable("oldSelf", "dyn");
		addAddresses(environment);
		addLists(environment);
	}
	program = environment.parse(expression);
	programs.set(expression, program);
	return program;
}

/**
 * What the rules of a schema say against a valid object. `old`: what it was; a rule that names oldSelf is asked only then,
 * and one that fails where nothing changed is passed over (CRD ratcheting).
 */
export function checkRules(
	schema: JsonObject,
	object: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	check({ schema, value: object, old, at: "" }, errors);
	return errors;
}

interface Place {
	schema: JsonObject;
	value: Json;
	/** Undefined: there was none, or it cannot be told which. */
	old: Json | undefined;
	at: string;
}

function check(place: Place, errors: FieldError[]): void {
	const { schema, value, old, at } = place;
	if (value === null) return;
	for (const rule of objectsAt(schema, "x-kubernetes-validations"))
		ask(rule, place, errors);
	if (isObject(value)) {
		const properties = objectAt(schema, "properties");
		const other = schema["additionalProperties"];
		for (const [name, item] of Object.entries(value)) {
			const own = properties[name] ?? other;
			if (!isObject(own) || (at === "" && name === "metadata")) continue;
			const named = properties[name] !== undefined;
			check(
				{
					schema: own,
					value: item,
					old: isObject(old) ? old[name] : undefined,
					at: named ? (at ? `${at}.${name}` : name) : `${at}[${name}]`,
				},
				errors,
			);
		}
	}
	const items = schema["items"];
	if (Array.isArray(value) && isObject(items))
		for (const [index, item] of value.entries())
			check(
				{
					schema: items,
					value: item,
					old: correlated(schema, item, old),
					at: `${at}[${index}]`,
				},
				errors,
			);
}

/** The old item of a list that `item` follows: of maps the one with its keys; of sets, for ratcheting, its equal. */
function correlated(
	schema: JsonObject,
	item: Json,
	old: Json | undefined,
): Json | undefined {
	if (!Array.isArray(old)) return undefined;
	if (schema["x-kubernetes-list-type"] !== "map")
		return old.find((one) => equal(one, item));
	const keys = stringsAt(schema, "x-kubernetes-list-map-keys");
	return old.find(
		(one) =>
			isObject(one) &&
			isObject(item) &&
			keys.every((key) => equal(one[key], item[key])),
	);
}

function ask(
	rule: JsonObject,
	{ schema, value, old, at }: Place,
	errors: FieldError[],
): void {
	const text = stringAt(rule, "rule").trim();
	const transition = /\boldSelf\b/.test(text);
	if (transition && old === undefined) return;
	const said = stringAt(rule, "message").trim();
	const variables = {
		self: toCel(schema, value),
		...(transition ? { oldSelf: toCel(schema, old as Json) } : {}),
	};
	let holds: unknown;
	try {
		holds = compile(text)(variables);
	} catch (error) {
		const why = (error as Error).message.split("\n")[0];
		errors.push(
			invalid(
				at || "<nil>",
				stringAt(schema, "type"),
				`${why} evaluating rule: ${said || text}`,
			),
		);
		return;
	}
	if (holds === true) return;
	if (!transition && old !== undefined && equal(old, value)) return;
	const path = stringAt(rule, "fieldPath").replace(/^\./, "");
	const field = path ? (at ? `${at}.${path}` : path) : at || "<nil>";
	const detail = messageOf(rule, variables) ?? (said || `failed rule: ${text}`);
	errors.push(refusal(stringAt(rule, "reason"), field, value, detail));
}

function messageOf(
	rule: JsonObject,
	variables: Record<string, unknown>,
): string | undefined {
	const expression = stringAt(rule, "messageExpression");
	if (!expression) return undefined;
	try {
		const text = compile(expression)(variables);
		return typeof text === "string" && text.trim() ? text.trim() : undefined;
	} catch {
		// Upstream falls back to the message as well.
		return undefined;
	}
}

function refusal(
	reason: string,
	field: string,
	value: Json,
	detail: string,
): FieldError {
	if (reason === "FieldValueForbidden") return forbiddenField(field, detail);
	if (reason === "FieldValueRequired") return required(field, detail);
	const shown = typeof value === "object" ? { omitValue: true } : { value };
	return reason === "FieldValueDuplicate"
		? { type: "FieldValueDuplicate", field, detail: "", ...shown }
		: { type: "FieldValueInvalid", field, detail, ...shown };
}

/** JSON as CEL sees it by its schema: integers are int, other numbers double. */
function toCel(schema: JsonObject, value: Json): unknown {
	if (typeof value === "number")
		return stringAt(schema, "type") !== "number" && Number.isInteger(value)
			? BigInt(value)
			: value;
	if (Array.isArray(value)) {
		const items = objectAt(schema, "items");
		return value.map((item) => toCel(items, item));
	}
	if (!isObject(value)) return value;
	const properties = objectAt(schema, "properties");
	const other = objectAt(schema, "additionalProperties");
	return Object.fromEntries(
		Object.entries(value).map(([name, item]) => [
			name,
			toCel(isObject(properties[name]) ? properties[name] : other, item),
		]),
	);
}

import { badRequest } from "./api-error.ts";
import { labelValue, qualifiedName } from "./names.ts";

/** A predicate over labels or fields. */
export type Selector = (values: Record<string, string>) => boolean;

const operators = ["in", "notin", "=", "==", "!=", "gt", "lt", ">", "<"];

/**
 * Parses a label selector: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. The grammar and the texts of errors are those of
 * k8s.io/apimachinery/pkg/labels. Throws a BadRequest.
 */
export function labelSelector(text: string | null | undefined): Selector {
	const tokens =
		(text ?? "").match(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g)?.slice() ?? [];
	if (tokens.length === 0) return () => true;
	const requirements: Selector[] = [];
	for (;;) {
		requirements.push(requirement(tokens));
		const next = tokens.shift();
		if (next === undefined) break;
		if (next !== ",")
			throw badRequest(`found '${next}', expected: ',' or 'end of string'`);
		const after = tokens[0];
		if (after === undefined || (after !== "!" && isSymbol(after)))
			throw badRequest(
				`found '${after ?? ""}', expected: identifier after ','`,
			);
	}
	return (labels) => requirements.every((one) => one(labels));
}

const isSymbol = (token: string) => /^[=!<>(),]/.test(token);

/** Takes one requirement off the tokens. */
function requirement(tokens: string[]): Selector {
	const unable = (found: string | undefined, expected: string) =>
		badRequest(
			`unable to parse requirement: found '${found ?? ""}', expected: ${expected}`,
		);
	const not = tokens[0] === "!";
	if (not) tokens.shift();
	const key = tokens.shift();
	if (key === undefined || isSymbol(key))
		throw unable(key, not ? "identifier" : "!, identifier, or 'end of string'");
	for (const why of qualifiedName(key))
		throw badRequest(
			`unable to parse requirement: key: Invalid value: ${JSON.stringify(key)}: ${why}`,
		);
	if (not || tokens[0] === undefined || tokens[0] === ",")
		return (labels) => Object.hasOwn(labels, key) !== not;
	const operator = tokens.shift() as string;
	if (!operators.includes(operator))
		throw unable(operator, "in, notin, =, ==, !=, gt, lt");
	if (operator === "in" || operator === "notin") {
		const values = parenthesised(tokens, unable);
		check(key, values);
		const wanted = new Set(values);
		return operator === "in"
			? (labels) => Object.hasOwn(labels, key) && wanted.has(labels[key] ?? "")
			: (labels) =>
					!Object.hasOwn(labels, key) || !wanted.has(labels[key] ?? "");
	}
	const value =
		tokens[0] === undefined || tokens[0] === ","
			? ""
			: (tokens.shift() as string);
	if (isSymbol(value)) throw unable(value, "identifier");
	check(key, [value]);
	if (operator === "!=") return (labels) => labels[key] !== value;
	if (operator === "=" || operator === "==")
		return (labels) => labels[key] === value;
	if (!/^-?\d+$/.test(value))
		throw badRequest(
			`unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
		);
	const greater = operator === ">" || operator === "gt";
	return (labels) =>
		/^-?\d+$/.test(labels[key] ?? "") &&
		(greater
			? Number(labels[key]) > Number(value)
			: Number(labels[key]) < Number(value));
}

function parenthesised(
	tokens: string[],
	unable: (found: string | undefined, expected: string) => Error,
): string[] {
	const open = tokens.shift();
	if (open !== "(") throw unable(open, "'('");
	const values: string[] = [];
	let last = ",";
	for (;;) {
		const token = tokens.shift();
		if (token === ")") {
			if (last === ",") values.push("");
			return values;
		}
		if (token === undefined || (isSymbol(token) && token !== ","))
			throw unable(token, "',', ')' or identifier");
		if (token !== ",") values.push(token);
		else if (last === ",") values.push("");
		last = token;
	}
}

function check(key: string, values: string[]): void {
	for (const [index, value] of values.entries())
		for (const why of labelValue(value))
			throw badRequest(
				`unable to parse requirement: values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${why}`,
			);
}

/** One `field=value` or `field!=value` of a field selector. */
export interface FieldRequirement {
	field: string;
	value: string;
	equal: boolean;
}

/** Parses a field selector; throws a BadRequest for its syntax. */
export function fieldSelector(
	text: string | null | undefined,
): FieldRequirement[] {
	const requirements: FieldRequirement[] = [];
	for (const part of (text ?? "").split(/(?<!\\),/)) {
		if (!part) continue;
		const match = /^(.*?)(!=|==|=)(.*)$/.exec(part);
		if (!match)
			throw badRequest(
				`invalid selector: '${text ?? ""}'; can't understand '${part}'`,
			);
		const [, field = "", operator, value = ""] = match;
		requirements.push({
			field,
			value: value.replace(/\\([,=\\])/g, "$1"),
			equal: operator !== "!=",
		});
	}
	return requirements;
}

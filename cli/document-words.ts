import { z } from "zod";
import { quote } from "../operator/model/quote.ts";

/** An object that has these fields and no others; a stray one is told which there are. */
export function fields<Shape extends z.ZodRawShape>(
	shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
	return z.strictObject(shape, {
		error: ({ code }) =>
			code === "unrecognized_keys"
				? `there is no such field; remove it, or write one of ${Object.keys(shape).join(", ")}`
				: undefined,
	});
}

/** What is wrong with a document: field, value and what to do. */
export function complaintOf(
	{ issues: [issue] }: z.ZodError,
	document: unknown,
): string {
	if (!issue) return "cannot be read";
	const path =
		issue.code === "unrecognized_keys"
			? [...issue.path, issue.keys[0] ?? ""]
			: issue.path;
	const value = path.reduce<unknown>(
		(at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
		document,
	);
	const field = fieldPath(path) || "the document";
	return value === undefined
		? `${field} is missing: ${wordsOf(issue, value)}`
		: `${field}: ${shown(value)}: ${wordsOf(issue, value)}`;
}

function wordsOf(issue: z.core.$ZodIssue, value: unknown): string {
	switch (issue.code) {
		case "invalid_type":
			return mustBe(issue.expected, value);
		case "invalid_value":
			return `must be ${issue.values.join(" or ")}`;
		default:
			return issue.message;
	}
}

const named: Record<string, string> = {
	string: "text",
	array: "a list",
	object: "a mapping of fields",
	record: "a mapping of text to text",
	boolean: "true or false",
	number: "a number",
	int: "a whole number",
};

function mustBe(expected: string, value: unknown): string {
	const what = `must be ${named[expected] ?? expected}`;
	return expected === "string" &&
		(typeof value === "number" || typeof value === "boolean")
		? `${what}; put it in quotes`
		: what;
}

function shown(value: unknown): string {
	return typeof value === "string"
		? quote(value)
		: quote(JSON.stringify(value)).slice(1, -1).replaceAll('\\"', '"');
}

function fieldPath(path: readonly PropertyKey[]): string {
	return path.reduce<string>(
		(at, part) =>
			typeof part === "number"
				? `${at}[${part}]`
				: `${at}${at && "."}${String(part)}`,
		"",
	);
}

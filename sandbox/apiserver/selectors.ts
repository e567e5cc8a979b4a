import { badRequest } from "./api-error.ts";

/** A predicate over labels or fields. */
export type Selector = (values: Record<string, string>) => boolean;

const everything: Selector = () => true;

/**
 * Parses a label selector as k8s.io/apimachinery/pkg/labels does: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Throws a
 * BadRequest.
 */
export function labelSelector(text: string | null | undefined): Selector {
	if (!text) return everything;
	const requirements: Selector[] = [];
	for (const part of splitOutsideParentheses(text))
		requirements.push(requirement(part.trim(), text));
	return (labels) => requirements.every((one) => one(labels));
}

function requirement(part: string, whole: string): Selector {
	const set = /^([^\s!=<>(),]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
	if (set) {
		const [, key = "", operator, list = ""] = set;
		const values = new Set(list.split(",").map((value) => value.trim()));
		return operator === "in"
			? (labels) => values.has(labels[key] ?? "\0")
			: (labels) => !values.has(labels[key] ?? "\0");
	}
	const compare = /^([^\s!=<>(),]+)\s*(==|=|!=|>|<)\s*([^\s!=<>(),]*)$/.exec(
		part,
	);
	if (compare) {
		const [, key = "", operator, value = ""] = compare;
		if (
			value.length > 63 ||
			!/^(|[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/.test(value)
		)
			throw badRequest(
				`unable to parse requirement: values[0][${key}]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
			);
		if (operator === "!=") return (labels) => labels[key] !== value;
		if (operator === ">" || operator === "<") {
			const limit = Number(value);
			return (labels) =>
				key in labels &&
				(operator === ">"
					? Number(labels[key]) > limit
					: Number(labels[key]) < limit);
		}
		return (labels) => labels[key] === value;
	}
	const exists = /^(!?)\s*([^\s!=<>(),]+)$/.exec(part);
	if (exists) {
		const [, not, key = ""] = exists;
		return (labels) => Object.hasOwn(labels, key) !== Boolean(not);
	}
	throw badRequest(
		`unable to parse requirement: found '${part}', expected: identifier (in ${JSON.stringify(whole)})`,
	);
}

function splitOutsideParentheses(text: string): string[] {
	return text.split(/,(?![^(]*\))/).filter((part) => part.trim() !== "");
}

/** One `field=value` or `field!=value` of a field selector. */
export interface FieldRequirement {
	field: string;
	value: string;
	equal: boolean;
}

/** Parses a field selector; throws a BadRequest for syntax and for a field not in `known`. */
export function fieldSelector(
	text: string | null | undefined,
	known: (field: string) => boolean,
): { requirements: FieldRequirement[]; matches: Selector } {
	const requirements: FieldRequirement[] = [];
	for (const part of (text ?? "").split(/(?<!\\),/)) {
		if (!part) continue;
		const match = /^([^=!]+)(!=|==|=)(.*)$/.exec(part);
		if (!match)
			throw badRequest(
				`Unable to find ${JSON.stringify("fields")} that match label selector "", field selector ${JSON.stringify(text)}: invalid field selector: ${JSON.stringify(part)}`,
			);
		const [, field = "", operator, value = ""] = match;
		if (!known(field)) throw badRequest(`field label not supported: ${field}`);
		requirements.push({
			field,
			value: value.replace(/\\([,=\\])/g, "$1"),
			equal: operator !== "!=",
		});
	}
	return {
		requirements,
		matches: (fields) =>
			requirements.every(
				({ field, value, equal }) =>
					((fields[field] ?? "") === value) === equal,
			),
	};
}

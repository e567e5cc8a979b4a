import { equal } from "../json.ts";
import { isObject, type Json } from "../schema/decode.ts";

/**
 * The first value a printer column's JSONPath finds: `.a.b`, `.a[0]`, `.a["x"]`, `.a[?(@.type=="Ready")].status`, `[*]`.
 * Undefined if there is none.
 */
export function jsonPath(object: Json, path: string): Json | undefined {
	let found: Json[] = [object];
	const steps =
		path.match(/\.(?:\\.|[^.[\]\\])+|\[(?:[^\]"']|"[^"]*"|'[^']*')*\]/g) ?? [];
	for (const step of steps) found = found.flatMap((one) => next(one, step));
	return found[0];
}

function next(from: Json, step: string): Json[] {
	if (step.startsWith("."))
		return member(from, step.slice(1).replaceAll("\\", ""));
	const inside = step.slice(1, -1).trim();
	if (inside === "*")
		return Array.isArray(from)
			? from
			: isObject(from)
				? Object.values(from)
				: [];
	const filter = /^\?\(@([^=!]+?)\s*(==|!=)\s*(.+)\)$/.exec(inside);
	if (filter) {
		const [, path = "", operator, literal = ""] = filter;
		const wanted = parseLiteral(literal.trim());
		return (Array.isArray(from) ? from : []).filter(
			(item) =>
				equal(jsonPath(item, path.trim()), wanted) === (operator === "=="),
		);
	}
	if (/^-?\d+$/.test(inside)) {
		const value = Array.isArray(from) ? from.at(Number(inside)) : undefined;
		return value === undefined ? [] : [value];
	}
	return member(from, inside.replace(/^["']|["']$/g, ""));
}

function member(from: Json, key: string): Json[] {
	const value = isObject(from) ? from[key] : undefined;
	return value === undefined ? [] : [value];
}

function parseLiteral(text: string): Json {
	if (/^'.*'$/.test(text)) return text.slice(1, -1);
	try {
		return JSON.parse(text) as Json;
	} catch {
		return text;
	}
}

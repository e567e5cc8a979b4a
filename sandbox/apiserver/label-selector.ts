import { objectAt, objectsAt, stringAt, stringsAt, textOf } from "./access.ts";
import type { JsonObject } from "./schema/decode.ts";

/** Whether labels satisfy a metav1.LabelSelector; an empty selector matches everything. */
export function matchesLabelSelector(
	selector: JsonObject,
	labels: Record<string, string>,
): boolean {
	for (const [key, value] of Object.entries(objectAt(selector, "matchLabels")))
		if (labels[key] !== value) return false;
	for (const expression of objectsAt(selector, "matchExpressions")) {
		const key = stringAt(expression, "key");
		const values = stringsAt(expression, "values");
		const value = labels[key];
		const holds = {
			In: value !== undefined && values.includes(value),
			NotIn: value === undefined || !values.includes(value),
			Exists: value !== undefined,
			DoesNotExist: value === undefined,
		}[stringAt(expression, "operator")];
		if (!holds) return false;
	}
	return true;
}

/** As metav1.FormatLabelSelector prints it. */
export function formatLabelSelector(selector: JsonObject): string {
	const parts = Object.entries(objectAt(selector, "matchLabels")).map(
		([key, value]) => ({ key, text: `${key}=${textOf(value)}` }),
	);
	for (const expression of objectsAt(selector, "matchExpressions")) {
		const key = stringAt(expression, "key");
		const values = stringsAt(expression, "values").sort().join(",");
		const text = {
			In: `${key} in (${values})`,
			NotIn: `${key} notin (${values})`,
			Exists: key,
			DoesNotExist: `!${key}`,
		}[stringAt(expression, "operator")];
		parts.push({ key, text: text ?? "" });
	}
	return (
		parts
			.sort((a, b) => (a.key < b.key ? -1 : 1))
			.map((part) => part.text)
			.join(",") || "<none>"
	);
}

import type { LabelSelector } from "../../api/fairlead.ts";

export type Labels = Readonly<Record<string, string>>;

/**
 * Whether `labels` satisfy `selector`: every matchLabels pair and every expression. No selector, and an empty one, match
 * everything. NotIn holds for absent keys too (apimachinery, labels.Requirement.Matches). What `selectorProblem` refuses
 * matches nothing.
 */
export function matchesSelector(
	selector: LabelSelector | undefined,
	labels: Labels,
): boolean {
	for (const [key, value] of Object.entries(selector?.matchLabels ?? {}))
		if (valueOf(labels, key) !== value) return false;
	for (const { key, operator, values = [] } of selector?.matchExpressions ??
		[]) {
		const value = valueOf(labels, key);
		const listed = value !== undefined && values.includes(value);
		switch (operator) {
			case "In":
				if (!listed) return false;
				break;
			case "NotIn":
				if (listed || values.length === 0) return false;
				break;
			case "Exists":
				if (value === undefined || values.length > 0) return false;
				break;
			case "DoesNotExist":
				if (value !== undefined || values.length > 0) return false;
				break;
			default:
				return false;
		}
	}
	return true;
}

/** One sentence on the first expression that means nothing, by the rules of metav1.LabelSelectorAsSelector. */
export function selectorProblem(
	selector: LabelSelector | undefined,
): string | undefined {
	for (const { key, operator, values = [] } of selector?.matchExpressions ??
		[]) {
		const of = `the expression on label ${JSON.stringify(key)}`;
		switch (operator) {
			case "In":
			case "NotIn":
				if (values.length === 0)
					return `${of} has operator ${operator} and no values; add some`;
				break;
			case "Exists":
			case "DoesNotExist":
				if (values.length > 0)
					return `${of} has operator ${operator}, which takes no values; remove them`;
				break;
			default:
				return `${of} has operator ${JSON.stringify(operator)}; the operators are In, NotIn, Exists and DoesNotExist`;
		}
	}
	return undefined;
}

/** Labels are data from users: a label named like a member of Object must not be found by accident. */
function valueOf(labels: Labels, key: string): string | undefined {
	return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

import type { LabelSelector } from "../objects.ts";

type Labels = Record<string, string> | undefined;

/** Whether labels satisfy a workload's selector; an empty one selects nothing, as in the workload controllers. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
	const { matchLabels = {}, matchExpressions = [] } = selector;
	if (Object.keys(matchLabels).length + matchExpressions.length === 0)
		return false;
	return (
		hasLabels(matchLabels, labels) &&
		matchExpressions.every(({ key, operator, values = [] }) => {
			const value = labels?.[key];
			switch (operator) {
				case "In":
					return value !== undefined && values.includes(value);
				case "NotIn":
					return value === undefined || !values.includes(value);
				case "Exists":
					return value !== undefined;
				case "DoesNotExist":
					return value === undefined;
			}
		})
	);
}

/** Whether `labels` has all of `wanted`. */
export function hasLabels(
	wanted: Record<string, string>,
	labels: Labels,
): boolean {
	return Object.entries(wanted).every(
		([key, value]) => labels?.[key] === value,
	);
}

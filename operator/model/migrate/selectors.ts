import type { LabelSelector } from "../../api/fairlead.ts";

/** A label and the values it may have. */
interface Requirement {
	key: string;
	values: string[];
}

/** The Kubernetes control plane sets this label on every namespace. */
const nameLabel = "kubernetes.io/metadata.name";

export function namespacesSelector(names: readonly string[]): LabelSelector {
	return {
		matchExpressions: [
			{ key: nameLabel, operator: "In", values: [...names].sort() },
		],
	};
}

/**
 * One selector for what any of several selectors matches; undefined when one selector cannot say that. It can where there
 * is only one, where one matches everything, and where all are about the values of one and the same label.
 */
export function anyOf(
	selectors: readonly LabelSelector[],
): LabelSelector | undefined {
	const [first, ...more] = selectors;
	if (!first || selectors.some(matchesEverything)) return {};
	if (more.length === 0) return first;
	const requirements = selectors.map(onlyRequirement);
	const keys = new Set(requirements.map((each) => each?.key));
	const [key, ...otherKeys] = keys;
	if (key === undefined || otherKeys.length > 0) return undefined;
	const values = requirements.flatMap((each) => each?.values ?? []);
	return {
		matchExpressions: [
			{ key, operator: "In", values: [...new Set(values)].sort() },
		],
	};
}

function matchesEverything({
	matchLabels = {},
	matchExpressions = [],
}: LabelSelector): boolean {
	return Object.keys(matchLabels).length + matchExpressions.length === 0;
}

function onlyRequirement({
	matchLabels = {},
	matchExpressions = [],
}: LabelSelector): Requirement | undefined {
	const all = [
		...Object.entries(matchLabels).map(([key, value]) => ({
			key,
			operator: "In",
			values: [value],
		})),
		...matchExpressions,
	];
	const [only, ...more] = all;
	return only && more.length === 0 && only.operator === "In"
		? { key: only.key, values: only.values ?? [] }
		: undefined;
}

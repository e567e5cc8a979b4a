import type { Service } from "../../api/core.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import { classCondition } from "../class-condition.ts";
import { holdingOf } from "../holding.ts";
import type { Edit } from "./edit.ts";
import type { PlanProblem } from "./plan.ts";

/**
 * Why the API server refuses the edit (crds/balancerclass.yaml), where it cannot be asked: an earlier document made the class
 * what it is, or whoever plans may not write. Such an edit changes nothing.
 */
export function refusalOf(
	edit: Edit,
	classes: readonly BalancerClass[],
): PlanProblem[] | undefined {
	if (edit.do !== "apply" || edit.kind !== "BalancerClass") return undefined;
	const { metadata, spec } = edit.object;
	const known = classes.find((each) => each.metadata.name === metadata.name);
	if (!known || known.spec.provider === spec.provider) return undefined;
	return [
		{
			object: `BalancerClass ${metadata.name}`,
			code: "Refused",
			field: "spec.provider",
			message: `${spec.provider}: the API server refuses it, since the provider (${known.spec.provider}) cannot be changed; create another BalancerClass and move the Services to it`,
		},
	];
}

/** What keeps the edited classes from serving all who come to them, as their condition Ready will say. */
export function classProblems(
	edited: ReadonlySet<string>,
	classes: readonly BalancerClass[],
	services: readonly Service[],
): PlanProblem[] {
	const defaults = classes
		.filter(({ spec }) => spec.default)
		.map(({ metadata }) => metadata.name)
		.sort();
	return classes.flatMap((each) => {
		const { name, deletionTimestamp } = each.metadata;
		if (!edited.has(name)) return [];
		const holders = services
			.filter((service) => holdingOf(service)?.className === name)
			.map(objectKey);
		const [one] = holders;
		const { status, reason, message } = classCondition(each, {
			defaults,
			holders: { count: holders.length, ...(one ? { one } : {}) },
		});
		if (status === "True") return [];
		return {
			object: `BalancerClass ${name}`,
			code: reason,
			field: deletionTimestamp
				? "metadata.deletionTimestamp"
				: reason === "AmbiguousDefaultClass"
					? "spec.default"
					: "spec.provider",
			message: deletionTimestamp
				? `${message}. Until it is gone it takes no new ones`
				: message,
		};
	});
}

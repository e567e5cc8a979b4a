import type { LabelSelector } from "../../api/fairlead.ts";
import { matchesSelector, selectorProblem } from "./labels.ts";

type Expression = NonNullable<LabelSelector["matchExpressions"]>[number];
const expression = (
	operator: string,
	values?: string[],
	key = "tier",
): LabelSelector => ({
	matchExpressions: [
		{ key, operator, ...(values ? { values } : {}) } as Expression,
	],
});
const front = { tier: "front", team: "shop" };

test.each([
	["no selector", undefined, "matches", front],
	["an empty selector", {}, "matches", front],
	["an empty selector", {}, "matches", {}],
	["tier=front", { matchLabels: { tier: "front" } }, "matches", front],
	[
		"tier=front",
		{ matchLabels: { tier: "front" } },
		"does not match",
		{ tier: "back" },
	],
	["tier=front", { matchLabels: { tier: "front" } }, "does not match", {}],
	[
		"tier=front,team=bank",
		{ matchLabels: { tier: "front", team: "bank" } },
		"does not match",
		front,
	],
	[
		"tier in (front, back)",
		expression("In", ["front", "back"]),
		"matches",
		front,
	],
	["tier in (back)", expression("In", ["back"]), "does not match", front],
	["tier in (back)", expression("In", ["back"]), "does not match", {}],
	["tier notin (back)", expression("NotIn", ["back"]), "matches", front],
	["tier notin (back)", expression("NotIn", ["back"]), "matches", {}],
	[
		"tier notin (front)",
		expression("NotIn", ["front"]),
		"does not match",
		front,
	],
	["tier exists", expression("Exists"), "matches", front],
	["tier exists", expression("Exists"), "does not match", {}],
	["tier does not exist", expression("DoesNotExist"), "matches", {}],
	["tier does not exist", expression("DoesNotExist"), "does not match", front],
	[
		"constructor exists, which every object inherits",
		expression("Exists", undefined, "constructor"),
		"does not match",
		{},
	],
	[
		"constructor in (x)",
		expression("In", ["x"], "constructor"),
		"does not match",
		{},
	],
	["an unknown operator", expression("Gt", ["1"]), "does not match", front],
	["in without values", expression("In"), "does not match", front],
	["notin without values", expression("NotIn"), "does not match", front],
	["exists with values", expression("Exists", ["x"]), "does not match", front],
])("%s: %j %s %j", (_what, selector, verdict, labels) => {
	expect(
		matchesSelector(
			selector as LabelSelector | undefined,
			labels as Record<string, string>,
		),
	).toBe(verdict === "matches");
});

test.each([
	[expression("In"), "add some"],
	[expression("NotIn", []), "add some"],
	[expression("Exists", ["x"]), "remove them"],
	[
		expression("Gt", ["1"]),
		"the operators are In, NotIn, Exists and DoesNotExist",
	],
])("the selector %j is refused: %s", (selector, why) => {
	expect(selectorProblem(selector)).toContain(why);
});

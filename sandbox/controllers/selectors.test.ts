import type { LabelSelector } from "../objects.ts";
import { selects } from "./selectors.ts";

const labels = { app: "web", tier: "front" };
const expression = (
	key: string,
	operator: "In" | "NotIn" | "Exists" | "DoesNotExist",
	...values: string[]
): LabelSelector => ({ matchExpressions: [{ key, operator, values }] });

test.each<[string, LabelSelector, boolean]>([
	["one of the labels", { matchLabels: { app: "web" } }, true],
	["another value", { matchLabels: { app: "api" } }, false],
	["all of several", { matchLabels: { app: "web", tier: "back" } }, false],
	["nothing", {}, false],
	["a value in a list", expression("app", "In", "api", "web"), true],
	["a value not in a list", expression("app", "NotIn", "web"), false],
	[
		"a label that is not there, not in a list",
		expression("x", "NotIn", "y"),
		true,
	],
	["a label that is there", expression("tier", "Exists"), true],
	["a label that is not there", expression("tier", "DoesNotExist"), false],
])("asking for %s", (_, selector, expected) => {
	expect(selects(selector, labels)).toBe(expected);
});

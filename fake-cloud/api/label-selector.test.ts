import { labelsProblem, parseSelector } from "./label-selector.ts";

const prod = { env: "production", "example.com/role": "lb", empty: "" };

test.each([
	["", true],
	["env=production", true],
	["env==production", true],
	[" env = production ", true],
	["env=testing", false],
	["env!=testing", true],
	["env!=production", false],
	["missing!=anything", true],
	["env", true],
	["missing", false],
	["!missing", true],
	["! env", false],
	["env in (testing, production)", true],
	["env in (testing)", false],
	["missing in (a)", false],
	["env notin (testing,staging)", true],
	["env notin (production)", false],
	["missing notin (a)", true],
	["example.com/role=lb,env", true],
	["example.com/role=lb,!env", false],
	["empty=", true],
	["empty in ()", true],
	["env=", false],
	["in in (a)", false],
	["toString", false],
])("%j matches the labels of a production balancer: %j", (text, matches) => {
	expect(parseSelector(text)?.(prod)).toBe(matches);
});

test.each([
	"=",
	"a=b=c",
	"a,,b",
	",a",
	"a,",
	"a in b",
	"a in (b",
	"a in (b,c d)",
	"a b",
	"!!a",
	"a=-",
	"-a",
	"/a",
	"a/b/c",
])("%j is no selector", (text) => {
	expect(parseSelector(text)).toBeUndefined();
});

test.each([
	[{ "example.com/a_b.c": "x-1", k: "" }, undefined],
	[{ "-a": "b" }, 'label key "-a" is invalid'],
	[{ a: "b c" }, 'value "b c" of label a is invalid'],
	[
		{ a: "b".repeat(64) },
		`value ${JSON.stringify("b".repeat(64))} of label a is invalid`,
	],
	[
		{ "hetzner.cloud/a": "b" },
		'label key "hetzner.cloud/a" has the reserved prefix hetzner.cloud/',
	],
])("labels %j: %s", (labels, problem) => {
	expect(labelsProblem(labels as Record<string, string>)).toBe(problem);
});

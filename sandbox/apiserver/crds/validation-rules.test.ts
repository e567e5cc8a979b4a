import type { JsonObject } from "../schema/decode.ts";
import { checkRules } from "./validation-rules.ts";

// Beside what crds/ uses (held to the real server by test/cluster): the rest of x-kubernetes-validations.

const count = (rule: JsonObject): JsonObject => ({
	type: "object",
	properties: {
		count: { type: "integer", "x-kubernetes-validations": [rule] },
		ratio: { type: "number" },
	},
	"x-kubernetes-validations": [],
});
const texts = (...given: Parameters<typeof checkRules>) =>
	checkRules(...given).map(
		({ type, field, detail }) => `${type} ${field}: ${detail}`,
	);

test("an integer of the schema is an int of CEL", () => {
	const schema = count({ rule: "self % 2 == 0", message: "must be even" });
	expect(texts(schema, { count: 4 }, undefined)).toEqual([]);
	expect(texts(schema, { count: 3 }, undefined)).toEqual([
		"FieldValueInvalid count: must be even",
	]);
});

test("sum() adds what a list holds", () => {
	const schema: JsonObject = {
		type: "object",
		properties: {
			groups: {
				type: "array",
				items: { type: "array", items: { type: "string" } },
			},
		},
		"x-kubernetes-validations": [
			{
				rule: "self.groups.map(group, group.size()).sum() <= 3",
				message: "at most 3 in all",
			},
		],
	};
	expect(texts(schema, { groups: [["a", "b"], ["c"]] }, undefined)).toEqual([]);
	expect(texts(schema, { groups: [] }, undefined)).toEqual([]);
	expect(
		texts(
			schema,
			{
				groups: [
					["a", "b"],
					["c", "d"],
				],
			},
			undefined,
		),
	).toEqual(["FieldValueInvalid <nil>: at most 3 in all"]);
});

test("a rule that names oldSelf is asked only of what was there before", () => {
	const schema = count({ rule: "self >= oldSelf", message: "must not fall" });
	expect(texts(schema, { count: 1 }, undefined)).toEqual([]);
	expect(texts(schema, { count: 1 }, {})).toEqual([]);
	expect(texts(schema, { count: 2 }, { count: 1 })).toEqual([]);
	expect(texts(schema, { count: 1 }, { count: 2 })).toEqual([
		"FieldValueInvalid count: must not fall",
	]);
});

test("a value that was wrong before and did not change is let be", () => {
	const schema = count({ rule: "self > 10" });
	expect(texts(schema, { count: 1 }, { count: 1 })).toEqual([]);
	expect(texts(schema, { count: 2 }, { count: 1 })).toEqual([
		"FieldValueInvalid count: failed rule: self > 10",
	]);
});

test("a rule says its reason, its place and a message of its own making", () => {
	const schema: JsonObject = {
		type: "object",
		"x-kubernetes-validations": [
			{
				rule: "self.low <= self.high",
				messageExpression: "'low is ' + string(self.low)",
				reason: "FieldValueForbidden",
				fieldPath: ".low",
			},
		],
		properties: { low: { type: "integer" }, high: { type: "integer" } },
	};
	expect(texts(schema, { low: 2, high: 1 }, undefined)).toEqual([
		"FieldValueForbidden low: low is 2",
	]);
});

test("a rule that cannot be answered is an error, not a pass", () => {
	const schema: JsonObject = {
		type: "object",
		"x-kubernetes-validations": [{ rule: "self.absent == 1" }],
	};
	expect(texts(schema, { present: 1 }, undefined)).toEqual([
		expect.stringMatching(
			/^FieldValueInvalid <nil>: .*absent.* evaluating rule: self.absent == 1$/,
		) as string,
	]);
});

test.each([
	["a list of maps, by their keys", "map", ["name"]],
	["a list, by equal items only", "atomic", []],
])("%s, follows its items from before", (_, list, keys) => {
	const schema: JsonObject = {
		type: "array",
		"x-kubernetes-list-type": list,
		"x-kubernetes-list-map-keys": keys,
		items: {
			type: "object",
			properties: { name: { type: "string" }, size: { type: "integer" } },
			"x-kubernetes-validations": [{ rule: "self.size >= oldSelf.size" }],
		},
	};
	const whole = { type: "object", properties: { items: schema } };
	const found = texts(
		whole,
		{
			items: [
				{ name: "b", size: 1 },
				{ name: "a", size: 1 },
			],
		},
		{
			items: [
				{ name: "a", size: 2 },
				{ name: "b", size: 1 },
			],
		},
	);
	expect(found).toEqual(
		list === "map"
			? ["FieldValueInvalid items[1]: failed rule: self.size >= oldSelf.size"]
			: [],
	);
});

test.each<[string, string, boolean]>([
	["ip", "ip(self).family() == 4", true],
	["canonical text", "string(ip('2001:DB8:0::1')) == '2001:db8::1'", true],
	["equality across spellings", "ip('::1') == ip('0:0::1')", true],
	["a CIDR in another", "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", true],
	[
		"a CIDR around another",
		"cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')",
		false,
	],
	["an address of the other family", "cidr('::/0').containsIP(self)", false],
	["prefix length", "cidr('10.1.0.0/16').prefixLength() == 16", true],
	["a mapped address", "isIP('::ffff:10.0.0.1')", false],
	[
		"a URL's parts",
		"url('https://[::1]:80/a%20b?k=1').getHostname() == '::1'",
		true,
	],
	["a URL's query", "url('/p?k=1&k=2').getQuery()['k'] == ['1', '2']", true],
	["text that is no URL", "isURL('example.com')", false],
])("addresses in rules: %s", (_, rule, holds) => {
	const schema: JsonObject = {
		type: "object",
		properties: {
			at: { type: "string", "x-kubernetes-validations": [{ rule }] },
		},
	};
	expect(texts(schema, { at: "10.0.0.1" }, undefined)).toEqual(
		holds ? [] : [`FieldValueInvalid at: failed rule: ${rule}`],
	);
});

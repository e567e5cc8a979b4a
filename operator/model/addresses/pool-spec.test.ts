import fc from "fast-check";
import { service } from "../../../test/support/address-requests.ts";
import type { AddressPool } from "../../api/fairlead.ts";
import { Allocator } from "./allocator.ts";
import { compilePool } from "./pool.ts";
import { checkedSpec } from "./pool-spec.ts";

test.each<[string, unknown, string, string]>([
	[
		"no spec",
		undefined,
		"spec.addresses",
		"must be a list of texts, not nothing",
	],
	[
		"addresses that are no texts",
		{ addresses: ["10.0.0.0/24", 7] },
		"spec.addresses",
		'must be a list of texts, not ["10.0.0.0/24",7]',
	],
	[
		"a selector that is none",
		{ addresses: [], namespaceSelector: { matchLabels: { a: 1 } } },
		"spec.namespaceSelector",
		"must be a label selector",
	],
	[
		"a priority that is no number",
		{ addresses: [], priority: "1" },
		"spec.priority",
		'must be a number, not "1"',
	],
])("a pool with %s says so, by field", (_what, spec, field, message) => {
	const { problems } = checkedSpec(spec);
	expect(problems).toHaveLength(1);
	expect(problems[0]).toMatchObject({ code: "InvalidSpec", field });
	expect(problems[0]?.message).toContain(message);
});

test("a good spec is read as it is", () => {
	const spec: AddressPool["spec"] = {
		addresses: ["10.0.0.0/24"],
		uses: ["ExternalIP"],
		classes: ["lan"],
		autoAssign: true,
		priority: 7,
		avoidFirstAndLast: false,
		namespaceSelector: { matchLabels: { a: "b" } },
		serviceSelector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
		retention: "10m",
	};
	expect(checkedSpec(spec)).toEqual({ spec, problems: [] });
});

const fields = [
	"addresses",
	"uses",
	"classes",
	"autoAssign",
	"priority",
	"avoidFirstAndLast",
	"namespaceSelector",
	"serviceSelector",
	"retention",
];

test("whatever stands in a spec, the pool is read, and gives no more than its good fields allow", () => {
	const good = {
		addresses: ["10.0.0.0/24"],
		autoAssign: true,
		namespaceSelector: { matchLabels: { team: "other" } },
	};
	fc.assert(
		fc.property(
			fc.dictionary(fc.constantFrom(...fields), fc.jsonValue()),
			fc.boolean(),
			(spoilt, keepsSelector) => {
				const spec = { ...good, ...spoilt };
				if (keepsSelector) spec.namespaceSelector = good.namespaceSelector;
				const pool = compilePool({
					metadata: { name: "p" },
					spec: spec as unknown as AddressPool["spec"],
				});
				const allocator = new Allocator([pool]);
				const { ok } = allocator.allocate(service("a"));
				allocator.snapshot();
				if (keepsSelector) expect(ok).toBe(false);
			},
		),
	);
});

import fc from "fast-check";
import { mergeDiff, sameMeaning } from "./merge-diff.ts";

/** JSON as the API has it: null is not a value of a stored object. */
const object = fc.dictionary(
	fc.constantFrom("a", "b", "c"),
	fc.letrec((tie) => ({
		value: fc.oneof(
			{ maxDepth: 3 },
			fc.integer({ min: 0, max: 2 }),
			fc.constantFrom("x", "y"),
			fc.array(tie("value"), { maxLength: 2 }),
			fc.dictionary(fc.constantFrom("a", "b"), tie("value"), { maxKeys: 2 }),
		),
	})).value,
	{ maxKeys: 3 },
);

/** RFC 7386, section 2. */
function applied(target: unknown, patch: unknown): unknown {
	if (typeof patch !== "object" || patch === null || Array.isArray(patch))
		return patch;
	const result: Record<string, unknown> =
		typeof target === "object" && target !== null && !Array.isArray(target)
			? { ...target }
			: {};
	for (const [key, value] of Object.entries(patch))
		if (value === null) delete result[key];
		else result[key] = applied(result[key], value);
	return result;
}

test("the patch between two objects makes one of the other, and there is none between equals", () => {
	fc.assert(
		fc.property(object, object, (from, to) => {
			const patch = mergeDiff(from, to);
			expect(sameMeaning(applied(from, patch ?? {}), to)).toBe(true);
			expect(mergeDiff(to, to)).toBeUndefined();
		}),
	);
});

test.each([
	["an absent field and an empty one", {}, { a: [] }, true],
	["null and an empty object", { a: null }, { a: {} }, true],
	["keys in another order", { a: 1, b: 2 }, { b: 2, a: 1 }, true],
	["zero and nothing", { a: 0 }, {}, false],
	["false and nothing", { a: false }, {}, false],
	["items in another order", [1, 2], [2, 1], false],
	["a list and an object", { a: [1] }, { a: { 0: 1 } }, false],
])("%s mean the same: %#", (_, a, b, expected) => {
	expect(sameMeaning(a, b)).toBe(expected);
});

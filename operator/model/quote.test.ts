import { quote, quoteUnlessName } from "./quote.ts";

test.each([
	["lab", "lab"],
	["lab-1.example", "lab-1.example"],
	["Lab", '"Lab"'],
	["", '""'],
	["a\nb", '"a\\nb"'],
	["x".repeat(300), `${"x".repeat(79)}…`],
	["X".repeat(300), `"${"X".repeat(79)}…"`],
])("the name %j is shown as %s", (name, shown) => {
	expect(quoteUnlessName(name)).toBe(shown);
});

test("what a user wrote is shown on one line of bearable length", () => {
	expect(quote("é\n\u2028")).toBe('"é\\n\\u2028"');
	expect(quote("y".repeat(81))).toBe(`"${"y".repeat(79)}…"`);
	expect(quote("y".repeat(80))).toBe(`"${"y".repeat(80)}"`);
});

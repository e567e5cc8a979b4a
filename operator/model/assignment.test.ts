import fc from "fast-check";
import { formatAssignment, parseAssignment } from "./assignment.ts";

describe("the record of an assignment", () => {
	it("reads back what it wrote", () => {
		fc.assert(
			fc.property(
				fc.record({
					addresses: fc.array(fc.ipV4(), { minLength: 1, maxLength: 2 }),
					class: fc.string({ minLength: 1 }),
					number: fc.nat().map(String),
				}),
				(assignment) => {
					expect(parseAssignment(formatAssignment(assignment))).toEqual(
						assignment,
					);
				},
			),
		);
	});

	it.each([
		"",
		"null",
		"[]",
		"{}",
		'{"addresses":[],"class":"a","number":"1"}',
		'{"addresses":["10.0.0.1"],"class":"a","number":1}',
		'{"addresses":["10.0.0.1"],"class":"a","number":"-1"}',
		'{"addresses":"10.0.0.1","class":"a","number":"1"}',
		'{"addresses":["10.0.0.1"],"number":"1"}',
	])("is none when somebody made it %s", (text) => {
		expect(parseAssignment(text)).toBeUndefined();
	});
});

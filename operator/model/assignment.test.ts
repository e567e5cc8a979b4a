import fc from "fast-check";
import { assignedCondition } from "../../test/support/assigned-condition.ts";
import type { Service } from "../api/core.ts";
import { annotations } from "../api/names.ts";
import {
	formatAssignment,
	parseAssignment,
	vouchedAssignmentOf,
} from "./assignment.ts";

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

test.each<[string, Service["status"], boolean]>([
	["nothing in status", undefined, false],
	["an empty one", {}, false],
	[
		"the condition naming all of its addresses",
		{ conditions: [assignedCondition("10.0.0.1", "2001:db8::1")] },
		true,
	],
	[
		"the condition naming more",
		{ conditions: [assignedCondition("10.0.0.1", "2001:db8::1", "10.0.0.2")] },
		true,
	],
	[
		"the condition naming one of two",
		{ conditions: [assignedCondition("10.0.0.1")] },
		false,
	],
	[
		"the condition naming an address that begins alike",
		{ conditions: [assignedCondition("10.0.0.11", "2001:db8::1")] },
		false,
	],
	[
		"the condition when it is false",
		{
			conditions: [
				{ ...assignedCondition("10.0.0.1", "2001:db8::1"), status: "False" },
			],
		},
		false,
	],
	[
		"another condition",
		{
			conditions: [
				{
					...assignedCondition("10.0.0.1", "2001:db8::1"),
					type: "example.com/AddressAssigned",
				},
			],
		},
		false,
	],
	[
		"ingress",
		{ loadBalancer: { ingress: [{ ip: "2001:db8::1" }, { ip: "10.0.0.1" }] } },
		true,
	],
	[
		"ingress of another address",
		{ loadBalancer: { ingress: [{ ip: "10.0.0.2" }] } },
		false,
	],
	[
		"ingress and the condition between them",
		{
			loadBalancer: { ingress: [{ ip: "2001:db8::1" }] },
			conditions: [assignedCondition("10.0.0.1")],
		},
		true,
	],
])("whether a record counts with %s", (_what, status, counts) => {
	const text = formatAssignment({
		addresses: ["10.0.0.1", "2001:db8::1"],
		class: "lan",
		pools: ["p", "p"],
		number: "1",
	});
	const record = vouchedAssignmentOf({
		metadata: { name: "web", annotations: { [annotations.assigned]: text } },
		spec: {},
		...(status ? { status } : {}),
	});
	expect(record !== undefined).toBe(counts);
});

import { NLMSG_HEADER, readAttributes } from "../netlink-message.ts";
import { addElements, deleteElements, type Element } from "./elements.ts";
import { numberWord } from "./keys.ts";

const table = { family: "IPv4", name: "fairlead" } as const;

function numbered(count: number, comment?: string): Element[] {
	return Array.from({ length: count }, (_, index) => ({
		key: numberWord(index),
		data: numberWord(index * 2),
		...(comment === undefined ? {} : { comment }),
	}));
}

/** The elements of a message, as attributes. */
function listed(body: Uint8Array): Buffer[] {
	const list = readAttributes(Buffer.from(body), 4).find(
		({ type }) => type === 3,
	);
	return list ? readAttributes(list.value).map(({ value }) => value) : [];
}

test("ten thousand elements are split into messages that a 16-bit length can describe, and none is lost", () => {
	const steps = addElements(
		table,
		"services",
		numbered(10_000, "default/web:http"),
	);
	const keys = steps.flatMap(({ message }) => {
		const list = readAttributes(Buffer.from(message.body), 4).find(
			({ type }) => type === 3,
		);
		expect((list?.value.length ?? 0) + 4).toBeLessThanOrEqual(0xffff);
		return listed(message.body).map((element) => {
			const key = readAttributes(element).find(({ type }) => type === 1);
			return key ? key.value.readUInt32LE(4) : -1;
		});
	});
	expect(keys).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
});

test("an element says what it maps to only where it is added", () => {
	const types = (steps: ReturnType<typeof addElements>) =>
		steps.flatMap(({ message }) =>
			listed(message.body).map((element) =>
				readAttributes(element).map(({ type }) => type),
			),
		);
	const elements = numbered(1, "default/web");
	expect(types(addElements(table, "services", elements))).toEqual([[1, 2, 6]]);
	expect(types(deleteElements(table, "services", elements))).toEqual([[1]]);
});

test("a comment of any length fits what the kernel takes, cut between characters", () => {
	const [step] = addElements(table, "services", numbered(1, "é".repeat(300)));
	const [element] = listed(step?.message.body ?? Buffer.alloc(0));
	const userData = readAttributes(element ?? Buffer.alloc(0)).find(
		({ type }) => type === 6,
	);
	expect(userData?.value.subarray(2).toString()).toBe(`${"é".repeat(63)}\0`);
	expect(userData?.value[1]).toBe(127);
});

test("the offset that the kernel stumbled at names the element", () => {
	const [step] = addElements(table, "services", [
		{ key: numberWord(1), comment: "default/first" },
		{ key: numberWord(2), comment: "default/second" },
		{ key: numberWord(3) },
	]);
	const body = Buffer.from(step?.message.body ?? Buffer.alloc(0));
	const offsets = listed(body).map(
		(element) => NLMSG_HEADER + body.indexOf(element) - 4,
	);
	expect(offsets.map((offset) => step?.elementAt?.(offset))).toEqual([
		"default/first",
		"default/second",
		"03000000",
	]);
	expect(step?.elementAt?.(7)).toBeUndefined();
});

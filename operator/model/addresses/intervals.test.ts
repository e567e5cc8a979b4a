import fc from "fast-check";
import {
	countAddresses,
	findInterval,
	type Interval,
	intersectIntervals,
	mergeIntervals,
	subtractIntervals,
} from "./intervals.ts";

const intervals = fc.array(
	fc.tuple(fc.nat(40), fc.nat(6)).map(([start, more]) => ({
		start: BigInt(start),
		end: BigInt(start + more),
	})),
	{ maxLength: 8 },
);

function members(list: readonly Interval[]): Set<bigint> {
	const values = new Set<bigint>();
	for (const { start, end } of list)
		for (let value = start; value <= end; value++) values.add(value);
	return values;
}

/** Ascending, disjoint, and with a gap between one and the next where `apart` says so. */
function expectOrdered(list: readonly Interval[], apart: bigint): void {
	for (const [index, { start, end }] of list.entries()) {
		expect(start <= end).toBe(true);
		const before = list[index - 1];
		if (before) expect(start > before.end + apart).toBe(true);
	}
}

test("merging keeps every address and leaves no two intervals that touch", () => {
	fc.assert(
		fc.property(intervals, (list) => {
			const merged = mergeIntervals(list);
			expect(members(merged)).toEqual(members(list));
			expectOrdered(merged, 1n);
			expect(countAddresses(merged)).toBe(BigInt(members(list).size));
		}),
	);
});

test("subtracting and intersecting are what they are for sets", () => {
	fc.assert(
		fc.property(intervals, intervals, (first, second) => {
			const [a, b] = [mergeIntervals(first), mergeIntervals(second)];
			const left = subtractIntervals(a, b);
			const both = intersectIntervals(a, b);
			expectOrdered(left, 0n);
			expectOrdered(both, 0n);
			expect(members(left)).toEqual(
				new Set([...members(a)].filter((value) => !members(b).has(value))),
			);
			expect(members(both)).toEqual(
				new Set([...members(a)].filter((value) => members(b).has(value))),
			);
		}),
	);
});

test("an address is found in the interval that holds it, and in none else", () => {
	fc.assert(
		fc.property(intervals, fc.nat(50), (list, value) => {
			const merged = mergeIntervals(list);
			const index = findInterval(merged, BigInt(value));
			expect(index >= 0).toBe(members(list).has(BigInt(value)));
			const found = merged[index];
			if (found)
				expect(found.start <= BigInt(value) && BigInt(value) <= found.end).toBe(
					true,
				);
		}),
	);
});

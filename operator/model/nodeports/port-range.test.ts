import fc from "fast-check";
import {
	commonRange,
	defaultNodePortRange,
	formatPortRange,
	inRange,
	type PortRange,
	parsePortRange,
	rangeSize,
	staticBand,
	withoutRanges,
} from "./port-range.ts";

const range = fc.tuple(fc.integer({ min: 1, max: 65_535 }), fc.nat(3_000)).map(
	([first, more]): PortRange => ({
		first,
		last: Math.min(first + more, 65_535),
	}),
);

test.each<[string, PortRange | undefined]>([
	["30000-30063", { first: 30_000, last: 30_063 }],
	["30000 - 30063", { first: 30_000, last: 30_063 }],
	["30000", { first: 30_000, last: 30_000 }],
	["1-65535", { first: 1, last: 65_535 }],
	["0-10", undefined],
	["30000-65536", undefined],
	["30001-30000", undefined],
	["030000", undefined],
	["30000-", undefined],
	["-30000", undefined],
	["30000-30001-30002", undefined],
	["30000,30001", undefined],
	["thirty", undefined],
	["", undefined],
])("%j reads as %j", (text, expected) => {
	expect(parsePortRange(text)).toEqual(expected);
});

test("a range written out reads back as itself", () => {
	fc.assert(
		fc.property(range, (each) => {
			expect(parsePortRange(formatPortRange(each))).toEqual(each);
		}),
	);
});

test.each<[string, PortRange, string | undefined]>([
	[
		"the default range has 86 static ports",
		defaultNodePortRange,
		"30000-30085",
	],
	["16 ports have none", { first: 1, last: 16 }, undefined],
	["17 ports have 16", { first: 1, last: 17 }, "1-16"],
	["4096 ports have 128", { first: 1, last: 4_096 }, "1-128"],
	["more ports have no more", { first: 1, last: 65_535 }, "1-128"],
])("%s", (_says, of, expected) => {
	const band = staticBand(of);
	expect(band && formatPortRange(band)).toBe(expected);
});

test("what is left without some ranges is exactly the ports in none of them", () => {
	fc.assert(
		fc.property(range, fc.array(range, { maxLength: 6 }), (whole, holes) => {
			const left = withoutRanges(whole, holes);
			for (const { first, last } of [whole, ...holes, ...left])
				for (const port of [first - 1, first, last, last + 1])
					expect(left.some((part) => inRange(part, port))).toBe(
						inRange(whole, port) && !holes.some((hole) => inRange(hole, port)),
					);
		}),
	);
});

test("what two ranges have in common is in both", () => {
	fc.assert(
		fc.property(range, range, (a, b) => {
			const common = commonRange(a, b);
			expect(common).toEqual(commonRange(b, a));
			const outside = rangeSize(a) - (common ? rangeSize(common) : 0);
			const rest = withoutRanges(a, [b]).reduce(
				(sum, part) => sum + rangeSize(part),
				0,
			);
			expect(rest).toBe(outside);
		}),
	);
});

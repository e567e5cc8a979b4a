import fc from "fast-check";
import { cidrRange, formatCidr, parsePoolEntry } from "../addresses/cidr.ts";
import { mergeIntervals } from "../addresses/intervals.ts";
import { bitsOf } from "../addresses/ip.ts";
import { cidrCover } from "./cidr-cover.ts";

const coverOf = (entry: string): string[] => {
	const range = parsePoolEntry(entry);
	if (!range.ok) throw new Error(range.reason);
	return cidrCover(range.value.family, range.value).map(formatCidr);
};

test.each<[string, string[]]>([
	["192.0.2.7-192.0.2.7", ["192.0.2.7/32"]],
	["192.0.2.0-192.0.2.255", ["192.0.2.0/24"]],
	[
		"192.0.2.10-192.0.2.20",
		["192.0.2.10/31", "192.0.2.12/30", "192.0.2.16/30", "192.0.2.20/32"],
	],
	["198.51.100.0/25", ["198.51.100.0/25"]],
	[
		"2001:db8::1-2001:db8::4",
		["2001:db8::1/128", "2001:db8::2/127", "2001:db8::4/128"],
	],
	["2001:db8::/64", ["2001:db8::/64"]],
])("the addresses %s are the CIDRs %j", (entry, cidrs) => {
	expect(coverOf(entry)).toEqual(cidrs);
});

test("all of a family is one CIDR", () => {
	expect(
		cidrCover("IPv6", { start: 0n, end: (1n << 128n) - 1n }).map(formatCidr),
	).toEqual(["::/0"]);
});

const intervals = fc
	.constantFrom("IPv4" as const, "IPv6" as const)
	.chain((family) =>
		fc
			.tuple(
				fc.bigInt(0n, (1n << BigInt(bitsOf[family])) - 1n),
				fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 1n << 64n)),
			)
			.map(([start, size]) => {
				const last = (1n << BigInt(bitsOf[family])) - 1n;
				const end = start + size > last ? last : start + size;
				return { family, start, end };
			}),
	);

test("a cover holds the addresses of its interval and no other, each once", () => {
	fc.assert(
		fc.property(intervals, ({ family, start, end }) => {
			const blocks = cidrCover(family, { start, end }).map(cidrRange);
			const size = blocks.reduce(
				(sum, each) => sum + each.end - each.start + 1n,
				0n,
			);
			expect(size).toBe(end - start + 1n);
			expect(mergeIntervals(blocks)).toEqual([
				expect.objectContaining({ start, end }),
			]);
		}),
	);
});

test("no two neighbours of a cover make one CIDR, so that it is minimal", () => {
	fc.assert(
		fc.property(intervals, ({ family, start, end }) => {
			const cover = cidrCover(family, { start, end });
			for (const [index, { value, prefixLength }] of cover.entries()) {
				const next = cover[index + 1];
				if (next?.prefixLength !== prefixLength) continue;
				const parent = BigInt(bitsOf[family] - prefixLength + 1);
				expect(value >> parent).not.toBe(next.value >> parent);
			}
		}),
	);
});

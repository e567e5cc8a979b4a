import { isIP } from "node:net";
import fc from "fast-check";
import { AddressPool } from "./address-pool.ts";
import {
	addressRange,
	canonicalAddress,
	canonicalCidr,
	contains,
	formatAddress,
	parseAddress,
} from "./address-range.ts";

describe("addresses as text", () => {
	test("every IPv4 and IPv6 address survives being read and written", () => {
		fc.assert(
			fc.property(
				fc.oneof(
					fc.record({
						family: fc.constant(4 as const),
						value: fc.bigInt(0n, (1n << 32n) - 1n),
					}),
					fc.record({
						family: fc.constant(6 as const),
						value: fc.bigInt(0n, (1n << 128n) - 1n),
					}),
					// Mostly zeros, so that :: is met in every place.
					fc.record({
						family: fc.constant(6 as const),
						value: fc
							.array(fc.constantFrom(0n, 0n, 0n, 1n, 0xffffn), {
								minLength: 8,
								maxLength: 8,
							})
							.map((groups) =>
								groups.reduce<bigint>((sum, group) => (sum << 16n) + group, 0n),
							),
					}),
				),
				({ family, value }) => {
					const text = formatAddress(value, family);
					expect(isIP(text)).toBe(family);
					expect(parseAddress(text)).toBe(value);
				},
			),
		);
	});

	test.each([
		["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
		["0:0:0:0:0:0:0:0", "::"],
		["::ffff:192.0.2.1", "::ffff:c000:201"],
		["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
		["192.0.2.1", "192.0.2.1"],
		["192.0.2.256", undefined],
		["", undefined],
	])("%s is written %s", (given, canonical) => {
		expect(canonicalAddress(given)).toBe(canonical);
	});
});

test.each([
	["10.1.2.3/8", "10.0.0.0/8"],
	["0.0.0.0/0", "0.0.0.0/0"],
	["2001:DB8:0:1::5/48", "2001:db8::/48"],
	["192.0.2.1/32", "192.0.2.1/32"],
	["10.0.0.0/33", undefined],
	["10.0.0.0", undefined],
	["10.0.0/8", undefined],
	["::/129", undefined],
])("the CIDR %s is written %s", (given, canonical) => {
	expect(canonicalCidr(given)).toBe(canonical);
});

describe("a range", () => {
	test.each([
		"203.0.113.0",
		"203.0.113.0/31",
		"203.0.113.0/0",
		"x/24",
		"203.0.113.0/24/3",
		"::/127",
		"",
	])("%j is refused by name", (cidr) => {
		expect(() => addressRange(cidr)).toThrow(JSON.stringify(cidr));
	});

	test("contains what it gives out and nothing else", () => {
		const range = addressRange("203.0.113.0/30");
		expect(
			[
				"203.0.113.0",
				"203.0.113.1",
				"203.0.113.2",
				"203.0.113.3",
				"::1",
			].filter((a) => contains(range, a)),
		).toEqual(["203.0.113.1", "203.0.113.2"]);
	});
});

describe("a pool", () => {
	test("gives the lowest free address whatever was taken and released before", () => {
		fc.assert(
			fc.property(
				fc.array(fc.oneof(fc.constant("take" as const), fc.nat(13))),
				(steps) => {
					const pool = new AddressPool(addressRange("203.0.113.0/28"));
					const used = new Set<number>();
					for (const step of steps) {
						const lowest = Array.from({ length: 14 }, (_, i) => i + 1).find(
							(n) => !used.has(n),
						);
						expect(pool.lowestFree()).toBe(
							lowest === undefined ? undefined : `203.0.113.${lowest}`,
						);
						if (step !== "take") {
							used.delete(step + 1);
							pool.release(`203.0.113.${step + 1}`);
						} else if (lowest !== undefined) {
							used.add(lowest);
							pool.take(`203.0.113.${lowest}`);
						}
					}
				},
			),
		);
	});

	test("of /64 networks steps from network to network", () => {
		const pool = new AddressPool(addressRange("2001:db8:5e::/48", 1n << 64n));
		pool.take("2001:db8:5e::");
		expect(pool.lowestFree()).toBe("2001:db8:5e:1::");
	});
});

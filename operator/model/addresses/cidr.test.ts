import { BlockList } from "node:net";
import fc from "fast-check";
import {
	canonicalSourceRanges,
	cidrRange,
	formatCidr,
	formatRange,
	parseCidr,
	parsePoolEntry,
	rangeContains,
} from "./cidr.ts";
import { formatIp, type IpAddress, parseIp } from "./ip.ts";

const address = fc.oneof(
	fc.record({
		family: fc.constant("IPv4" as const),
		value: fc.bigInt({ min: 0n, max: 0xffffffffn }),
	}),
	fc.record({
		family: fc.constant("IPv6" as const),
		value: fc.bigInt({ min: 1n << 100n, max: (1n << 128n) - 1n }),
	}),
);

/** Two addresses of one family that are often close to each other. */
const neighbours = fc
	.tuple(address, fc.nat(128), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }))
	.map(([first, length, noise]): [IpAddress, IpAddress, number] => {
		const bits = first.family === "IPv4" ? 32 : 128;
		const prefixLength = Math.min(length, bits);
		const mask = (1n << BigInt(bits - prefixLength)) - 1n;
		return [
			first,
			{ family: first.family, value: first.value ^ (noise & mask) },
			prefixLength,
		];
	});

test("a CIDR holds exactly the addresses Node says it holds", () => {
	fc.assert(
		fc.property(neighbours, address, ([inside, other, length], far) => {
			const text = `${formatIp(inside)}/${length}`;
			const cidr = parseCidr(text);
			if (!cidr.ok) throw new Error(cidr.reason);
			const list = new BlockList();
			const family = inside.family === "IPv4" ? "ipv4" : "ipv6";
			list.addSubnet(formatIp(inside), length, family);
			const range = cidrRange(cidr.value);
			expect(rangeContains(range, inside)).toBe(true);
			expect(rangeContains(range, other)).toBe(true);
			expect(rangeContains(range, far)).toBe(
				far.family === inside.family && list.check(formatIp(far), family),
			);
			expect(parseCidr(formatCidr(cidr.value))).toEqual(cidr);
		}),
	);
});

test("a range is read back as it was written, with its ends in order", () => {
	fc.assert(
		fc.property(neighbours, ([a, b]) => {
			const text = `${formatIp(a)} - ${formatIp(b)}`;
			const range = parsePoolEntry(text);
			fc.pre(range.ok || !range.reason.includes("no balancer can have"));
			expect(range.ok).toBe(a.value <= b.value);
			if (range.ok && a.value < b.value)
				expect(formatRange(range.value)).toBe(text.replaceAll(" ", ""));
		}),
	);
});

test.each([
	["10.0.0.0/24", "10.0.0.0-10.0.0.255"],
	[" 10.0.0.7/32 ", "10.0.0.7"],
	["10.0.0.1-10.0.0.1", "10.0.0.1"],
	["10.0.0.1 -\t10.0.0.9", "10.0.0.1-10.0.0.9"],
	["2001:DB8::/126", "2001:db8::-2001:db8::3"],
	["2001:db8::a-2001:db8::1:0", "2001:db8::a-2001:db8::1:0"],
])("the pool entry %j stands for %s", (text, range) => {
	const entry = parsePoolEntry(text);
	expect(entry.ok && formatRange(entry.value)).toBe(range);
});

test.each([
	["", "it is empty"],
	["10.0.0.1", "one address is written 10.0.0.1/32"],
	["2001:db8::1", "one address is written 2001:db8::1/128"],
	["10.0.0.5/24", "write 10.0.0.0/24 for the network, or 10.0.0.5/32"],
	["10.0.0.0/33", "prefix length of IPv4 is 0 to 32"],
	["10.0.0.0/+8", "prefix length"],
	["10.0.0.0/08", "prefix length"],
	["10.0.0.0/", "prefix length"],
	["10.0.0.9-10.0.0.1", "swap them"],
	["10.0.0.1-2001:db8::1", "different families"],
	["10.0.0.1-10.0.0.2-10.0.0.3", "not an address range"],
	["127.0.0.1/32", "loopback addresses (127.0.0.0-127.255.255.255)"],
	["192.0.0.0-240.0.0.1", "multicast addresses"],
	["0.0.0.0/0", "which no balancer can have"],
	["::/0", "which no balancer can have"],
	["fe80::/64", "link-local addresses"],
	["ff02::1/128", "multicast addresses"],
])("the pool entry %j is refused: %s", (text, why) => {
	expect(parsePoolEntry(text)).toEqual({
		ok: false,
		reason: expect.stringContaining(why),
	});
});

const open = { open: true, cidrs: [] };
const only = (...cidrs: string[]) => ({ open: false, cidrs });

test.each([
	["nothing", [], open, open],
	[
		"one IPv4 range, which leaves IPv6 open",
		["10.0.0.0/8"],
		only("10.0.0.0/8"),
		open,
	],
	[
		"padded ranges",
		[" 10.0.0.0/8", "\t2001:db8::/32 "],
		only("10.0.0.0/8"),
		only("2001:db8::/32"),
	],
	["a range with host bits", ["10.1.2.3/8"], only("10.0.0.0/8"), open],
	[
		"the same range in two spellings",
		["2001:DB8::1/32", "2001:db8::/32"],
		open,
		only("2001:db8::/32"),
	],
	[
		"ranges out of order",
		["10.2.0.0/16", "10.1.0.0/16", "10.1.0.0/24"],
		only("10.1.0.0/16", "10.1.0.0/24", "10.2.0.0/16"),
		open,
	],
	["a /0 beside another range", ["10.0.0.0/8", "0.0.0.0/0"], open, open],
	["a /0 of one family only", ["::/0", "10.0.0.0/8"], only("10.0.0.0/8"), open],
	[
		"an unreadable value, which opens nothing",
		["10.0.0.0/8", "house"],
		only("10.0.0.0/8"),
		only(),
	],
])("source ranges with %s", (_what, loadBalancerSourceRanges, IPv4, IPv6) => {
	expect(canonicalSourceRanges({ loadBalancerSourceRanges })).toMatchObject({
		IPv4,
		IPv6,
	});
});

test("the field of source ranges wins over the annotation, which counts when the field is empty", () => {
	const annotation = {
		"service.beta.kubernetes.io/load-balancer-source-ranges":
			" 10.0.0.0/8, 192.0.2.0/24",
	};
	expect(canonicalSourceRanges({}, annotation).IPv4.cidrs).toEqual([
		"10.0.0.0/8",
		"192.0.2.0/24",
	]);
	const both = canonicalSourceRanges(
		{ loadBalancerSourceRanges: ["172.16.0.0/12"] },
		annotation,
	);
	expect(both.IPv4.cidrs).toEqual(["172.16.0.0/12"]);
});

test("the whole of IPv4 is one range of 2^32 addresses", () => {
	const all = parseCidr("0.0.0.0/0");
	const last = parseIp("255.255.255.255");
	if (!all.ok || !last.ok) throw new Error("not read");
	expect(cidrRange(all.value)).toEqual({
		family: "IPv4",
		start: 0n,
		end: last.value.value,
	});
});

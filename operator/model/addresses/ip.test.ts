import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import type { IPFamily } from "../../api/core.ts";
import { compareIp, formatIp, type IpAddress, parseIp } from "./ip.ts";

const of = (family: IPFamily) => (value: bigint) => ({ family, value });
const ipv4: fc.Arbitrary<IpAddress> = fc
	.bigInt({ min: 0n, max: 0xffffffffn })
	.map(of("IPv4"));
const ipv6: fc.Arbitrary<IpAddress> = fc
	.oneof(
		fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
		// Groups that are often zero, so that :: has something to choose from.
		fc
			.array(fc.constantFrom(0n, 0n, 1n, 0xdb8n, 0xffffn), {
				minLength: 8,
				maxLength: 8,
			})
			.map((groups) =>
				groups.reduce<bigint>((sum, group) => (sum << 16n) + group, 0n),
			),
	)
	.filter((value) => value >> 32n !== 0xffffn)
	.map(of("IPv6"));

test("every address is read back as it was written, and Node agrees on what it is", () => {
	fc.assert(
		fc.property(fc.oneof(ipv4, ipv6), (address) => {
			const text = formatIp(address);
			expect(parseIp(text)).toEqual({ ok: true, value: address });
			expect(isIP(text)).toBe(address.family === "IPv4" ? 4 : 6);
			const list = new BlockList();
			const family = address.family === "IPv4" ? "ipv4" : "ipv6";
			list.addAddress(text, family);
			expect(list.check(text, family)).toBe(true);
		}),
	);
});

test("IPv6 is written as URLs write it, which is RFC 5952", () => {
	fc.assert(
		fc.property(ipv6, (address) => {
			const text = formatIp(address);
			expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`);
		}),
	);
});

test("every spelling Node takes for an IPv6 address is read, and as the same address", () => {
	const spelling = fc
		.tuple(
			fc.array(fc.stringMatching(/^[0-9a-fA-F]{1,4}$/), { maxLength: 9 }),
			fc.nat(9),
			fc.boolean(),
			fc.boolean(),
		)
		.map(([groups, at, compress, tail]) => {
			const all = tail ? [...groups, "192.0.2.7"] : groups;
			return compress
				? `${all.slice(0, at).join(":")}::${all.slice(at).join(":")}`
				: all.join(":");
		});
	fc.assert(
		fc.property(spelling, (text) => {
			const read = parseIp(text);
			fc.pre(!(!read.ok && read.reason.includes("IPv4-mapped")));
			// URL takes :: for no group at all, which nobody else does; net.isIP says what an address is.
			expect(read.ok).toBe(isIP(text) !== 0);
			if (read.ok && text.includes(":"))
				expect(`[${formatIp(read.value)}]`).toBe(
					new URL(`http://[${text}]/`).hostname,
				);
		}),
		{ numRuns: 500 },
	);
});

test("text that is no address is refused, whatever it is", () => {
	fc.assert(
		fc.property(fc.string(), (text) => {
			fc.pre(isIP(text) === 0);
			const read = parseIp(text);
			expect(read).toMatchObject({
				ok: false,
				reason: expect.stringContaining(JSON.stringify(text)),
			});
		}),
	);
});

test.each([
	["", "it is empty"],
	["10.0.0", "four numbers"],
	["10.0.0.0.1", "four numbers"],
	["010.0.0.1", "010 has a leading zero"],
	["10.0.0.256", "256 is greater than 255"],
	["10.0.0.-1", '"-1" is not a number'],
	["10.0.0.1 ", '"1 " is not a number'],
	["::ffff:192.0.2.1", "IPv4-mapped IPv6 address; write 192.0.2.1"],
	["::ffff:c000:201", "IPv4-mapped IPv6 address; write 192.0.2.1"],
	["fe80::1%eth0", "zone"],
	["1::2::3", ":: more than once"],
	["1:2:3:4:5:6:7:8:9", "eight groups, this has 9"],
	["1:2:3:4:5:6:7::8", "nothing for :: to stand for"],
	["12345::", '"12345" is not a group'],
	["::1.2.3.04", "04 has a leading zero"],
	["1:", "eight groups, this has 2"],
	[":::", '"" is not a group'],
])("%j is refused: %s", (text, why) => {
	expect(parseIp(text)).toEqual({
		ok: false,
		reason: expect.stringContaining(why),
	});
});

test("IPv4 comes before IPv6, and each is ordered by value", () => {
	fc.assert(
		fc.property(fc.oneof(ipv4, ipv6), fc.oneof(ipv4, ipv6), (a, b) => {
			const rank = ({ family, value }: IpAddress) =>
				(family === "IPv6" ? 1n << 129n : 0n) + value;
			expect(Math.sign(compareIp(a, b))).toBe(
				rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0,
			);
		}),
	);
});

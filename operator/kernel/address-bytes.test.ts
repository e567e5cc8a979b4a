import fc from "fast-check";
import { addressBytes, addressText } from "./address-bytes.ts";

test.each([
	["172.30.1.1", "ac1e0101"],
	["0.0.0.0", "00000000"],
	["::", "00000000000000000000000000000000"],
	["2001:db8:fa1::1", "20010db80fa100000000000000000001"],
	["fe80::ffff:1", "fe8000000000000000000000ffff0001"],
])("%s is written in network order and read back", (address, hex) => {
	expect(addressBytes(address).toString("hex")).toBe(hex);
	expect(addressText(Buffer.from(hex, "hex"))).toBe(address);
});

test("every address of either family is read back as it was written", () => {
	const anyBytes = fc.oneof(
		fc.uint8Array({ minLength: 4, maxLength: 4 }),
		fc.uint8Array({ minLength: 16, maxLength: 16 }),
	);
	fc.assert(
		fc.property(anyBytes, (bytes) => {
			// An IPv4 address in IPv6's clothes is refused: see parseIp.
			fc.pre(!/^0{20}f{4}.{8}$/.test(Buffer.from(bytes).toString("hex")));
			expect(Uint8Array.from(addressBytes(addressText(bytes)))).toEqual(bytes);
		}),
	);
});

test.each(["", "localhost", "172.30.1", "fe80::1%eth0", "10.0.0.0/8"])(
	"%j is refused by its name",
	(text) => {
		expect(() => addressBytes(text)).toThrow(
			`${JSON.stringify(text)} is not an IP address`,
		);
	},
);

import fc from "fast-check";
import { endpointData, prefixMask, serviceKey, slotKey } from "./keys.ts";

test("every part of a key fills whole words, numbers of the wire in network order", () => {
	const service = { address: "10.96.0.10", protocol: "UDP", port: 53 } as const;
	expect(serviceKey(service).toString("hex")).toBe("0a60000a1100000000350000");
	expect(
		serviceKey({ ...service, address: "2001:db8::a" }).toString("hex"),
	).toBe("20010db800000000000000000000000a1100000000350000");
	expect(
		endpointData({ address: "10.244.1.2", port: 8080 }).toString("hex"),
	).toBe("0af401021f900000");
});

test("a slot is a number in the machine's order, as numgen draws it", () => {
	expect(slotKey(Buffer.from("0a60000a", "hex"), 258).toString("hex")).toBe(
		"0a60000a02010000",
	);
});

test("a mask keeps as many bits as the prefix is long", () => {
	fc.assert(
		fc.property(
			fc.constantFrom("IPv4", "IPv6"),
			fc.nat({ max: 128 }),
			(family, drawn) => {
				const bits = family === "IPv4" ? 32 : 128;
				const length = Math.min(drawn, bits);
				const mask = BigInt(`0x${prefixMask(family, length).toString("hex")}`);
				expect(mask.toString(2).padStart(bits, "0")).toBe(
					"1".repeat(length) + "0".repeat(bits - length),
				);
			},
		),
	);
});

import fc from "fast-check";
import {
	attributeMap,
	be32,
	be64,
	bytes,
	decodeMessages,
	encodeMessages,
	flag,
	NLM_F_REQUEST,
	nested,
	netlinkMessage,
	readAttributes,
	readText,
	readVerdict,
	text,
	u32,
	u8,
} from "./netlink-message.ts";

test.each([
	["a byte", u8(1, 0xab), "05000100ab000000"],
	["a 32-bit number", u32(3, 0x12345678), "0800030078563412"],
	["a negative number as its unsigned twin", u32(3, -1), "08000300ffffffff"],
	["a 32-bit number in network order", be32(3, 0x12345678), "0800030012345678"],
	["a 64-bit number in network order", be64(4, 1n), "0c0004000000000000000001"],
	["text with its NUL, padded", text(5, "eth0"), "090005006574683000000000"],
	["a flag", flag(6), "04000600"],
	[
		"attributes within an attribute",
		nested(7, [u8(1, 1), flag(2)]),
		"100007800500010001000000" + "04000200",
	],
])("%s is encoded as the kernel reads it", (_what, attribute, hex) => {
	expect(attribute.toString("hex")).toBe(hex);
});

test("attributes of any types and lengths are read as they were written", () => {
	const anyAttribute = fc.record({
		type: fc.nat({ max: 0x3fff }),
		value: fc.uint8Array({ maxLength: 40 }),
	});
	fc.assert(
		fc.property(
			fc.array(anyAttribute),
			fc.uint8Array({ maxLength: 12 }),
			(attributes, header) => {
				const body = Buffer.concat([
					header,
					...attributes.map(({ type, value }) => bytes(type, value)),
				]);
				expect(
					readAttributes(body, header.length).map(({ type, value }) => ({
						type,
						value: Uint8Array.from(value),
					})),
				).toEqual(
					attributes.map(({ type, value }) => ({
						type,
						value: Uint8Array.from(value),
					})),
				);
			},
		),
	);
});

test("messages of one datagram are numbered and read back", () => {
	const datagram = encodeMessages(
		[
			netlinkMessage(16, 0x400, Buffer.alloc(4), [text(3, "fairlead0")]),
			netlinkMessage(17, 0, Buffer.from([1, 2, 3])),
			netlinkMessage(18, 0, Buffer.alloc(0)),
		],
		41,
	);
	const read = decodeMessages(datagram);
	expect(
		read.map(({ type, flags, sequence }) => [type, flags, sequence]),
	).toEqual([
		[16, 0x400 | NLM_F_REQUEST, 41],
		[17, NLM_F_REQUEST, 42],
		[18, NLM_F_REQUEST, 43],
	]);
	const name = attributeMap(read[0]?.body ?? Buffer.alloc(0), 4).get(3);
	expect(readText(name ?? Buffer.alloc(0))).toBe("fairlead0");
});

test("bytes that are cut short end the reading and throw nothing", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
			for (const { body } of decodeMessages(Buffer.from(noise)))
				readAttributes(body);
		}),
	);
});

test("a refusal gives the kernel's words and where in the message it stumbled", () => {
	const quotedHeader = Buffer.alloc(16);
	const body = Buffer.concat([
		Buffer.from([0xea, 0xff, 0xff, 0xff]),
		quotedHeader,
		text(1, "No such chain"),
		u32(2, 60),
	]);
	expect(
		readVerdict({ type: 2, flags: 0x300, sequence: 7, portId: 1, body }),
	).toEqual({ sequence: 7, errno: 22, text: "No such chain", offset: 60 });
});

import fc from "fast-check";
import {
	type DnsRecord,
	flagBits,
	type Message,
	type RecordData,
	types,
} from "../../operator/dns/message.ts";
import { foldName } from "../../operator/dns/names.ts";

/** A query as a stub resolver sends it. */
export function query(
	name: string,
	type: number,
	more: Partial<Message> = {},
): Message {
	return {
		id: 0x1234,
		flags: flagBits.recursionDesired,
		rcode: 0,
		question: { name, type, class: 1 },
		answers: [],
		authorities: [],
		additionals: [],
		...more,
	};
}

const plainLabel = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);

/** Names of few labels out of few, so that they share endings. */
export const plainNames = fc
	.array(
		fc.oneof(fc.constantFrom("svc", "cluster", "local", "WEB"), plainLabel),
		{
			minLength: 1,
			maxLength: 5,
		},
	)
	.map((labels) => labels.join("."));

const anyLabel = fc
	.uint8Array({ minLength: 1, maxLength: 20 })
	.map((bytes) =>
		[...bytes]
			.map((byte) =>
				/[A-Za-z0-9_-]/.test(String.fromCharCode(byte))
					? String.fromCharCode(byte)
					: `.\\"();@$`.includes(String.fromCharCode(byte))
						? `\\${String.fromCharCode(byte)}`
						: byte > 32 && byte < 127
							? String.fromCharCode(byte)
							: `\\${String(byte).padStart(3, "0")}`,
			)
			.join(""),
	);
export const anyNames = fc.oneof(
	fc.constant("."),
	plainNames,
	fc
		.array(anyLabel, { minLength: 1, maxLength: 5 })
		.map((all) => all.join(".")),
);

const u16 = fc.integer({ min: 0, max: 65_535 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const dataOf = (names: fc.Arbitrary<string>): fc.Arbitrary<RecordData> =>
	fc.oneof(
		fc
			.uint8Array({ minLength: 4, maxLength: 4 })
			.map((address) => ({ type: types.A, address })),
		fc
			.uint8Array({ minLength: 16, maxLength: 16 })
			.map((address) => ({ type: types.AAAA, address })),
		fc.record({
			type: fc.constantFrom(types.NS, types.CNAME, types.PTR),
			name: names,
		}),
		fc.record({ type: fc.constant(types.MX), preference: u16, name: names }),
		fc.record({
			type: fc.constant(types.SRV),
			priority: u16,
			weight: u16,
			port: u16,
			name: names,
		}),
		fc.record({
			type: fc.constant(types.SOA),
			primary: names,
			mailbox: names,
			serial: u32,
			refresh: u32,
			retry: u32,
			expire: u32,
			minimum: u32,
		}),
		fc.record({
			type: fc.constantFrom(13, 65, 257, 65_280),
			raw: fc.uint8Array({ maxLength: 40 }),
		}),
	);

export const recordsOf = (
	names: fc.Arbitrary<string>,
	maxLength = 8,
): fc.Arbitrary<DnsRecord[]> =>
	fc.array(fc.record({ name: names, ttl: u32, data: dataOf(names) }), {
		maxLength,
	});

export const messagesOf = (
	names: fc.Arbitrary<string>,
): fc.Arbitrary<Message> =>
	fc.record(
		{
			id: u16,
			flags: u16.map(
				(bits) => bits & ~(flagBits.rcode | flagBits.truncated | 0x40),
			),
			rcode: fc.integer({ min: 0, max: 15 }),
			question: fc.record({ name: names, type: u16, class: u16 }),
			answers: recordsOf(names),
			authorities: recordsOf(names, 3),
			additionals: recordsOf(names, 5),
			edns: fc.record({
				udpSize: u16,
				version: fc.integer({ min: 0, max: 255 }),
				dnssec: fc.boolean(),
			}),
		},
		{
			requiredKeys: [
				"id",
				"flags",
				"rcode",
				"question",
				"answers",
				"authorities",
				"additionals",
			],
		},
	);

/** The same message with every name in lower case: compression may change the case of what it shares. */
export function folded<T>(value: T): T {
	return JSON.parse(
		JSON.stringify(value, (key, part: unknown) => {
			if (part instanceof Uint8Array) return [...part];
			const isName = ["name", "primary", "mailbox"].includes(key);
			return isName && typeof part === "string" ? foldName(part) : part;
		}),
	) as T;
}

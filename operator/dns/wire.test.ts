import packet from "dns-packet";
import fc from "fast-check";
import { decodeMessage, readHeader } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { type DnsRecord, flagBits, types } from "./message.ts";
import { MalformedMessage, relativeTo } from "./names.ts";
import {
	anyNames,
	folded,
	messagesOf,
	plainNames,
	query,
	recordsOf,
} from "../../test/support/dns-messages.ts";

const whole = 65_535;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a DNS message", () => {
	it("reads as what was written, whatever bytes its names have", () => {
		fc.assert(
			fc.property(messagesOf(anyNames), (message) => {
				expect(folded(decodeMessage(encodeMessage(message, whole)))).toEqual(
					folded(message),
				);
			}),
		);
	});

	it("echoes the case of the question exactly", () => {
		fc.assert(
			fc.property(plainNames, (name) => {
				const bytes = encodeMessage(query(name, types.A), whole);
				expect(decodeMessage(bytes).question.name).toBe(name);
			}),
		);
	});

	it("is read alike by another implementation", () => {
		fc.assert(
			fc.property(plainNames, recordsOf(plainNames), (name, answers) => {
				const known = answers.filter(({ data }) => !("raw" in data));
				const bytes = encodeMessage(
					query(name, types.SRV, { answers: known }),
					whole,
				);
				const read = packet.decode(bytes) as unknown as {
					questions: { name: string }[];
					answers: { name: string; ttl: number; type: string }[];
				};
				expect(read.questions[0]?.name).toBe(name);
				expect(
					read.answers.map((a) => [a.name.toLowerCase(), a.ttl, a.type]),
				).toEqual(known.map((r) => [r.name.toLowerCase(), r.ttl, typeName(r)]));
			}),
		);
	});

	it("of another implementation is read for what it says", () => {
		const bytes = packet.encode({
			type: "response",
			id: 7,
			flags: packet.RECURSION_DESIRED,
			questions: [{ type: "SRV", name: "_http._tcp.Web.example" }],
			answers: [
				{
					type: "SRV",
					name: "_http._tcp.Web.example",
					ttl: 5,
					data: { priority: 1, weight: 2, port: 80, target: "a.example" },
				},
				{ type: "A", name: "a.example", ttl: 6, data: "192.0.2.1" },
			],
			additionals: [
				{
					type: "OPT",
					name: ".",
					udpPayloadSize: 4096,
					flags: packet.DNSSEC_OK,
					extendedRcode: 0,
					ednsVersion: 0,
					options: [],
				} as never,
			],
		});
		expect(decodeMessage(bytes)).toEqual({
			id: 7,
			flags: flagBits.response | flagBits.recursionDesired,
			rcode: 0,
			question: { name: "_http._tcp.Web.example", type: types.SRV, class: 1 },
			answers: [
				{
					name: "_http._tcp.Web.example",
					ttl: 5,
					data: {
						type: types.SRV,
						priority: 1,
						weight: 2,
						port: 80,
						name: "a.example",
					},
				},
				{
					name: "a.example",
					ttl: 6,
					data: { type: types.A, address: new Uint8Array([192, 0, 2, 1]) },
				},
			],
			authorities: [],
			additionals: [],
			edns: { udpSize: 4096, version: 0, dnssec: true },
		});
	});

	it("shares the endings of names, but never in the target of a SRV record", () => {
		const name = "web.shop.svc.cluster.local";
		const bytes = encodeMessage(
			query(`_http._tcp.${name}`, types.SRV, {
				answers: [
					{
						name: `_http._tcp.${name}`,
						ttl: 5,
						data: { type: types.SRV, priority: 0, weight: 1, port: 80, name },
					},
				],
				additionals: [
					{
						name,
						ttl: 5,
						data: { type: types.A, address: new Uint8Array([10, 96, 0, 1]) },
					},
				],
			}),
			whole,
		);
		const question = 12 + name.length + 2 + "_http._tcp.".length + 4;
		const srv = 2 + 10 + 6 + name.length + 2;
		expect(bytes).toHaveLength(question + srv + 2 + 10 + 4);
	});

	it("writes texts with their lengths", () => {
		const bytes = encodeMessage(
			query("dns-version.cluster.local", types.TXT, {
				answers: [
					{
						name: "dns-version.cluster.local",
						ttl: 5,
						data: { type: types.TXT, texts: ["1.1.0", ""] },
					},
				],
			}),
			whole,
		);
		expect(bytes.subarray(-7)).toEqual(Buffer.from("\x051.1.0\x00", "latin1"));
	});

	it("never takes more room than it has, says when answers were left out, and keeps the first of them", () => {
		fc.assert(
			fc.property(
				messagesOf(plainNames),
				fc.integer({ min: 300, max: 1232 }),
				(message, limit) => {
					const bytes = encodeMessage(message, limit);
					expect(bytes.length).toBeLessThanOrEqual(limit);
					const kept = folded(decodeMessage(bytes));
					const given = folded(message);
					const left =
						kept.answers.length < given.answers.length ||
						kept.authorities.length < given.authorities.length;
					expect((kept.flags & flagBits.truncated) !== 0).toBe(left);
					expect(given.answers.slice(0, kept.answers.length)).toEqual(
						kept.answers,
					);
					expect(given.additionals.slice(0, kept.additionals.length)).toEqual(
						kept.additionals,
					);
					expect(kept.edns).toEqual(given.edns);
				},
			),
		);
	});

	it("is read or refused, whatever the bytes", () => {
		const readOrRefuse = (bytes: Uint8Array) => {
			try {
				decodeMessage(bytes);
			} catch (error) {
				if (!(error instanceof MalformedMessage)) throw error;
			}
		};
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
				readHeader(bytes);
				readOrRefuse(bytes);
			}),
			{ numRuns: 2000 },
		);
		fc.assert(
			fc.property(
				messagesOf(plainNames),
				fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
					minLength: 1,
					maxLength: 4,
				}),
				(message, changes) => {
					const bytes = encodeMessage(message, whole);
					for (const [at, value] of changes) bytes[at % bytes.length] = value;
					readOrRefuse(bytes);
				},
			),
			{ numRuns: 2000 },
		);
	});

	it.each<[string, string]>([
		["shorter than a header", "1234"],
		["with no question", "123401000000000000000000"],
		["with two questions", "12340100000200000000000000000100010000010001"],
		["cut off in its question", "12340100000100000000000003776562"],
		["whose name points at itself", "123401000001000000000000c00c00010001"],
		["whose name points ahead", "123401000001000000000000c01000010001"],
		["with an unknown kind of label", "1234010000010000000000004100010001"],
		[
			"with two OPT records",
			"12340100000100000000000203776562000001000100002904d000000000000000002904d0000000000000",
		],
		[
			"with a name of more than 255 bytes",
			`123401000001000000000000${`3f${"61".repeat(63)}`.repeat(4)}0000010001`,
		],
	])("%s is refused", (_what, text) => {
		expect(() => decodeMessage(Buffer.from(text, "hex"))).toThrow(
			MalformedMessage,
		);
	});

	it("escapes what is no plain character, so that a dot in a label ends no label", () => {
		const bytes = Buffer.from(
			"123401000001000000000000" + "03612e62" + "02ff5c" + "0000010001",
			"hex",
		);
		const { name } = decodeMessage(bytes).question;
		expect(name).toBe("a\\.b.\\255\\\\");
		expect(hex(encodeMessage(query(name, 1), whole))).toContain(
			"03612e6202ff5c00",
		);
	});
});

describe("a name within a zone", () => {
	it.each<[string, string, string | undefined]>([
		["web.cluster.local", "cluster.local", "web"],
		["cluster.local", "cluster.local", ""],
		["mycluster.local", "cluster.local", undefined],
		["local", "cluster.local", undefined],
		["a\\.cluster.local", "cluster.local", undefined],
		["a\\\\.cluster.local", "cluster.local", "a\\\\"],
	])("%s in %s is %j", (name, zone, relative) => {
		expect(relativeTo(name, zone)).toBe(relative);
	});
});

function typeName({ data }: DnsRecord): string | undefined {
	return Object.entries(types).find(([, number]) => number === data.type)?.[0];
}

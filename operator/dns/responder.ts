import { type Answer, answerFrom } from "./answer.ts";
import { decodeMessage, readHeader } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { classIn, flagBits, type Message, rcodes, types } from "./message.ts";
import type { DnsMetrics } from "./metrics.ts";
import { foldName, MalformedMessage, relativeTo } from "./names.ts";
import type { Upstreams } from "./upstreams.ts";
import type { Zone } from "./zone.ts";

export type Transport = "udp" | "tcp";

export interface ResponderOptions {
	zones: readonly Zone[];
	upstreams: Upstreams | undefined;
	/** In [0, 1). */
	random: () => number;
	/** False while the zones are not complete: their names are then answered with SERVFAIL. */
	isComplete: () => boolean;
	metrics: Pick<DnsMetrics, "responded" | "dropped">;
}

/** The bytes to send back; undefined when nothing may be said. */
export type Respond = (
	bytes: Buffer,
	transport: Transport,
) => Buffer | undefined | Promise<Buffer | undefined>;

/** What passes every network unfragmented (DNS flag day 2020). */
const udpSize = 1232;
/** What a client takes that says nothing (RFC 1035 section 2.3.4). */
const plainUdpSize = 512;
const tcpSize = 65_535;

const rcodeNames = new Map<number, string>(
	Object.entries(rcodes).map(([name, number]) => [number, name]),
);

/**
 * Turns a query into a response. Packets that are no queries are dropped, broken ones answered FORMERR, so that two
 * servers can never throw errors at each other without end.
 */
export function createResponder(options: ResponderOptions): Respond {
	const { zones, upstreams, random, isComplete, metrics } = options;
	return (bytes, transport) => {
		const header = readHeader(bytes);
		if (!header) return drop("short");
		if (header.flags & flagBits.response) return drop("response");
		if (header.flags & flagBits.opcode) return bare(bytes, rcodes.NOTIMP);
		let query: Message;
		try {
			query = decodeMessage(bytes);
		} catch (error) {
			if (!(error instanceof MalformedMessage)) throw error;
			return bare(bytes, rcodes.FORMERR);
		}
		const limit = limitOf(query, transport);
		const refused = refusal(query);
		if (refused !== undefined) return fail(query, refused, limit);
		if (!isComplete() && isOurs(query.question.name))
			return fail(query, rcodes.SERVFAIL, limit);
		const answer = answerFrom(zones, query.question, random, !!upstreams);
		if (!answer)
			return upstreams
				? forward(upstreams, bytes, query, transport, limit)
				: fail(query, rcodes.REFUSED, limit);
		if (answer.outside !== undefined && upstreams)
			return goOn(upstreams, answer.outside, answer, query, limit);
		return send(query, answer, limit);

		function drop(reason: string): undefined {
			metrics.dropped.inc({ reason });
			return undefined;
		}

		/** A header alone: what came cannot be repeated. */
		function bare(of: Buffer, rcode: number): Buffer {
			const response = Buffer.alloc(12);
			of.copy(response, 0, 0, 4);
			const kept = flagBits.opcode | flagBits.recursionDesired;
			const flags = response.readUInt16BE(2) & kept;
			response.writeUInt16BE(flags | flagBits.response | rcode, 2);
			count(rcode);
			return response;
		}

		function count(rcode: number): void {
			const name = rcodeNames.get(rcode) ?? String(rcode);
			metrics.responded(transport, name);
		}

		function send(
			{ id, flags, question, edns }: Message,
			{ rcode, answers, authorities, additionals }: Answer,
			room: number,
			authoritative = true,
		): Buffer {
			const kept = flagBits.recursionDesired | flagBits.checkingDisabled;
			count(rcode);
			return encodeMessage(
				{
					id,
					flags:
						(flags & kept) |
						flagBits.response |
						(authoritative ? flagBits.authoritative : 0) |
						(upstreams ? flagBits.recursionAvailable : 0),
					rcode,
					question,
					answers,
					authorities,
					additionals,
					...(edns
						? { edns: { udpSize, version: 0, dnssec: edns.dnssec } }
						: {}),
				},
				room,
			);
		}

		function fail(query: Message, rcode: number, room: number): Buffer {
			const nothing = { answers: [], authorities: [], additionals: [] };
			return send(query, { rcode, ...nothing }, room, false);
		}

		async function forward(
			to: Upstreams,
			raw: Buffer,
			query: Message,
			by: Transport,
			room: number,
		): Promise<Buffer> {
			const reply = await to.ask(raw, by === "tcp");
			if (!reply) return fail(query, rcodes.SERVFAIL, room);
			const fitting = fit(reply, room);
			if (!fitting) return fail(query, rcodes.SERVFAIL, room);
			count(fitting.readUInt16BE(2) & flagBits.rcode);
			return fitting;
		}

		/** Adds what upstream knows of the name an alias points to. */
		async function goOn(
			to: Upstreams,
			name: string,
			answer: Answer,
			query: Message,
			room: number,
		): Promise<Buffer> {
			const asked: Message = {
				id: 0,
				flags: flagBits.recursionDesired,
				rcode: 0,
				question: { ...query.question, name },
				answers: [],
				authorities: [],
				additionals: [],
				edns: { udpSize, version: 0, dnssec: false },
			};
			const reply = await to.ask(encodeMessage(asked, tcpSize), true);
			const known = reply && tryDecode(reply);
			if (!known)
				return send(query, { ...answer, rcode: rcodes.SERVFAIL }, room);
			const more: Answer = {
				...answer,
				rcode: known.rcode,
				answers: [...answer.answers, ...known.answers],
				authorities: known.answers.length > 0 ? [] : known.authorities,
			};
			return send(query, more, room);
		}
	};

	function isOurs(name: string): boolean {
		const folded = foldName(name);
		return zones.some((zone) => relativeTo(folded, zone.name) !== undefined);
	}
}

function limitOf({ edns }: Message, transport: Transport): number {
	if (transport === "tcp") return tcpSize;
	return Math.min(udpSize, Math.max(plainUdpSize, edns?.udpSize ?? 0));
}

/** The code of a query that nobody here answers, whatever its name. */
function refusal({ question, edns }: Message): number | undefined {
	if (edns && edns.version > 0) return rcodes.BADVERS;
	if (question.class !== classIn) return rcodes.REFUSED;
	const isTransfer =
		question.type === types.AXFR || question.type === types.IXFR;
	return isTransfer ? rcodes.REFUSED : undefined;
}

/** A response of at most `room` bytes; undefined when it has to be cut and is no message. */
function fit(reply: Buffer, room: number): Buffer | undefined {
	if (reply.length <= room) return reply;
	const message = tryDecode(reply);
	return message && encodeMessage(message, room);
}

function tryDecode(bytes: Buffer): Message | undefined {
	try {
		return decodeMessage(bytes);
	} catch (error) {
		if (error instanceof MalformedMessage) return undefined;
		throw error;
	}
}

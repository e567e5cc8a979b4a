import {
	classIn,
	type DnsRecord,
	type Edns,
	flagBits,
	type Message,
	type RecordData,
	types,
} from "./message.ts";
import { MalformedMessage, readName } from "./names.ts";

const headerBytes = 12;

/** The header's first half, which can be read of anything long enough; undefined when it is too short. */
export function readHeader(
	bytes: Uint8Array,
): { id: number; flags: number } | undefined {
	if (bytes.length < headerBytes) return undefined;
	return { id: word(bytes, 0), flags: word(bytes, 2) };
}

/**
 * Reads a whole message. Records of classes other than IN are passed over. Throws MalformedMessage when it is none, has
 * not just one question, or more than one OPT record; bytes behind its end are ignored.
 */
export function decodeMessage(bytes: Uint8Array): Message {
	const header = readHeader(bytes);
	if (!header) throw new MalformedMessage("it is shorter than a header");
	if (word(bytes, 4) !== 1)
		throw new MalformedMessage(`it has ${word(bytes, 4)} questions`);
	const asked = readName(bytes, headerBytes);
	const message: Message = {
		id: header.id,
		flags: header.flags & ~flagBits.rcode,
		rcode: header.flags & flagBits.rcode,
		question: {
			name: asked.name,
			type: word(bytes, asked.end),
			class: word(bytes, asked.end + 2),
		},
		answers: [],
		authorities: [],
		additionals: [],
	};
	let at = asked.end + 4;
	for (const [section, count] of [
		[message.answers, word(bytes, 6)],
		[message.authorities, word(bytes, 8)],
		[message.additionals, word(bytes, 10)],
	] as const)
		for (let n = 0; n < count; n++)
			at = readRecord(bytes, at, message, section);
	return message;
}

function readRecord(
	bytes: Uint8Array,
	offset: number,
	message: Message,
	section: DnsRecord[],
): number {
	const { name, end } = readName(bytes, offset);
	const type = word(bytes, end);
	const recordClass = word(bytes, end + 2);
	const ttl = word(bytes, end + 4) * 65_536 + word(bytes, end + 6);
	const start = end + 10;
	const next = start + word(bytes, end + 8);
	if (next > bytes.length)
		throw new MalformedMessage("a record runs over the end");
	if (type === types.OPT) {
		if (section !== message.additionals || message.edns || name !== ".")
			throw new MalformedMessage("it has an OPT record where none may be");
		message.edns = readEdns(recordClass, ttl);
		message.rcode |= (ttl >>> 24) << 4;
	} else if (recordClass === classIn)
		section.push({ name, ttl, data: readData(bytes, type, start, next) });
	return next;
}

/** RFC 6891 section 6.1.3: the OPT record's class is a size, its TTL extended rcode, version and flags. */
function readEdns(udpSize: number, ttl: number): Edns {
	return {
		udpSize,
		version: (ttl >>> 16) & 0xff,
		dnssec: (ttl & 0x8000) !== 0,
	};
}

function readData(
	bytes: Uint8Array,
	type: number,
	start: number,
	next: number,
): RecordData {
	/** A name that must end within the record, and exactly there if it is the last part. */
	const nameAt = (offset: number, last: boolean) => {
		const read = readName(bytes, offset);
		if (last ? read.end !== next : read.end > next)
			throw new MalformedMessage("a name does not fit its record");
		return read;
	};
	switch (type) {
		case types.A:
		case types.AAAA:
			if (next - start !== (type === types.A ? 4 : 16))
				throw new MalformedMessage("an address has a wrong length");
			return { type, address: new Uint8Array(bytes.subarray(start, next)) };
		case types.NS:
		case types.CNAME:
		case types.PTR:
			return { type, name: nameAt(start, true).name };
		case types.MX:
			return {
				type,
				preference: word(bytes, start),
				name: nameAt(start + 2, true).name,
			};
		case types.SRV:
			return {
				type,
				priority: word(bytes, start),
				weight: word(bytes, start + 2),
				port: word(bytes, start + 4),
				name: nameAt(start + 6, true).name,
			};
		case types.SOA: {
			const primary = nameAt(start, false);
			const mailbox = nameAt(primary.end, false);
			if (mailbox.end + 20 !== next)
				throw new MalformedMessage("a SOA record has a wrong length");
			const number = (index: number) => {
				const at = mailbox.end + index * 4;
				return word(bytes, at) * 65_536 + word(bytes, at + 2);
			};
			return {
				type,
				primary: primary.name,
				mailbox: mailbox.name,
				serial: number(0),
				refresh: number(1),
				retry: number(2),
				expire: number(3),
				minimum: number(4),
			};
		}
		default:
			return { type, raw: new Uint8Array(bytes.subarray(start, next)) };
	}
}

function word(bytes: Uint8Array, at: number): number {
	const low = bytes[at + 1];
	if (low === undefined) throw new MalformedMessage("it ends too soon");
	return ((bytes[at] as number) << 8) | low;
}

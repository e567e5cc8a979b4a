/**
 * Netlink's wire (RFC 3549, include/uapi/linux/netlink.h): a message is a header and a body; a body is a fixed header of
 * the family and attributes, each padded to four bytes. Numbers are the machine's own order (little-endian on every
 * platform Node has for Linux but s390x) unless a name says `be`.
 */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_HEADER = 16;
const NLA_HEADER = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** What is asked of the kernel. NLM_F_REQUEST is understood. */
export interface NetlinkMessage {
	type: number;
	flags?: number;
	/** The family's fixed header and the attributes. */
	body: Uint8Array;
}

/** What the kernel says. */
export interface NetlinkReply {
	type: number;
	flags: number;
	sequence: number;
	/** Who caused it: for a notification the port id of the socket that asked, 0 for the kernel itself. */
	portId: number;
	body: Buffer;
}

export interface Attribute {
	type: number;
	value: Buffer;
}

/** Rounds up to a multiple of four. */
export function aligned(length: number): number {
	return (length + 3) & ~3;
}

/** A message from a family's fixed header and encoded attributes. */
export function netlinkMessage(
	type: number,
	flags: number,
	header: Uint8Array,
	attributes: readonly Uint8Array[] = [],
): NetlinkMessage {
	return { type, flags, body: Buffer.concat([header, ...attributes]) };
}

/** An attribute of bytes as they are. */
export function bytes(type: number, value: Uint8Array): Buffer {
	const attribute = Buffer.alloc(aligned(NLA_HEADER + value.length));
	attribute.writeUInt16LE(NLA_HEADER + value.length, 0);
	attribute.writeUInt16LE(type, 2);
	attribute.set(value, NLA_HEADER);
	return attribute;
}

/** Attributes within an attribute. */
export function nested(
	type: number,
	attributes: readonly Uint8Array[],
): Buffer {
	return bytes(type | NLA_F_NESTED, Buffer.concat(attributes));
}

/** An attribute that only has to be there. */
export function flag(type: number): Buffer {
	return bytes(type, Buffer.alloc(0));
}

/** Text that ends with a NUL, as names of links, tables and chains do. */
export function text(type: number, value: string): Buffer {
	return bytes(type, Buffer.from(`${value}\0`));
}

export function u8(type: number, value: number): Buffer {
	return bytes(type, Buffer.from([value]));
}

export function u32(type: number, value: number): Buffer {
	const number = Buffer.alloc(4);
	number.writeUInt32LE(value >>> 0);
	return bytes(type, number);
}

export function be32(type: number, value: number): Buffer {
	const number = Buffer.alloc(4);
	number.writeUInt32BE(value >>> 0);
	return bytes(type, number);
}

export function be64(type: number, value: bigint): Buffer {
	const number = Buffer.alloc(8);
	number.writeBigUInt64BE(value);
	return bytes(type, number);
}

/** The attributes of a body behind a fixed header of `offset` bytes, in order; types may repeat. */
export function readAttributes(body: Buffer, offset = 0): Attribute[] {
	const attributes: Attribute[] = [];
	for (let at = offset; at + NLA_HEADER <= body.length; ) {
		const length = body.readUInt16LE(at);
		if (length < NLA_HEADER || at + length > body.length) break;
		attributes.push({
			type: body.readUInt16LE(at + 2) & NLA_TYPE_MASK,
			value: body.subarray(at + NLA_HEADER, at + length),
		});
		at += aligned(length);
	}
	return attributes;
}

/** The attributes by type; of a type that repeats, the last. */
export function attributeMap(body: Buffer, offset = 0): Map<number, Buffer> {
	return new Map(
		readAttributes(body, offset).map(({ type, value }) => [type, value]),
	);
}

/** Text without the NUL at its end. */
export function readText(value: Buffer): string {
	const end = value.indexOf(0);
	return value.toString("utf8", 0, end < 0 ? value.length : end);
}

/** One datagram of messages, numbered from `sequence` on. */
export function encodeMessages(
	messages: readonly NetlinkMessage[],
	sequence: number,
): Buffer {
	let length = 0;
	for (const { body } of messages)
		length += NLMSG_HEADER + aligned(body.length);
	const datagram = Buffer.alloc(length);
	let at = 0;
	messages.forEach(({ type, flags = 0, body }, index) => {
		writeHeader(datagram, at, {
			length: NLMSG_HEADER + body.length,
			type,
			flags,
			sequence: sequence + index,
		});
		datagram.set(body, at + NLMSG_HEADER);
		at += NLMSG_HEADER + aligned(body.length);
	});
	return datagram;
}

/** Writes a message's header at `at`; NLM_F_REQUEST is added. */
export function writeHeader(
	into: Buffer,
	at: number,
	header: { length: number; type: number; flags: number; sequence: number },
): void {
	into.writeUInt32LE(header.length, at);
	into.writeUInt16LE(header.type, at + 4);
	into.writeUInt16LE(header.flags | NLM_F_REQUEST, at + 6);
	into.writeUInt32LE(header.sequence >>> 0, at + 8);
	into.writeUInt32LE(0, at + 12);
}

/** The messages of one datagram. Their bodies are copies: the datagram's buffer may be used again. */
export function decodeMessages(datagram: Buffer): NetlinkReply[] {
	const replies: NetlinkReply[] = [];
	readMessages(datagram, (reply) => {
		replies.push({ ...reply, body: Buffer.from(reply.body) });
	});
	return replies;
}

/** As `decodeMessages`, one by one; their bodies lie in the datagram itself. */
export function readMessages(
	datagram: Buffer,
	take: (reply: NetlinkReply) => void,
): void {
	for (let at = 0; at + NLMSG_HEADER <= datagram.length; ) {
		const length = datagram.readUInt32LE(at);
		if (length < NLMSG_HEADER || at + length > datagram.length) break;
		take({
			type: datagram.readUInt16LE(at + 4),
			flags: datagram.readUInt16LE(at + 6),
			sequence: datagram.readUInt32LE(at + 8),
			portId: datagram.readUInt32LE(at + 12),
			body: datagram.subarray(at + NLMSG_HEADER, at + length),
		});
		at += aligned(length);
	}
}

/** What NLMSG_ERROR says about the message with `sequence`; `errno` 0 is an acknowledgement. */
export interface Verdict {
	sequence: number;
	errno: number;
	/** The kernel's own words, if it has any. */
	text?: string;
	/** Where in that message the offending attribute begins, counted from the message's header. */
	offset?: number;
}

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

/** Reads the body of an NLMSG_ERROR. */
export function readVerdict(reply: NetlinkReply): Verdict {
	const verdict: Verdict = {
		sequence: reply.sequence,
		errno: -reply.body.readInt32LE(0),
	};
	if (!(reply.flags & NLM_F_ACK_TLVS)) return verdict;
	const quoted = reply.flags & NLM_F_CAPPED ? 16 : reply.body.readUInt32LE(4);
	const more = attributeMap(reply.body, 4 + aligned(quoted));
	const words = more.get(NLMSGERR_ATTR_MSG);
	const offset = more.get(NLMSGERR_ATTR_OFFS);
	if (words) verdict.text = readText(words);
	if (offset) verdict.offset = offset.readUInt32LE(0);
	return verdict;
}

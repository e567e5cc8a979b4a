import {
	aligned,
	attributeMap,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLMSG_HEADER,
	readAttributes,
	readText,
	text,
} from "../netlink-message.ts";
import type { NetlinkSocket, Reading } from "../netlink.ts";
import type { Step } from "./objects.ts";
import {
	NFT_MSG_DELSETELEM,
	NFT_MSG_GETSETELEM,
	NFT_MSG_NEWSETELEM,
	nftMessage,
	readData,
	type TableName,
	tableText,
	type Verdict,
	verdictData,
} from "./wire.ts";

/** An element of a set, or of a map if it has data. */
export interface Element {
	/** As it lies in registers: every part of a concatenation fills whole words. */
	key: Buffer;
	data?: Buffer | Verdict;
	/** The first address behind a range. */
	intervalEnd?: boolean;
	/** After which it is gone, counted from now; absent: never. */
	timeoutMs?: number;
	/** Printed beside it. */
	comment?: string;
}

const NLA_F_NESTED = 0x8000;
const NFTA_LIST_ELEM = 1;
const NFTA_DATA_VALUE = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_SET_ELEM_USERDATA = 6;
const NFT_SET_ELEM_INTERVAL_END = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
/** A list's length is a 16-bit number, its own header included. */
const MAX_LIST = 0xffff;
/** Headers, flags and a timeout of an element; a verdict; a comment. */
const MOST_FRAME = 48;
const MOST_VERDICT = 96;
const MOST_COMMENT = 136;

/** Adds elements. One that is there with the same data is left; with other data the transaction is refused. */
export function addElements(
	table: TableName,
	set: string,
	elements: readonly Element[],
): Step[] {
	return inChunks(table, set, elements, "add");
}

/** Takes elements away; one that is not there refuses the transaction. */
export function deleteElements(
	table: TableName,
	set: string,
	elements: readonly Element[],
): Step[] {
	return inChunks(table, set, elements, "delete");
}

/** Takes every element away. */
export function flushElements(table: TableName, set: string): Step {
	return {
		message: nftMessage(table, NFT_MSG_DELSETELEM, 0, [
			text(NFTA_SET_ELEM_LIST_TABLE, table.name),
			text(NFTA_SET_ELEM_LIST_SET, set),
		]),
		what: `empty ${set} of ${tableText(table)}`,
	};
}

/** The elements of a set or a map, without their comments. The kernel reads out every one. */
export function listElements(
	socket: NetlinkSocket,
	table: TableName,
	set: string,
): Element[] {
	return socket
		.request(
			nftMessage(table, NFT_MSG_GETSETELEM, NLM_F_DUMP, [
				text(NFTA_SET_ELEM_LIST_TABLE, table.name),
				text(NFTA_SET_ELEM_LIST_SET, set),
			]),
			`list ${set} of ${tableText(table)}`,
		)
		.flatMap(({ body }) => {
			const listed = attributeMap(body, 4).get(NFTA_SET_ELEM_LIST_ELEMENTS);
			return listed ? readAttributes(listed) : [];
		})
		.flatMap(({ value }) => {
			const element = attributeMap(value);
			const key = element.get(NFTA_SET_ELEM_KEY);
			const data = element.get(NFTA_SET_ELEM_DATA);
			const flags = element.get(NFTA_SET_ELEM_FLAGS)?.readUInt32BE(0) ?? 0;
			const expiration = element.get(NFTA_SET_ELEM_EXPIRATION);
			const read = { key: key && readData(key), data: data && readData(data) };
			return Buffer.isBuffer(read.key)
				? [
						{
							key: read.key,
							...(read.data === undefined ? {} : { data: read.data }),
							...(flags & NFT_SET_ELEM_INTERVAL_END
								? { intervalEnd: true }
								: {}),
							...(expiration
								? { timeoutMs: Number(expiration.readBigUInt64BE(0)) }
								: {}),
						},
					]
				: [];
		});
}

/** Where an element lies in a message, and what can be said of it without copying; lengths are 0 for what it does not have. */
export interface ElementAt {
	key: number;
	keyBytes: number;
	data: number;
	dataBytes: number;
	/** Until it is forgotten; 0: never, or at this very moment. */
	leftMs: number;
}

/**
 * As `listElements`, but nothing is kept of what is read: for maps of a million elements. `start` is called anew when all has to
 * be read again; body and place are only lent for the call. No verdicts. "enough" is as of
 * NetlinkSocket.dump.
 */
export function scanElements(
	socket: Pick<NetlinkSocket, "dump">,
	table: TableName,
	set: string,
	start: () => (body: Buffer, at: Readonly<ElementAt>) => Reading,
): void {
	socket.dump(
		nftMessage(table, NFT_MSG_GETSETELEM, NLM_F_DUMP, [
			text(NFTA_SET_ELEM_LIST_TABLE, table.name),
			text(NFTA_SET_ELEM_LIST_SET, set),
		]),
		`list ${set} of ${tableText(table)}`,
		() => {
			const take = start();
			const place: ElementAt = {
				key: 0,
				keyBytes: 0,
				data: 0,
				dataBytes: 0,
				leftMs: 0,
			};
			let reading: Reading = "go on";
			return (body) => {
				forEachAttribute(body, 4, body.length, (type, at, end) => {
					if (type !== NFTA_SET_ELEM_LIST_ELEMENTS) return;
					forEachAttribute(body, at, end, (_, from, to) => {
						findElement(body, from, to, place);
						if (place.keyBytes > 0 && reading === "go on")
							reading = take(body, place);
					});
				});
				return reading;
			};
		},
	);
}

/** Where values begin and end. */
function forEachAttribute(
	body: Buffer,
	from: number,
	to: number,
	take: (type: number, at: number, end: number) => void,
): void {
	for (let at = from; at + 4 <= to; ) {
		const length = lengthAt(body, at);
		if (length < 4 || at + length > to) break;
		take(body.readUInt16LE(at + 2) & ~NLA_F_NESTED, at + 4, at + length);
		at += aligned(length);
	}
}

function findElement(
	body: Buffer,
	from: number,
	to: number,
	into: ElementAt,
): void {
	into.keyBytes = 0;
	into.dataBytes = 0;
	into.leftMs = 0;
	for (let at = from; at + 4 <= to; ) {
		const length = lengthAt(body, at);
		if (length < 4 || at + length > to) break;
		const type = body.readUInt16LE(at + 2) & ~NLA_F_NESTED;
		if (type === NFTA_SET_ELEM_KEY) {
			into.key = at + 8;
			into.keyBytes = lengthAt(body, at + 4) - 4;
		} else if (type === NFTA_SET_ELEM_DATA) {
			into.data = at + 8;
			into.dataBytes = lengthAt(body, at + 4) - 4;
		} else if (type === NFTA_SET_ELEM_EXPIRATION)
			into.leftMs =
				body.readUInt32BE(at + 4) * 2 ** 32 + body.readUInt32BE(at + 8);
		at += aligned(length);
	}
}

function inChunks(
	table: TableName,
	set: string,
	elements: readonly Element[],
	verb: "add" | "delete",
): Step[] {
	const steps: Step[] = [];
	for (let from = 0; from < elements.length; ) {
		let room = 4;
		let next = from;
		for (; next < elements.length; next++) {
			const more = mostBytes(elements[next] as Element);
			if (room + more > MAX_LIST) break;
			room += more;
		}
		const listed = Buffer.allocUnsafe(room);
		let at = 4;
		for (const element of elements.slice(from, next))
			at = writeElement(listed, at, element, verb);
		listed.writeUInt16LE(at, 0);
		listed.writeUInt16LE(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, 2);
		steps.push(chunk(table, set, next - from, verb, listed.subarray(0, at)));
		from = next;
	}
	return steps;
}

function mostBytes({ key, data, comment }: Element): number {
	const datum =
		data === undefined ? 0 : Buffer.isBuffer(data) ? data.length : MOST_VERDICT;
	return (
		MOST_FRAME + key.length + datum + (comment === undefined ? 0 : MOST_COMMENT)
	);
}

function chunk(
	table: TableName,
	set: string,
	count: number,
	verb: "add" | "delete",
	listed: Buffer,
): Step {
	const message = nftMessage(
		table,
		verb === "add" ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
		verb === "add" ? NLM_F_CREATE : 0,
		[
			text(NFTA_SET_ELEM_LIST_TABLE, table.name),
			text(NFTA_SET_ELEM_LIST_SET, set),
			listed,
		],
	);
	const { buffer, byteOffset, length } = message.body;
	const body = Buffer.from(buffer, byteOffset, length);
	const start = body.length - listed.length + 4;
	return {
		message,
		what: `${verb} ${count === 1 ? "an element" : `${count} elements`} of ${set} in ${tableText(table)}`,
		// Read from the message, so that a hundred thousand elements need not be kept until it is sent.
		elementAt: (offset) => {
			for (let at = start; at < body.length; at += lengthAt(body, at))
				if (at + NLMSG_HEADER === offset)
					return describe(body.subarray(at + 4, at + lengthAt(body, at)));
			return undefined;
		},
	};
}

function lengthAt(body: Buffer, at: number): number {
	return body.readUInt16LE(at);
}

/** Its comment, or its key if it has none. */
function describe(element: Buffer): string {
	const read = attributeMap(element);
	const comment = read.get(NFTA_SET_ELEM_USERDATA);
	if (comment) return readText(comment.subarray(2));
	const key = readData(read.get(NFTA_SET_ELEM_KEY) ?? Buffer.alloc(0));
	return Buffer.isBuffer(key) ? key.toString("hex") : "";
}

/** Writes one element by hand: there are a hundred thousand of them. Every part is padded; the result is where the next begins. */
function writeElement(
	into: Buffer,
	start: number,
	{ key, data, intervalEnd, timeoutMs, comment }: Element,
	verb: "add" | "delete",
): number {
	let at = writeValue(into, start + 4, NFTA_SET_ELEM_KEY, key);
	if (data !== undefined && verb === "add") {
		if (Buffer.isBuffer(data))
			at = writeValue(into, at, NFTA_SET_ELEM_DATA, data);
		else {
			const verdict = verdictData(NFTA_SET_ELEM_DATA, data);
			into.set(verdict, at);
			at += verdict.length;
		}
	}
	if (intervalEnd) {
		into.writeUInt16LE(8, at);
		into.writeUInt16LE(NFTA_SET_ELEM_FLAGS, at + 2);
		into.writeUInt32BE(NFT_SET_ELEM_INTERVAL_END, at + 4);
		at += 8;
	}
	if (timeoutMs !== undefined && verb === "add") {
		into.writeUInt16LE(12, at);
		into.writeUInt16LE(NFTA_SET_ELEM_TIMEOUT, at + 2);
		into.writeBigUInt64BE(BigInt(timeoutMs), at + 4);
		at += 12;
	}
	if (comment !== undefined && verb === "add")
		at = writeComment(into, at, comment);
	into.writeUInt16LE(at - start, start);
	into.writeUInt16LE(NFTA_LIST_ELEM | NLA_F_NESTED, start + 2);
	return at;
}

function writeValue(
	into: Buffer,
	at: number,
	type: number,
	value: Buffer,
): number {
	const end = at + 8 + aligned(value.length);
	into.writeUInt16LE(end - at, at);
	into.writeUInt16LE(type | NLA_F_NESTED, at + 2);
	into.writeUInt16LE(4 + value.length, at + 4);
	into.writeUInt16LE(NFTA_DATA_VALUE, at + 6);
	into.fill(0, at + 8 + value.length, end);
	into.set(value, at + 8);
	return end;
}

/** libnftnl's user data: type 0, length, text with its NUL. */
function writeComment(into: Buffer, at: number, words: string): number {
	const length = into.write(words, at + 6, 126);
	const end = at + aligned(7 + length);
	into.fill(0, at + 6 + length, end);
	into.writeUInt16LE(7 + length, at);
	into.writeUInt16LE(NFTA_SET_ELEM_USERDATA, at + 2);
	into[at + 4] = 0;
	into[at + 5] = length + 1;
	return end;
}

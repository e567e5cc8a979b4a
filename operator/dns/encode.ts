import {
	classIn,
	type DnsRecord,
	flagBits,
	type Message,
	type RecordData,
	types,
} from "./message.ts";
import { foldName, labelsOf, splitName } from "./names.ts";

const optBytes = 11;
/** Pointers have fourteen bits. */
const farthestPointer = 0x3fff;

/**
 * The message on the wire, names compressed, in at most `limit` bytes: records of the answer and authority sections that
 * do not fit are left out and the truncation bit is set; additional records that do not fit are left out in silence (RFC
 * 2181 section 9). An OPT record is always there when `edns` is. Throws a RangeError when a name is none.
 */
export function encodeMessage(message: Message, limit: number): Buffer {
	const { question, edns } = message;
	const writer = new Writer(limit);
	writer.word(message.id);
	writer.at = 12;
	writer.name(question.name, true);
	writer.word(question.type);
	writer.word(question.class);
	const reserved = edns ? optBytes : 0;
	const room = limit - reserved;
	let flags = message.flags | (message.rcode & flagBits.rcode);
	const answers = writer.records(message.answers, room);
	const authorities =
		answers === message.answers.length
			? writer.records(message.authorities, room)
			: 0;
	const whole =
		answers === message.answers.length &&
		authorities === message.authorities.length;
	if (!whole) flags |= flagBits.truncated;
	const additionals = whole ? writer.records(message.additionals, room) : 0;
	if (edns) {
		writer.room(optBytes);
		writer.byte(0);
		writer.word(types.OPT);
		writer.word(edns.udpSize);
		writer.byte(message.rcode >>> 4);
		writer.byte(edns.version);
		writer.word(edns.dnssec ? 0x8000 : 0);
		writer.word(0);
	}
	const length = writer.at;
	writer.at = 2;
	for (const value of [
		flags,
		1,
		answers,
		authorities,
		additionals + (edns ? 1 : 0),
	])
		writer.word(value);
	return writer.bytes.subarray(0, length);
}

class Writer {
	bytes: Buffer;
	at = 0;
	/** Where a name, or the end of one, was written. */
	readonly #names = new Map<string, number>();

	constructor(limit: number) {
		this.bytes = Buffer.allocUnsafe(Math.min(limit, 2048));
	}

	/** Makes sure that `more` bytes can be written. */
	room(more: number): void {
		if (this.at + more <= this.bytes.length) return;
		const grown = Buffer.allocUnsafe((this.at + more) * 2);
		this.bytes.copy(grown, 0, 0, this.at);
		this.bytes = grown;
	}

	byte(value: number): void {
		this.bytes[this.at++] = value & 0xff;
	}

	word(value: number): void {
		this.bytes[this.at++] = (value >>> 8) & 0xff;
		this.bytes[this.at++] = value & 0xff;
	}

	long(value: number): void {
		this.word(value >>> 16);
		this.word(value & 0xffff);
	}

	raw(bytes: Uint8Array): void {
		this.room(bytes.length);
		this.bytes.set(bytes, this.at);
		this.at += bytes.length;
	}

	/** Writes records up to the byte `room`; returns how many fitted. */
	records(records: readonly DnsRecord[], room: number): number {
		for (const [count, record] of records.entries()) {
			const start = this.at;
			this.#writeRecord(record);
			if (this.at > room) {
				this.#forget(start);
				return count;
			}
		}
		return records.length;
	}

	name(name: string, compress: boolean): void {
		const folded = foldName(name);
		this.room(257);
		if (compress && this.#pointTo(folded)) return;
		if (name.includes("\\") || name === ".")
			return this.#escapedName(name, folded, compress);
		if (name.length + 2 > 255) throw new RangeError(`${name} is too long`);
		for (let start = 0; start < name.length; ) {
			const dot = name.indexOf(".", start);
			const end = dot < 0 ? name.length : dot;
			if (start > 0 && this.#knows(folded.slice(start), compress)) return;
			if (start === 0) this.#knows(folded, false);
			if (end === start || end - start > 63)
				throw new RangeError(`${name} has a label of ${end - start} bytes`);
			this.byte(end - start);
			for (let at = start; at < end; at++) this.byte(name.charCodeAt(at));
			start = end + 1;
		}
		this.byte(0);
	}

	#escapedName(name: string, folded: string, compress: boolean): void {
		const texts = splitName(folded);
		for (const [index, label] of labelsOf(name).entries()) {
			if (this.#knows(texts.slice(index).join("."), compress)) return;
			this.byte(label.length);
			this.raw(label);
		}
		this.byte(0);
	}

	/** Points to what is known, if it may; else notes where it is being written. */
	#knows(rest: string, compress: boolean): boolean {
		if (compress && this.#pointTo(rest)) return true;
		if (this.at <= farthestPointer && !this.#names.has(rest))
			this.#names.set(rest, this.at);
		return false;
	}

	#pointTo(name: string): boolean {
		const known = this.#names.get(name);
		if (known !== undefined) this.word(0xc000 | known);
		return known !== undefined;
	}

	#writeRecord({ name, ttl, data }: DnsRecord): void {
		this.name(name, true);
		this.room(10);
		this.word(data.type);
		this.word(classIn);
		this.long(ttl);
		const length = this.at;
		this.at += 2;
		this.#writeData(data);
		const end = this.at;
		this.at = length;
		this.word(end - length - 2);
		this.at = end;
	}

	#writeData(data: RecordData): void {
		this.room(32);
		if ("raw" in data) this.raw(data.raw);
		else if ("address" in data) this.raw(data.address);
		else if ("texts" in data)
			for (const text of data.texts) {
				const bytes = Buffer.from(text, "latin1");
				if (bytes.length > 255)
					throw new RangeError(`a text has ${bytes.length} bytes`);
				this.room(bytes.length + 1);
				this.byte(bytes.length);
				this.raw(bytes);
			}
		else if ("weight" in data) {
			for (const value of [data.priority, data.weight, data.port])
				this.word(value);
			// RFC 2782: the target of a SRV record is never compressed.
			this.name(data.name, false);
		} else if ("preference" in data) {
			this.word(data.preference);
			this.name(data.name, true);
		} else if ("name" in data) this.name(data.name, true);
		else {
			this.name(data.primary, true);
			this.name(data.mailbox, true);
			this.room(20);
			for (const value of [
				data.serial,
				data.refresh,
				data.retry,
				data.expire,
				data.minimum,
			])
				this.long(value);
		}
	}

	/** Takes back what was written from `start` on. */
	#forget(start: number): void {
		this.at = start;
		for (const [name, at] of this.#names)
			if (at >= start) this.#names.delete(name);
	}
}

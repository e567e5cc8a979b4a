/** A message as it goes over TCP: its length in two bytes before it (RFC 1035 section 4.2.2). */
export function frame(message: Uint8Array): Buffer {
	const framed = Buffer.allocUnsafe(message.length + 2);
	framed.writeUInt16BE(message.length, 0);
	framed.set(message, 2);
	return framed;
}

/** Cuts a stream into messages. */
export class FrameReader {
	readonly #longest: number;
	#rest: Buffer = Buffer.alloc(0);

	/** @param longest Bytes a message may have. */
	constructor(longest: number) {
		this.#longest = longest;
	}

	/** A message has begun and is not whole yet. */
	get waiting(): boolean {
		return this.#rest.length > 0;
	}

	/** The messages that are whole now. Throws a RangeError at one that is too long. */
	take(bytes: Buffer): Buffer[] {
		const messages: Buffer[] = [];
		let rest =
			this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
		while (rest.length >= 2) {
			const length = rest.readUInt16BE(0);
			if (length > this.#longest)
				throw new RangeError(`a message of ${length} bytes`);
			if (rest.length < length + 2) break;
			messages.push(rest.subarray(2, length + 2));
			rest = rest.subarray(length + 2);
		}
		// A copy: a view of one byte would keep the whole chunk.
		this.#rest = Buffer.from(rest);
		return messages;
	}
}

import { constants, createInflate, deflateSync } from "node:zlib";

/*
 * As much of SPDY/3.1 as a server of port-forward streams needs: kubectl tunnels it through a WebSocket. Framing and the
 * dictionary of header blocks are those of draft-mbelshe-httpbis-spdy-00 (2.2, 2.6).
 */

/** Types of control frames. */
const control = { synStream: 1, synReply: 2, rstStream: 3, ping: 6 };
const fin = 1;
const version = 3;
const frameLimit = 1024 * 1024;

const dictionary = Buffer.concat([
	...(
		"options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow " +
		"authorization cache-control connection content-base content-encoding content-language content-length " +
		"content-location content-md5 content-range content-type date etag expect expires from host if-match " +
		"if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma " +
		"proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade " +
		"user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie " +
		"keep-alive origin"
	)
		.split(" ")
		.flatMap((word) => {
			const length = Buffer.alloc(4);
			length.writeUInt32BE(word.length);
			return [length, Buffer.from(word.replace("_", " "))];
		}),
	Buffer.from(
		"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative " +
			"Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 " +
			"Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov " +
			"Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif," +
			"application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch" +
			"charset=utf-8charset=iso-8859-1,utf-,*,enq=0.",
	),
]);

/** What a client says, as far as it matters here. */
export type Incoming =
	| { what: "open"; stream: number; headers: Map<string, string>; fin: boolean }
	| { what: "data"; stream: number; data: Buffer; fin: boolean }
	| { what: "reset"; stream: number }
	| { what: "ping"; id: number };

/** Frames out of a stream of bytes. Throws when they are no SPDY/3. */
export async function* readFrames(
	from: AsyncIterable<Buffer>,
): AsyncGenerator<Incoming> {
	const headers = headerReader();
	let rest: Buffer = Buffer.alloc(0);
	for await (const chunk of from) {
		rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
		for (;;) {
			if (rest.length < 8) break;
			const length = rest.readUIntBE(5, 3);
			if (length > frameLimit)
				throw new Error(`a SPDY frame of ${length} bytes is too long`);
			if (rest.length < 8 + length) break;
			const head = rest.subarray(0, 8);
			const body = rest.subarray(8, 8 + length);
			rest = rest.subarray(8 + length);
			const frame = await readFrame(head, body, headers);
			if (frame) yield frame;
		}
	}
}

async function readFrame(
	head: Buffer,
	body: Buffer,
	headers: (block: Buffer) => Promise<Map<string, string>>,
): Promise<Incoming | undefined> {
	const first = head.readUInt16BE(0);
	const ends = ((head[4] ?? 0) & fin) !== 0;
	if ((first & 0x8000) === 0)
		return {
			what: "data",
			stream: head.readUInt32BE(0),
			data: body,
			fin: ends,
		};
	if ((first & 0x7fff) !== version)
		throw new Error(`SPDY version ${first & 0x7fff} is not ${version}`);
	switch (head.readUInt16BE(2)) {
		case control.synStream:
			return {
				what: "open",
				stream: body.readUInt32BE(0),
				headers: await headers(body.subarray(10)),
				fin: ends,
			};
		case control.rstStream:
			return { what: "reset", stream: body.readUInt32BE(0) };
		case control.ping:
			return { what: "ping", id: body.readUInt32BE(0) };
		default:
			// Settings, going away, windows: nothing here depends on them.
			return undefined;
	}
}

/** Header blocks of one connection share one compression. */
function headerReader(): (block: Buffer) => Promise<Map<string, string>> {
	const inflate = createInflate({ dictionary });
	const failed = new Promise<never>((_, reject) => inflate.on("error", reject));
	failed.catch(() => {});
	return async (block) => {
		const read = new Promise<Buffer>((resolve) =>
			inflate.write(block, () =>
				resolve((inflate.read() as Buffer | null) ?? Buffer.alloc(0)),
			),
		);
		const plain = await Promise.race([read, failed]);
		let at = 0;
		const text = () => {
			const length = plain.readUInt32BE(at);
			at += 4 + length;
			return plain.toString("latin1", at - length, at);
		};
		const found = new Map<string, string>();
		const count = plain.readUInt32BE(0);
		at = 4;
		for (let index = 0; index < count; index++) {
			const name = text();
			found.set(name, text());
		}
		return found;
	};
}

/** Makes the frames of a server. */
export class FrameWriter {
	#replied = false;

	/** SYN_REPLY without headers. */
	reply(stream: number): Buffer {
		const none = Buffer.alloc(4);
		// The first block begins the compression; later ones are stored as they are, and flushed by an empty one (RFC 1951,
		// 3.2.4).
		const block = this.#replied
			? Buffer.from([0, 4, 0, 0xfb, 0xff, ...none, 0, 0, 0, 0xff, 0xff])
			: deflateSync(none, { dictionary, finishFlush: constants.Z_SYNC_FLUSH });
		this.#replied = true;
		return controlFrame(control.synReply, Buffer.concat([word(stream), block]));
	}

	data(stream: number, data: Buffer, { last = false } = {}): Buffer {
		const head = Buffer.alloc(8);
		head.writeUInt32BE(stream, 0);
		head.writeUInt8(last ? fin : 0, 4);
		head.writeUIntBE(data.length, 5, 3);
		return Buffer.concat([head, data]);
	}

	ping(id: number): Buffer {
		return controlFrame(control.ping, word(id));
	}
}

function controlFrame(type: number, body: Buffer): Buffer {
	const head = Buffer.alloc(8);
	head.writeUInt16BE(0x8000 | version, 0);
	head.writeUInt16BE(type, 2);
	head.writeUIntBE(body.length, 5, 3);
	return Buffer.concat([head, body]);
}

function word(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}

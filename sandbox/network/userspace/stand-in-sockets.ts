import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A connection that fails as connect(2) does. */
export function failing(
	code: "ECONNREFUSED" | "EHOSTUNREACH" | "ENETUNREACH",
	{ host, port }: { host: string; port: number },
): Socket {
	const socket = new Socket();
	const error = Object.assign(new Error(`connect ${code} ${host}:${port}`), {
		code,
		syscall: "connect",
		address: host,
		port,
	});
	// After the caller has had the chance to listen.
	setImmediate(() => socket.destroy(error));
	return socket;
}

/** A connection whose first packet is lost: it begins and never gets anywhere. */
export function lost(): Socket {
	return new Socket();
}

/** A connection whose bytes go through a stream, for who takes nothing but sockets. */
export function socketOn(stream: Duplex): Socket {
	return stream instanceof Socket ? stream : new StreamSocket(stream);
}

class StreamSocket extends Socket {
	readonly #stream: Duplex;

	constructor(stream: Duplex) {
		super({ allowHalfOpen: true });
		this.#stream = stream;
		stream.on("data", (chunk: Buffer) => {
			if (!this.push(chunk)) stream.pause();
		});
		stream.once("end", () => this.push(null));
		stream.once("error", (error) => this.destroy(error));
		stream.once("close", () => this.destroy());
		setImmediate(() => {
			if (!this.destroyed) this.emit("connect");
		});
	}

	override _read(): void {
		this.#stream.resume();
	}

	override _write(
		chunk: Buffer,
		encoding: BufferEncoding,
		done: (error?: Error | null) => void,
	): void {
		this.#stream.write(chunk, encoding, done);
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#stream.end(done);
	}

	override _destroy(
		error: Error | null,
		done: (error: Error | null) => void,
	): void {
		this.#stream.destroy();
		done(error);
		// Node leaves this to whoever closes a socket's handle.
		process.nextTick(() => this.emit("close", error !== null));
	}
}

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../operator/clock.ts";

/** A connection that fails as connect(2) does. */
export function failing(
	code: "ECONNREFUSED" | "EHOSTUNREACH" | "ENETUNREACH",
	{ host, port }: { host: string; port: number },
): Socket {
	const socket = new Socket();
	// After the caller has had the chance to listen.
	setImmediate(() => socket.destroy(connectError(code, { host, port })));
	return socket;
}

/** How long Linux sends first packets before it gives up (tcp(7), tcp_syn_retries 6): 1 + 2 + 4 + ... + 64 s. */
export const connectTimeoutMs = 127_000;

/** A connection whose first packets are lost: it begins, gets nowhere, and fails with ETIMEDOUT in the end. */
export function lost(
	clock: Clock,
	target: { host: string; port: number },
): Socket {
	const socket = new Socket();
	const cancel = clock.after(connectTimeoutMs, () =>
		socket.destroy(connectError("ETIMEDOUT", target)),
	);
	socket.once("close", cancel);
	return socket;
}

function connectError(
	code: string,
	{ host, port }: { host: string; port: number },
): Error {
	return Object.assign(new Error(`connect ${code} ${host}:${port}`), {
		code,
		syscall: "connect",
		address: host,
		port,
	});
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

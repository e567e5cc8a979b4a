import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { decodeMessage } from "../../operator/dns/decode.ts";
import { encodeMessage } from "../../operator/dns/encode.ts";
import type { Message } from "../../operator/dns/message.ts";
import { FrameReader, frame } from "../../operator/dns/tcp-frames.ts";
import type { SocketAddress } from "../../operator/dns/upstreams.ts";

const whole = 65_535;

export const wire = (message: Message): Buffer => encodeMessage(message, whole);

/** A socket that asks one server over UDP. */
export class UdpClient {
	readonly #socket: UdpSocket = createSocket("udp4");
	readonly #server: SocketAddress;

	constructor(server: SocketAddress) {
		this.#server = server;
	}

	send(bytes: Uint8Array): void {
		this.#socket.send(bytes, this.#server.port, this.#server.host);
	}

	/** The next datagram, whatever it answers. */
	async next(): Promise<Buffer> {
		const [bytes] = (await once(this.#socket, "message")) as [Buffer];
		return bytes;
	}

	async ask(bytes: Uint8Array): Promise<Buffer> {
		const answer = this.next();
		this.send(bytes);
		return answer;
	}

	close(): void {
		this.#socket.close();
	}
}

/** A TCP connection to a server. */
export class TcpClient {
	readonly socket: Socket;
	/** Resolves when the server has ended its side or the connection is gone. */
	readonly closed: Promise<void>;
	readonly #reader = new FrameReader(whole);
	readonly #messages: Message[] = [];
	#arrived: () => void = () => {};
	#ended = false;

	private constructor(socket: Socket) {
		this.socket = socket;
		this.closed = new Promise((resolve) => {
			for (const event of ["end", "close"])
				socket.on(event, () => {
					this.#ended = true;
					resolve();
					this.#arrived();
				});
		});
		socket.on("error", () => {}); // Cut connections are what tests are about; `closed` tells of them.
		socket.on("data", (bytes: Buffer) => {
			this.#messages.push(...this.#reader.take(bytes).map(decodeMessage));
			this.#arrived();
		});
	}

	static async open({ host, port }: SocketAddress): Promise<TcpClient> {
		const socket = connect({ host, port, allowHalfOpen: true });
		await once(socket, "connect");
		return new TcpClient(socket);
	}

	send(...messages: Message[]): void {
		this.socket.write(
			Buffer.concat(messages.map((message) => frame(wire(message)))),
		);
	}

	/** The next `count` messages; fewer when the connection ends before. */
	async take(count: number): Promise<Message[]> {
		while (this.#messages.length < count && !this.#ended)
			await new Promise<void>((resolve) => {
				this.#arrived = resolve;
			});
		return this.#messages.splice(0, count);
	}
}

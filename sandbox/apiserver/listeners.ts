import {
	type AddressInfo,
	createServer,
	type Server,
	type Socket,
} from "node:net";
import type { Clock } from "../../operator/clock.ts";
import { FairleadError } from "../../operator/errors.ts";
import { listen } from "../../operator/probes/listen.ts";

/** How long a connection whose client reads nothing may hold up the end. */
const patience = 2_000;

export interface ListenerOptions {
	host: string;
	/** 0: any free port. */
	port: number;
	/** Already open, made by somebody else; `host` and `port` are then not opened. */
	listener?: Server;
	/** Sockets that listen already. */
	also?: readonly { fd: number }[];
	clock: Clock;
}

/** Every socket that connections come in by. */
export class Listeners {
	readonly port: number;
	readonly #servers: Server[];
	readonly #sockets: Set<Socket>;
	readonly #clock: Clock;

	private constructor(parts: {
		servers: Server[];
		sockets: Set<Socket>;
		port: number;
		clock: Clock;
	}) {
		this.#servers = parts.servers;
		this.#sockets = parts.sockets;
		this.port = parts.port;
		this.#clock = parts.clock;
	}

	/** Hands each connection to `accept`, those of a `listener` from this moment on. Throws ListenFailed. */
	static async open(
		{ host, port, listener, also = [], clock }: ListenerOptions,
		accept: (socket: Socket) => void,
	): Promise<Listeners> {
		const sockets = new Set<Socket>();
		const servers: Server[] = [];
		const use = (server: Server): Server => {
			servers.push(server);
			return server.on("connection", (socket: Socket) => {
				sockets.add(socket);
				socket.setNoDelay(true);
				socket.on("close", () => sockets.delete(socket));
				accept(socket);
			});
		};
		const opened = (at: number) =>
			new Listeners({ servers, sockets, port: at, clock });
		try {
			const at = listener
				? portOf(use(listener))
				: await listen(use(createServer({ allowHalfOpen: true })), host, port);
			for (const { fd } of also)
				await listenOnFd(use(createServer({ allowHalfOpen: true })), fd);
			return opened(at);
		} catch (error) {
			await opened(0).close();
			throw error;
		}
	}

	/** Takes no more connections, lets what was written leave, and resolves when all are closed. */
	async close(): Promise<void> {
		const closed = this.#servers.map(
			(server) => new Promise<void>((done) => server.close(() => done())),
		);
		for (const socket of this.#sockets) socket.destroySoon();
		const cancel = this.#clock.after(patience, () => {
			for (const socket of this.#sockets) socket.destroy();
		});
		await Promise.all(closed);
		cancel();
	}
}

function portOf(listener: Server): number {
	const address = listener.address() as AddressInfo | null;
	if (!address)
		throw new FairleadError(
			"ListenFailed",
			"the listener that was handed over does not listen",
		);
	return address.port;
}

function listenOnFd(server: Server, fd: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", (cause) =>
			reject(
				new FairleadError(
					"ListenFailed",
					`cannot listen on file descriptor ${fd}: ${cause.message}`,
					{ cause },
				),
			),
		);
		server.listen({ fd }, resolve);
	});
}

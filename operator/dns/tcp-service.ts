import type { Server, Socket } from "node:net";
import type { Cancel, Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { DnsMetrics } from "./metrics.ts";
import type { Respond } from "./responder.ts";
import { frame, FrameReader } from "./tcp-frames.ts";

export const tcpDefaults = {
	/** Milliseconds a connection may say nothing, as long as it is owed nothing. */
	idleMs: 10_000,
	/** Milliseconds from a message's first byte to its last. */
	messageMs: 3000,
	/** Connections at the same time; one more ends the one that has been quiet the longest. */
	connections: 512,
	/** Queries of one connection that are answered at the same time; it is not read beyond. */
	pipelined: 64,
	/** Bytes a client may leave unread before its connection is cut. */
	unreadBytes: 262_144,
	/** Bytes of the longest query: far more than a question and its options need. */
	queryBytes: 4096,
};

export interface TcpServiceOptions {
	server: Server;
	respond: Respond;
	clock: Clock;
	metrics: Pick<DnsMetrics, "dropped">;
	log: Log;
	tuning?: Partial<typeof tcpDefaults>;
}

/** Answers the queries of a TCP server's connections by RFC 7766: many on one, each as soon as its answer is there. */
export class TcpService {
	readonly #options: TcpServiceOptions;
	readonly #tuning: typeof tcpDefaults;
	/** Quiet the longest first. */
	readonly #connections = new Set<Connection>();

	constructor(options: TcpServiceOptions) {
		this.#options = options;
		this.#tuning = { ...tcpDefaults, ...options.tuning };
		options.server.on("connection", this.#accept);
		options.server.on("error", this.#failed);
	}

	get connections(): number {
		return this.#connections.size;
	}

	/** Takes no more queries, answers those under way, and closes the server. */
	async close(): Promise<void> {
		const { server } = this.#options;
		server.off("connection", this.#accept);
		const closed = new Promise<void>((resolve) =>
			server.close(() => resolve()),
		);
		for (const connection of this.#connections) connection.finish();
		await closed;
	}

	readonly #accept = (socket: Socket) => {
		if (this.#connections.size >= this.#tuning.connections) {
			const [quietest] = this.#connections;
			quietest?.cut("crowded out");
		}
		const connection = new Connection(socket, this.#options, this.#tuning, {
			active: () => {
				this.#connections.delete(connection);
				this.#connections.add(connection);
			},
			closed: () => this.#connections.delete(connection),
		});
		this.#connections.add(connection);
	};

	readonly #failed = (err: Error) => {
		this.#options.log.error({ err }, "a TCP server failed");
	};
}

class Connection {
	readonly #socket: Socket;
	readonly #options: TcpServiceOptions;
	readonly #tuning: typeof tcpDefaults;
	readonly #told: { active: () => void; closed: () => void };
	readonly #reader: FrameReader;
	#owed = 0;
	#finishing = false;
	#cancelTimer: Cancel = () => {};
	/** What the timer waits for. */
	#waitsFor: "query" | "rest" | "nothing" = "nothing";

	constructor(
		socket: Socket,
		options: TcpServiceOptions,
		tuning: typeof tcpDefaults,
		told: { active: () => void; closed: () => void },
	) {
		this.#socket = socket;
		this.#options = options;
		this.#tuning = tuning;
		this.#told = told;
		this.#reader = new FrameReader(tuning.queryBytes);
		socket.setNoDelay(true);
		socket.on("data", (bytes: Buffer) => this.#take(bytes));
		socket.on("end", () => this.finish());
		socket.on("error", (err) =>
			options.log.debug({ err }, "a connection failed"),
		);
		socket.on("close", () => {
			this.#cancelTimer();
			told.closed();
		});
		this.#wait();
	}

	/** Ends it at once. */
	cut(reason: string): void {
		if (this.#socket.destroyed) return;
		this.#options.metrics.dropped.inc({ reason });
		this.#told.closed();
		this.#socket.destroy();
	}

	/** Ends it as soon as nothing is owed. */
	finish(): void {
		this.#finishing = true;
		if (this.#owed > 0 || this.#socket.destroyed) return;
		this.#socket.end();
		// A client that does not end its side in turn, or reads nothing, must not keep the server.
		this.#setTimer("nothing", this.#tuning.messageMs, () =>
			this.#socket.destroy(),
		);
	}

	#take(bytes: Buffer): void {
		if (this.#finishing || this.#socket.destroyed) return;
		this.#told.active();
		let queries: Buffer[];
		try {
			queries = this.#reader.take(bytes);
		} catch (error) {
			if (!(error instanceof RangeError)) throw error;
			return this.cut("too long");
		}
		// The timer of a message under way must not be set back by each of its bytes.
		if (queries.length > 0) this.#waitsFor = "nothing";
		for (const query of queries) void this.#answer(query);
		this.#wait();
	}

	async #answer(query: Buffer): Promise<void> {
		this.#owed++;
		if (this.#owed >= this.#tuning.pipelined) this.#socket.pause();
		try {
			const response = await this.#options.respond(query, "tcp");
			if (response) this.#send(response);
			// Who sends what is no query has lost its place in the stream, or means harm.
			else this.cut("no query");
		} catch (err) {
			this.#options.log.error({ err }, "a query failed");
			this.cut("failed");
		}
		this.#owed--;
		if (this.#socket.destroyed) return;
		if (this.#finishing) return this.finish();
		if (this.#owed < this.#tuning.pipelined) this.#socket.resume();
		this.#wait();
	}

	#send(response: Buffer): void {
		if (this.#socket.destroyed) return;
		this.#socket.write(frame(response));
		if (this.#socket.writableLength > this.#tuning.unreadBytes)
			this.cut("unread");
	}

	#wait(): void {
		if (this.#finishing || this.#socket.destroyed) return;
		const { idleMs, messageMs } = this.#tuning;
		if (this.#reader.waiting) {
			if (this.#waitsFor !== "rest")
				this.#setTimer("rest", messageMs, () => this.cut("slow"));
		} else if (this.#owed === 0)
			this.#setTimer("query", idleMs, () => this.finish());
		else this.#setTimer("nothing", 0, undefined);
	}

	#setTimer(
		waitsFor: "query" | "rest" | "nothing",
		ms: number,
		run: (() => void) | undefined,
	): void {
		this.#cancelTimer();
		this.#waitsFor = waitsFor;
		this.#cancelTimer = run ? this.#options.clock.after(ms, run) : () => {};
	}
}

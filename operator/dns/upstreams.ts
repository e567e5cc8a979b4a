import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, isIPv6, type Socket as TcpSocket } from "node:net";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { readHeader } from "./decode.ts";
import { flagBits, rcodes } from "./message.ts";
import type { DnsMetrics } from "./metrics.ts";
import { readName } from "./names.ts";
import { frame, FrameReader } from "./tcp-frames.ts";

export interface SocketAddress {
	/** An IP address. */
	host: string;
	port: number;
}

export const upstreamDefaults = {
	/** Milliseconds one resolver may take to answer over one transport. */
	timeoutMs: 2000,
	/** Queries under way at the same time; more are refused at once. */
	limit: 1000,
};

export interface UpstreamsOptions {
	/** At least one, the preferred first. */
	addresses: readonly SocketAddress[];
	clock: Clock;
	log: Log;
	metrics: Pick<DnsMetrics, "forwards">;
	/** An id of 16 bits nobody can guess: with the socket's own port it keeps forged answers out (RFC 5452). */
	queryId: () => number;
	tuning?: Partial<typeof upstreamDefaults>;
}

/**
 * Asks other resolvers. Every query has a socket of its own, so that its port is as hard to guess as its id. Who failed
 * to answer is asked last until another fails.
 */
export class Upstreams {
	readonly #options: UpstreamsOptions;
	readonly #tuning: typeof upstreamDefaults;
	readonly #cancels = new Set<() => void>();
	#order: SocketAddress[];
	#closed = false;

	constructor(options: UpstreamsOptions) {
		this.#options = options;
		this.#tuning = { ...upstreamDefaults, ...options.tuning };
		this.#order = [...options.addresses];
	}

	/**
	 * The answer to a query, under the query's own id; undefined when nobody answered in time. One that answers
	 * neither with records nor that there are none counts only when no other answers better. `whole` asks again over TCP for what was truncated.
	 */
	async ask(query: Buffer, whole: boolean): Promise<Buffer | undefined> {
		const { metrics } = this.#options;
		if (this.#closed || this.#cancels.size >= this.#tuning.limit) {
			metrics.forwards.inc({ outcome: "refused" });
			return undefined;
		}
		let worse: Buffer | undefined;
		const attempts =
			this.#order.length === 1
				? [...this.#order, ...this.#order]
				: [...this.#order];
		for (const address of attempts) {
			const answer = await this.#askOne(address, query, whole);
			if (answer && !isRefusal(answer)) {
				metrics.forwards.inc({ outcome: "answered" });
				return withId(answer, query);
			}
			worse ??= answer;
			this.#order = [...this.#order.filter((one) => one !== address), address];
			if (this.#closed) break;
		}
		metrics.forwards.inc({ outcome: worse ? "failed" : "unanswered" });
		return worse && withId(worse, query);
	}

	/** Ends what is under way as unanswered. */
	close(): void {
		this.#closed = true;
		for (const cancel of [...this.#cancels]) cancel();
	}

	async #askOne(
		address: SocketAddress,
		query: Buffer,
		whole: boolean,
	): Promise<Buffer | undefined> {
		const sent = Buffer.from(query);
		sent.writeUInt16BE(this.#options.queryId() & 0xffff, 0);
		const answer = await this.#exchange(address, (done) =>
			overUdp(address, sent, done),
		);
		const truncated =
			answer && (answer.readUInt16BE(2) & flagBits.truncated) !== 0;
		if (!truncated || !whole || this.#closed) return answer;
		return this.#exchange(address, (done) => overTcp(address, sent, done));
	}

	/** Runs one exchange; `start` returns what ends it. Resolves with undefined after the time limit. */
	#exchange(
		address: SocketAddress,
		start: (done: Done) => () => void,
	): Promise<Buffer | undefined> {
		const { clock, log } = this.#options;
		return new Promise((resolve) => {
			let end = () => {};
			const finish = (answer?: Buffer, err?: Error) => {
				this.#cancels.delete(cancel);
				stopTimer();
				end();
				if (err) log.debug({ err, upstream: address }, "upstream failed");
				resolve(answer);
			};
			const cancel = () => finish();
			const stopTimer = clock.after(this.#tuning.timeoutMs, cancel);
			this.#cancels.add(cancel);
			end = start(finish);
		});
	}
}

/** Takes the answer, or what went wrong, or neither when there will be none. */
type Done = (answer?: Buffer, error?: Error) => void;

function overUdp(
	{ host, port }: SocketAddress,
	query: Buffer,
	done: Done,
): () => void {
	const socket: UdpSocket = createSocket(isIPv6(host) ? "udp6" : "udp4");
	let open = true;
	socket.on("error", (error) => done(undefined, error));
	socket.on("message", (bytes) => {
		if (answers(bytes, query)) done(bytes);
	});
	// Connected, the kernel takes packets from that resolver only, and tells when nobody listens there.
	socket.connect(port, host, () => {
		if (open)
			socket.send(query, (error) => {
				if (error) done(undefined, error);
			});
	});
	return () => {
		if (open) socket.close();
		open = false;
	};
}

function overTcp(
	{ host, port }: SocketAddress,
	query: Buffer,
	done: Done,
): () => void {
	const socket: TcpSocket = connect(port, host);
	const reader = new FrameReader(65_535);
	socket.on("error", (error) => done(undefined, error));
	socket.on("close", () => done());
	socket.on("data", (bytes: Buffer) => {
		for (const message of reader.take(bytes))
			if (answers(message, query)) done(message);
	});
	socket.write(frame(query));
	return () => {
		socket.removeAllListeners("close");
		socket.destroy();
	};
}

/** Whether this is an answer to that: same id, same question, or an error that repeats none. */
function answers(bytes: Buffer, query: Buffer): boolean {
	const header = readHeader(bytes);
	if (!header || (header.flags & flagBits.response) === 0) return false;
	if (header.id !== query.readUInt16BE(0)) return false;
	const questions = bytes.readUInt16BE(4);
	if (questions === 0) return (header.flags & flagBits.rcode) !== 0;
	const end = readName(query, 12).end + 4;
	return (
		questions === 1 &&
		sameQuestion(bytes.subarray(12, end), query.subarray(12, end))
	);
}

/** Names are equal in any case: a resolver need not echo it. */
function sameQuestion(a: Buffer, b: Buffer): boolean {
	return (
		a.toString("latin1").toLowerCase() === b.toString("latin1").toLowerCase()
	);
}

function isRefusal(answer: Buffer): boolean {
	const rcode = answer.readUInt16BE(2) & flagBits.rcode;
	return rcode !== rcodes.NOERROR && rcode !== rcodes.NXDOMAIN;
}

function withId(answer: Buffer, query: Buffer): Buffer {
	const own = Buffer.from(answer);
	query.copy(own, 0, 0, 2);
	return own;
}

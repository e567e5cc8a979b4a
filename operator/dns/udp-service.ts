import type { RemoteInfo, Socket } from "node:dgram";
import type { Log } from "../log.ts";
import type { DnsMetrics } from "./metrics.ts";
import type { Respond } from "./responder.ts";

export interface UdpServiceOptions {
	/** Bound. */
	socket: Socket;
	respond: Respond;
	metrics: Pick<DnsMetrics, "dropped">;
	log: Log;
}

/** Answers the datagrams of one socket. */
export class UdpService {
	readonly #options: UdpServiceOptions;
	#owed = 0;
	#settled: () => void = () => {};

	constructor(options: UdpServiceOptions) {
		this.#options = options;
		options.socket.on("message", this.#take);
		options.socket.on("error", (err) =>
			options.log.error({ err }, "a UDP socket failed"),
		);
	}

	/** Takes no more queries, answers those under way, and closes the socket. */
	async close(): Promise<void> {
		const { socket } = this.#options;
		socket.off("message", this.#take);
		if (this.#owed > 0)
			await new Promise<void>((resolve) => {
				this.#settled = resolve;
			});
		await new Promise<void>((resolve) => socket.close(() => resolve()));
	}

	readonly #take = (bytes: Buffer, from: RemoteInfo) => {
		// Nobody can be answered at port 0.
		if (from.port === 0) return;
		this.#owed++;
		try {
			const response = this.#options.respond(bytes, "udp");
			if (response instanceof Promise)
				response
					.then((made) => this.#send(made, from))
					.catch((error: unknown) => this.#failed(error));
			else this.#send(response, from);
		} catch (error) {
			this.#failed(error);
		}
	};

	#send(response: Buffer | undefined, to: RemoteInfo): void {
		if (!response) return this.#paid();
		const { socket, log, metrics } = this.#options;
		socket.send(response, to.port, to.address, (err) => {
			if (err) {
				metrics.dropped.inc({ reason: "unsent" });
				log.debug({ err, client: to.address }, "a response was not sent");
			}
			this.#paid();
		});
	}

	#failed(err: unknown): void {
		this.#options.metrics.dropped.inc({ reason: "failed" });
		this.#options.log.error({ err }, "a query failed");
		this.#paid();
	}

	#paid(): void {
		this.#owed--;
		if (this.#owed === 0) this.#settled();
	}
}

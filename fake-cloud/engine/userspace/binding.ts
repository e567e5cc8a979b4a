import { createSocket } from "node:dgram";
import { createServer, isIP, type Socket } from "node:net";
import type { Cancel, Clock } from "../../../operator/clock.ts";
import { isFairleadError } from "../../../operator/errors.ts";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import { bindUdpIn, listenIn } from "../../../operator/kernel/sockets.ts";
import type { Transport } from "../../store/listener-key.ts";
import type { Datagram } from "./datagram-service.ts";

export interface BindingOptions {
	transport: Transport;
	address: string;
	port: number;
	/** Where; absent: this machine. */
	namespace?: NetworkNamespace | undefined;
	clock: Clock;
	/** TCP. */
	accept: (client: Socket) => void;
	/** UDP. */
	hear: (datagram: Datagram) => void;
	/** Why it is not open; null when it is. */
	changed(failure: string | null): void;
}

const bindAgainMs = 5_000;

/** A socket as far as it concerns a binding. */
interface Opened {
	close(): unknown;
}

/** A port of a balancer's address that is really open. What cannot be opened is tried again until it is taken away. */
export class Binding {
	readonly #options: BindingOptions;
	#socket: Opened | undefined;
	#cancel: Cancel = () => {};
	#failure: string | null = null;

	constructor(options: BindingOptions) {
		this.#options = options;
		this.#open();
	}

	/** Why it is not open; null when it is, or is about to be. */
	get failure(): string | null {
		return this.#failure;
	}

	/** No new connections; the ones there are go on. */
	close(): void {
		this.#cancel();
		this.#socket?.close();
		this.#socket = undefined;
	}

	/** In a namespace the port is open when this returns. */
	#open(): void {
		try {
			this.#socket =
				this.#options.transport === "udp" ? this.#openUdp() : this.#openTcp();
		} catch (error) {
			if (!isFairleadError(error)) throw error;
			this.#failed(error.reason ?? error.code, error.message);
		}
	}

	#openTcp(): Opened {
		const { address, port, namespace, accept } = this.#options;
		const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
		server.on("error", (error: NodeJS.ErrnoException) => {
			if (this.#socket === server)
				this.#failed(error.code ?? "", error.message);
		});
		const opened = () => this.#become(null);
		if (namespace)
			server.listen({ fd: listenIn(namespace, address, port) }, opened);
		else server.listen({ host: address, port, exclusive: true }, opened);
		return server;
	}

	#openUdp(): Opened {
		const { address, port, namespace, hear } = this.#options;
		const socket = createSocket(isIP(address) === 6 ? "udp6" : "udp4");
		socket.on("error", (error: NodeJS.ErrnoException) => {
			if (this.#socket !== socket) return;
			socket.close();
			this.#failed(error.code ?? "", error.message);
		});
		socket.on("message", (data, from) =>
			hear({
				data,
				from: { address: from.address, port: from.port },
				address,
				port,
				answer: (said) => {
					// What cannot be sent is lost, as datagrams are; without a callback it would be the socket's error.
					if (this.#socket === socket)
						socket.send(said, from.port, from.address, () => {});
				},
			}),
		);
		const opened = () => this.#become(null);
		if (namespace)
			socket.bind({ fd: bindUdpIn(namespace, address, port) }, opened);
		else socket.bind({ address, port, exclusive: true }, opened);
		return socket;
	}

	#failed(code: string, message: string): void {
		const { address, port, clock } = this.#options;
		this.#socket = undefined;
		this.#cancel = clock.after(bindAgainMs, () => this.#open());
		this.#become(explain(code, message, address, port));
	}

	#become(failure: string | null): void {
		if (failure === this.#failure) return;
		this.#failure = failure;
		this.#options.changed(failure);
	}
}

function explain(
	code: string,
	message: string,
	address: string,
	port: number,
): string {
	const where = `${address.includes(":") ? `[${address}]` : address}:${port}`;
	switch (code) {
		case "EADDRINUSE":
			return `${where} is in use by another process`;
		case "EACCES":
		case "EPERM":
			return `this process may not open ${where}; ports below 1024 need privileges`;
		case "EADDRNOTAVAIL":
			return `this machine does not have the address ${address}`;
		default:
			return `${where}: ${message}`;
	}
}

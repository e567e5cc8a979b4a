import { createServer, type Server, type Socket } from "node:net";
import type { Cancel, Clock } from "../../../operator/clock.ts";

export interface BindingOptions {
	address: string;
	port: number;
	clock: Clock;
	accept(client: Socket): void;
	/** Whether it is open, or why not, has changed. */
	changed(): void;
}

const bindAgainMs = 5_000;

/** A port of this machine that stands for a balancer's. What cannot be opened is tried again until it is taken away. */
export class Binding {
	readonly #options: BindingOptions;
	#server: Server | undefined;
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
		this.#server?.close();
		this.#server = undefined;
	}

	#open(): void {
		const { address, port, clock } = this.#options;
		const server = createServer(
			{ allowHalfOpen: true, noDelay: true },
			(client) => this.#options.accept(client),
		);
		this.#server = server;
		server.on("error", (error: NodeJS.ErrnoException) => {
			if (this.#server !== server) return;
			this.#become(explain(error, address, port));
			this.#cancel = clock.after(bindAgainMs, () => this.#open());
		});
		server.listen({ host: address, port, exclusive: true }, () =>
			this.#become(null),
		);
	}

	#become(failure: string | null): void {
		if (failure === this.#failure) return;
		this.#failure = failure;
		this.#options.changed();
	}
}

function explain(
	error: NodeJS.ErrnoException,
	address: string,
	port: number,
): string {
	const where = `${address.includes(":") ? `[${address}]` : address}:${port}`;
	switch (error.code) {
		case "EADDRINUSE":
			return `${where} is in use by another process`;
		case "EACCES":
			return `this process may not open ${where}; ports below 1024 need privileges`;
		case "EADDRNOTAVAIL":
			return `this machine does not have the address ${address}`;
		default:
			return `${where}: ${error.message}`;
	}
}

import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** A way to a port of this machine that a test can cut and mend. */
export class PulledPlug {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#cut = false;

	constructor(port: number) {
		this.#server = createServer((near) => {
			if (this.#cut) return near.destroy();
			const far = connect(port, "127.0.0.1");
			for (const [one, other] of [
				[near, far],
				[far, near],
			] as const) {
				this.#sockets.add(one);
				one.on("error", () => other.destroy()); // Cut on purpose.
				one.on("close", () => {
					this.#sockets.delete(one);
					other.destroy();
				});
				one.pipe(other);
			}
		});
	}

	async listen(): Promise<string> {
		this.#server.listen(0, "127.0.0.1");
		await once(this.#server, "listening");
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	cut(): void {
		this.#cut = true;
		for (const socket of this.#sockets) socket.destroy();
	}

	mend(): void {
		this.#cut = false;
	}

	async close(): Promise<void> {
		this.cut();
		this.#server.close();
		await once(this.#server, "close");
	}
}

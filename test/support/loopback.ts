import type http from "node:http";
import type net from "node:net";
import { once } from "node:events";

/** Servers of one test file, all on 127.0.0.1; `closeAll` in afterEach cuts what is still open. */
export class Loopback {
	readonly #servers: { server: net.Server; sockets: Set<net.Socket> }[] = [];

	/** Resolves with the port once `server` listens. */
	async listen(server: net.Server | http.Server): Promise<number> {
		const sockets = new Set<net.Socket>();
		server.on("connection", (socket: net.Socket) => {
			sockets.add(socket);
			socket.on("error", () => {}); // A test cuts connections on purpose.
			socket.on("close", () => sockets.delete(socket));
		});
		this.#servers.push({ server, sockets });
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return (server.address() as net.AddressInfo).port;
	}

	async closeAll(): Promise<void> {
		const closing = this.#servers.splice(0).map(({ server, sockets }) => {
			for (const socket of sockets) socket.destroy();
			return new Promise((resolve) => server.close(resolve));
		});
		await Promise.all(closing);
	}
}

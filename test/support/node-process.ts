import { createServer, type Server } from "node:http";

/** What listens behind a node's address: answers with the node's name, on as many ports as a test opens. */
export class NodeProcess {
	readonly name: string;
	readonly address: string;
	readonly #servers = new Map<number, Server>();

	constructor(name: string, address: string) {
		this.name = name;
		this.address = address;
	}

	/** Opens a port; every request is answered with `status` and the node's name. */
	async open(port: number, status = 200): Promise<void> {
		const server = createServer((_request, response) => {
			response.writeHead(status, { connection: "close" }).end(this.name);
		});
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(port, this.address, resolve);
		});
		this.#servers.set(port, server);
	}

	async shut(port: number): Promise<void> {
		const server = this.#servers.get(port);
		if (!server) return;
		this.#servers.delete(port);
		await new Promise((resolve) => {
			server.close(resolve);
			server.closeAllConnections();
		});
	}

	async close(): Promise<void> {
		await Promise.all([...this.#servers.keys()].map((port) => this.shut(port)));
	}
}

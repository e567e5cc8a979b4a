import { createServer, type Server } from "node:http";
import { listen } from "../operator/probes/listen.ts";

/**
 * Stands where a node will be: answers HTTP on NodePorts of its own address, with its name. Pods, and the rules that lead
 * a NodePort to them, are not part of the sandbox yet.
 */
export class NodeStandIn {
	readonly name: string;
	readonly address: string;
	readonly #servers: Server[] = [];

	constructor(name: string, address: string) {
		this.name = name;
		this.address = address;
	}

	/** Throws ListenFailed. */
	async serve(nodePort: number): Promise<void> {
		const server = createServer((request, response) => {
			response
				.writeHead(200, { "content-type": "text/plain" })
				.end(`${this.name} answers ${request.method} ${request.url}\n`);
		});
		await listen(server, this.address, nodePort);
		this.#servers.push(server);
	}

	async close(): Promise<void> {
		await Promise.all(
			this.#servers.map(
				(server) =>
					new Promise<void>((resolve) => {
						server.close(() => resolve());
						server.closeAllConnections();
					}),
			),
		);
	}
}

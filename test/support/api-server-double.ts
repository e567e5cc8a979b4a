import http from "node:http";
import { createKubeClient } from "../../operator/cluster/client.ts";
import type { Connection } from "../../operator/cluster/connection.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { type Clock, systemClock } from "../../operator/clock.ts";
import { plainConnection } from "./connection.ts";
import { Loopback } from "./loopback.ts";
import { quietLog } from "./quiet-log.ts";

/** What a server was asked. */
export interface Seen {
	method: string | undefined;
	url: string | undefined;
	headers: http.IncomingHttpHeaders;
	body: unknown;
}

/** HTTP servers that answer as told, and KubeClients of them; `end` in afterEach closes both. */
export class ApiServerDouble {
	readonly loopback = new Loopback();
	readonly #clients: KubeClient[] = [];

	/** A server that hands each complete request to `answer`, with its number from 1. */
	async start(
		answer: (request: Seen, response: http.ServerResponse, nth: number) => void,
	): Promise<{ port: number; seen: Seen[] }> {
		const seen: Seen[] = [];
		const port = await this.loopback.listen(
			http.createServer((request, response) => {
				let text = "";
				request.setEncoding("utf8");
				request.on("data", (chunk: string) => (text += chunk));
				request.on("end", () => {
					const { method, url, headers } = request;
					const body = text ? (JSON.parse(text) as unknown) : undefined;
					const one = { method, url, headers, body };
					seen.push(one);
					answer(one, response, seen.length);
				});
			}),
		);
		return { port, seen };
	}

	client(
		port: number,
		more: Partial<Connection> = {},
		{ clock = systemClock as Clock, maxSockets = 4, path = "" } = {},
	): KubeClient {
		const client = createKubeClient(
			plainConnection(`http://127.0.0.1:${port}${path}`, more),
			{ clock, log: quietLog(), userAgent: "fairlead-test/0", maxSockets },
		);
		this.#clients.push(client);
		return client;
	}

	async end(): Promise<void> {
		for (const client of this.#clients.splice(0)) client.close();
		await this.loopback.closeAll();
	}
}

/** Answers with JSON, or with text as it is. */
export function reply(
	response: http.ServerResponse,
	body: unknown,
	status = 200,
	headers: http.OutgoingHttpHeaders = {},
): void {
	response.writeHead(status, {
		"content-type": "application/json",
		...headers,
	});
	response.end(typeof body === "string" ? body : JSON.stringify(body));
}

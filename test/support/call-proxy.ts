import {
	createServer,
	type IncomingMessage,
	type OutgoingHttpHeaders,
	request as plainRequest,
	type Server,
	type ServerResponse,
} from "node:http";
import { request as tlsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** One call of whoever talks through the proxy. */
export interface ProxiedCall {
	/** From 0, over all proxies that share a counter. */
	number: number;
	side: string;
	method: string;
	path: string;
	/** Open-ended: a watch. */
	watch: boolean;
}

export interface CallProxyOptions {
	side: string;
	upstream: string;
	/** PEM of the upstream's authority. */
	ca?: string;
	/** Called before a call is passed on; while it has not resolved the upstream knows nothing of the call. */
	before?: (call: ProxiedCall) => void | Promise<void>;
	/** Called when the upstream has answered and nothing of the answer was passed back yet. */
	after?: (call: ProxiedCall) => void | Promise<void>;
	/** Shared by several proxies, so that calls to different servers have one order. */
	counter?: { next: number };
}

/** Stands between a client and a server, counts calls, and lets a test act at exact points. */
export class CallProxy {
	readonly calls: ProxiedCall[] = [];
	readonly #options: CallProxyOptions;
	readonly #server: Server;
	readonly #counter: { next: number };

	private constructor(options: CallProxyOptions) {
		this.#options = options;
		this.#counter = options.counter ?? { next: 0 };
		this.#server = createServer((request, response) => {
			this.#pass(request, response).catch(() => response.destroy());
		});
	}

	static async start(options: CallProxyOptions): Promise<CallProxy> {
		const proxy = new CallProxy(options);
		await new Promise<void>((resolve) =>
			proxy.#server.listen(0, "127.0.0.1", resolve),
		);
		return proxy;
	}

	get url(): string {
		const { port } = this.#server.address() as AddressInfo;
		return `http://127.0.0.1:${port}`;
	}

	async close(): Promise<void> {
		await new Promise((resolve) => {
			this.#server.close(resolve);
			this.#server.closeAllConnections();
		});
	}

	async #pass(
		request: IncomingMessage,
		response: ServerResponse,
	): Promise<void> {
		const { side, upstream, ca, before, after } = this.#options;
		const path = request.url ?? "/";
		const call: ProxiedCall = {
			number: this.#counter.next++,
			side,
			method: request.method ?? "GET",
			path,
			watch: /[?&]watch=(true|1)\b/.test(path),
		};
		this.calls.push(call);
		const body = await buffer(request);
		await before?.(call);
		const target = new URL(path, upstream);
		const headers: OutgoingHttpHeaders = {
			...request.headers,
			host: target.host,
		};
		delete headers["transfer-encoding"];
		if (body.length > 0) headers["content-length"] = body.length;
		const answer = await new Promise<IncomingMessage>((resolve, reject) => {
			const send = target.protocol === "https:" ? tlsRequest : plainRequest;
			const outgoing = send(
				target,
				// A connection of its own: one kept alive could be closed by the upstream just as it is used again.
				{
					method: call.method,
					headers,
					agent: false,
					...(ca ? { ca } : {}),
				},
				resolve,
			);
			outgoing.on("error", reject);
			response.on("close", () => outgoing.destroy());
			outgoing.end(body);
		});
		if (call.watch) {
			await after?.(call);
			response.writeHead(answer.statusCode ?? 502, answer.headers);
			response.flushHeaders();
			answer.pipe(response);
			answer.on("error", () => response.destroy());
			return;
		}
		const content = await buffer(answer);
		await after?.(call);
		const passed = { ...answer.headers };
		delete passed["transfer-encoding"];
		passed["content-length"] = String(content.length);
		response.writeHead(answer.statusCode ?? 502, passed).end(content);
	}
}

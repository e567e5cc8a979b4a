import { createHash } from "node:crypto";
import {
	createServer,
	type IncomingMessage,
	request,
	type Server,
	type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Service } from "../../store/records.ts";
import type { Client, Counters } from "../engine.ts";
import { type OutletOptions, open } from "./outlet.ts";
import { proxyHeader } from "./proxy-protocol.ts";
import { reset, splice } from "./splice.ts";

export interface HttpTarget {
	key: string;
	address: string | null;
	counters: Counters;
}

export interface HttpServiceOptions extends OutletOptions {
	idleMs: number;
	/** As it is now; undefined once it has been taken away. */
	service(): Service | undefined;
	/** The targets a request may try, in that order. */
	targets(): HttpTarget[];
	moved(target: Counters, direction: "in" | "out", bytes: number): void;
	/** No target could be had for a request. */
	failed(): void;
}

/** Headers that concern one hop only (RFC 9110, 7.6.1); Node has answered Expect. */
const hopByHop = new Set([
	"connection",
	"keep-alive",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"expect",
]);

interface Exchange {
	service: Service;
	target: HttpTarget;
	outlet: Socket;
}

/** A listener that speaks HTTP/1.1: every request goes to a target of its own, or to the one a cookie names. */
export class HttpService {
	readonly #options: HttpServiceOptions;
	readonly #server: Server;
	/** Where each client connection came from, and the address it came to. */
	readonly #clients = new WeakMap<Duplex, { from: Client; address: string }>();

	constructor(options: HttpServiceOptions) {
		this.#options = options;
		this.#server = createServer((incoming, answer) => {
			this.#forward(incoming, answer).catch(() => {
				if (answer.headersSent) answer.destroy();
				else refuse(answer, 502, "the target did not answer");
			});
		});
		this.#server.on("upgrade", (incoming, client, head) => {
			this.#upgrade(incoming, client, head).catch(() => reset(client));
		});
		this.#server.on("clientError", (_error, client) => {
			if (client.writable)
				client.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
		});
	}

	accept(client: Duplex, from: Client, address: string): void {
		this.#clients.set(client, { from, address });
		const seconds = this.#options.service()?.http?.timeout_idle ?? 30;
		this.#server.keepAliveTimeout = seconds * 1000;
		this.#server.emit("connection", client);
	}

	async #forward(
		incoming: IncomingMessage,
		answer: ServerResponse,
	): Promise<void> {
		const gone = new AbortController();
		answer.once("close", () => gone.abort());
		const exchange = await this.#connect(incoming, gone.signal);
		if (!exchange) {
			if (gone.signal.aborted) return;
			this.#options.failed();
			refuse(answer, 503, "no target is available");
			return;
		}
		const { service, target, outlet } = exchange;
		const outgoing = request({
			createConnection: () => outlet,
			method: incoming.method,
			path: incoming.url,
			headers: [...this.#headers(incoming, service), "Connection", "close"],
			signal: gone.signal,
		});
		this.#count(target.counters, answer);
		incoming.on("data", (chunk: Buffer) =>
			this.#options.moved(target.counters, "in", chunk.length),
		);
		incoming.pipe(outgoing);
		const response = await new Promise<IncomingMessage>((resolve, reject) => {
			outgoing.on("response", resolve).on("error", reject);
		});
		response.on("data", (chunk: Buffer) =>
			this.#options.moved(target.counters, "out", chunk.length),
		);
		// Cut short by the target: the client must not take it for the whole.
		response.on("error", () => answer.destroy());
		answer.writeHead(response.statusCode ?? 502, response.statusMessage, [
			...endToEnd(response.rawHeaders),
			...setCookie(incoming, service, target),
		]);
		response.pipe(answer);
	}

	/** From here on it is bytes: the target's answer to the upgrade goes through as it is. */
	async #upgrade(
		incoming: IncomingMessage,
		client: Duplex,
		head: Buffer,
	): Promise<void> {
		const gone = new AbortController();
		const abort = () => gone.abort();
		client.once("close", abort).on("error", () => {});
		const exchange = await this.#connect(incoming, gone.signal);
		if (!exchange) {
			if (gone.signal.aborted) return;
			this.#options.failed();
			client.end(
				"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
			);
			return;
		}
		client.off("close", abort);
		const { service, target, outlet } = exchange;
		const headers = [
			...this.#headers(incoming, service),
			"Connection",
			"Upgrade",
			"Upgrade",
			incoming.headers.upgrade ?? "",
		];
		outlet.write(
			`${incoming.method} ${incoming.url} HTTP/1.1\r\n${headerLines(headers)}\r\n`,
		);
		outlet.write(head);
		const { clock, idleMs } = this.#options;
		this.#count(target.counters, client);
		splice(client, outlet, {
			clock,
			idleMs,
			counted: (direction, bytes) =>
				this.#options.moved(target.counters, direction, bytes),
		});
	}

	/** A connection to a target; nothing of the request has been sent, so the next may be tried while one refuses. */
	async #connect(
		incoming: IncomingMessage,
		signal: AbortSignal,
	): Promise<Exchange | undefined> {
		const service = this.#options.service();
		if (!service) return undefined;
		const asked = cookieOf(incoming, service);
		const targets = this.#options.targets();
		const kept = targets.findIndex((target) => stickyValue(target) === asked);
		const ordered =
			kept < 0
				? targets
				: [targets[kept] as HttpTarget, ...targets.toSpliced(kept, 1)];
		for (const target of ordered) {
			if (target.address === null) continue;
			const outlet = await open(
				this.#options,
				target.address,
				service.destination_port,
				signal,
			).catch(() => undefined);
			if (!outlet) continue;
			const client = this.#clients.get(incoming.socket);
			if (service.proxyprotocol && client)
				outlet.write(
					proxyHeader(client.from, client.address, service.listen_port),
				);
			return { service, target, outlet };
		}
		return undefined;
	}

	#count(
		counters: Counters,
		over: { once(event: "close", listener: () => void): unknown },
	): void {
		counters.open++;
		counters.total++;
		over.once("close", () => counters.open--);
	}

	#headers(incoming: IncomingMessage, service: Service): string[] {
		const from = this.#clients.get(incoming.socket)?.from.address ?? "";
		const before = incoming.headers["x-forwarded-for"];
		const headers = endToEnd(incoming.rawHeaders, [
			"x-forwarded-for",
			"x-forwarded-proto",
			"x-forwarded-port",
		]);
		headers.push(
			"X-Forwarded-For",
			before === undefined ? from : `${String(before)}, ${from}`,
		);
		headers.push(
			"X-Forwarded-Proto",
			"http",
			"X-Forwarded-Port",
			String(service.listen_port),
		);
		if (incoming.headers["transfer-encoding"] !== undefined)
			headers.push("Transfer-Encoding", "chunked");
		return headers;
	}
}

/** Names and values in turn, as they came, without the ones of this hop and those in `but`. */
function endToEnd(
	raw: readonly string[],
	but: readonly string[] = [],
): string[] {
	const kept: string[] = [];
	for (let i = 0; i + 1 < raw.length; i += 2) {
		const [name = "", value = ""] = [raw[i], raw[i + 1]];
		const lower = name.toLowerCase();
		if (!hopByHop.has(lower) && !but.includes(lower)) kept.push(name, value);
	}
	return kept;
}

function headerLines(raw: readonly string[]): string {
	let lines = "";
	for (let i = 0; i + 1 < raw.length; i += 2)
		lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
	return lines;
}

function refuse(answer: ServerResponse, status: number, why: string): void {
	answer
		.writeHead(status, { "Content-Type": "text/plain" })
		.end(`${status}: ${why}\n`);
}

function stickyValue({ key }: HttpTarget): string {
	return createHash("sha256").update(key).digest("hex").slice(0, 32);
}

function cookieOf(
	incoming: IncomingMessage,
	{ http }: Service,
): string | undefined {
	if (!http?.sticky_sessions) return undefined;
	for (const cookie of (incoming.headers.cookie ?? "").split(";")) {
		const [name, ...value] = cookie.trim().split("=");
		if (name === http.cookie_name) return value.join("=");
	}
	return undefined;
}

function setCookie(
	incoming: IncomingMessage,
	service: Service,
	target: HttpTarget,
): string[] {
	const { http } = service;
	const value = stickyValue(target);
	if (!http?.sticky_sessions || cookieOf(incoming, service) === value)
		return [];
	return [
		"Set-Cookie",
		`${http.cookie_name}=${value}; Max-Age=${http.cookie_lifetime}; Path=/; HttpOnly`,
	];
}

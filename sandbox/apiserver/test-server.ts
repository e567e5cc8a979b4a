import { randomBytes } from "node:crypto";
import { request } from "node:https";
import { gunzipSync } from "node:zlib";
import type { Clock } from "../../operator/clock.ts";
import { systemClock } from "../../operator/clock.ts";
import type { Log } from "../../operator/log.ts";
import {
	type ApiServer,
	type ApiServerOptions,
	startApiServer,
} from "./start.ts";
import type { JsonObject } from "./schema/decode.ts";

/** What came back. */
export interface Reply {
	code: number;
	headers: Record<string, string | string[] | undefined>;
	body: JsonObject;
}

export interface TestServer {
	server: ApiServer;
	/** One request; a string body is sent as it is, everything else as JSON. */
	call(
		method: string,
		path: string,
		body?: unknown,
		headers?: Record<string, string>,
	): Promise<Reply>;
	/** PATCH, by the short name of its format. */
	patch(
		format: "json" | "merge" | "strategic" | "apply",
		path: string,
		body: unknown,
	): Promise<Reply>;
	/** Opens a watch; `next` awaits the next event. */
	watch(path: string, headers?: Record<string, string>): Promise<TestWatch>;
	close(): Promise<void>;
}

export interface TestWatch {
	next(): Promise<{ type: string; object: JsonObject }>;
	/** True once the server has ended the stream. */
	ended(): Promise<void>;
	close(): void;
}

const silent: Log = {
	trace() {},
	debug() {},
	info() {},
	warn() {},
	error() {},
	child: () => silent,
};

const formats = {
	json: "application/json-patch+json",
	merge: "application/merge-patch+json",
	strategic: "application/strategic-merge-patch+json",
	apply: "application/apply-patch+yaml",
};

/** A server on a free port, and a client that verifies its certificate. */
export async function startTestServer(
	options: Partial<ApiServerOptions> & { clock?: Clock } = {},
): Promise<TestServer> {
	const server = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		clock: systemClock,
		random: (bytes) => randomBytes(bytes),
		log: silent,
		...options,
	});
	const { hostname, port } = new URL(server.url);
	const open = (
		method: string,
		path: string,
		headers: Record<string, string> = {},
	) =>
		request({
			host: hostname,
			port,
			ca: server.ca,
			method,
			path,
			headers: { authorization: `Bearer ${server.adminToken}`, ...headers },
			agent: false,
		});
	const call: TestServer["call"] = (method, path, body, headers) =>
		new Promise((resolve, reject) => {
			const bytes =
				body === undefined
					? undefined
					: Buffer.isBuffer(body)
						? body
						: Buffer.from(
								typeof body === "string" ? body : JSON.stringify(body),
							);
			const sent = open(method, path, {
				...(bytes && {
					"content-type": "application/json",
					// Node sends a body with DELETE only if its length is said.
					"content-length": String(bytes.length),
				}),
				...headers,
			});
			sent.on("error", reject);
			sent.on("response", (response) => {
				const chunks: Buffer[] = [];
				response.on("data", (chunk: Buffer) => chunks.push(chunk));
				response.on("end", () => {
					const bytes = Buffer.concat(chunks);
					const zipped = response.headers["content-encoding"] === "gzip";
					const text = (zipped ? gunzipSync(bytes) : bytes).toString();
					const json = /json/.test(response.headers["content-type"] ?? "");
					resolve({
						code: response.statusCode ?? 0,
						headers: response.headers,
						body: (json ? JSON.parse(text) : { text }) as JsonObject,
					});
				});
			});
			sent.end(bytes);
		});
	return {
		server,
		call,
		patch: (format, path, body) =>
			call("PATCH", path, body, { "content-type": formats[format] }),
		watch: (path, headers) => openWatch(open("GET", path, headers)),
		close: () => server.close(),
	};
}

function openWatch(sent: ReturnType<typeof request>): Promise<TestWatch> {
	return new Promise((resolve, reject) => {
		sent.on("error", reject);
		sent.on("response", (response) => {
			const events: { type: string; object: JsonObject }[] = [];
			const waiting: ((event: { type: string; object: JsonObject }) => void)[] =
				[];
			let rest = "";
			const end = new Promise<void>((done) => response.on("close", done));
			response.on("data", (chunk: Buffer) => {
				const lines = (rest + chunk.toString()).split("\n");
				rest = lines.pop() ?? "";
				for (const line of lines) {
					const event = JSON.parse(line) as {
						type: string;
						object: JsonObject;
					};
					const first = waiting.shift();
					if (first) first(event);
					else events.push(event);
				}
			});
			resolve({
				next: () =>
					new Promise((take) => {
						const event = events.shift();
						if (event) take(event);
						else waiting.push(take);
					}),
				ended: () => end,
				close: () => sent.destroy(),
			});
		});
		sent.end();
	});
}

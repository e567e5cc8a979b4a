import { once } from "node:events";
import {
	createServer,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { z } from "zod";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { createCloudBudgets } from "./budget.ts";
import { type CloudCall, type CloudHttp, createCloudHttp } from "./http.ts";

const schema = z.object({ ok: z.boolean() });
const get = { method: "GET", path: "/x", priority: "update" } as const;
const post = { ...get, method: "POST", body: { a: 1 } } as const;

let server: ReturnType<typeof createServer>;
let sockets: Set<Socket>;
let answer: (
	request: IncomingMessage,
	response: ServerResponse,
) => void | Promise<void>;
let clock: FakeClock;
let log: ReturnType<typeof quietLog>;
let http: CloudHttp;

beforeEach(async () => {
	sockets = new Set();
	server = createServer((request, response) => void answer(request, response));
	server.on("connection", (socket) => sockets.add(socket));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	clock = new FakeClock();
	log = quietLog();
	const { port } = server.address() as AddressInfo;
	http = createCloudHttp({
		endpoint: new URL(`http://127.0.0.1:${port}/v1/`),
		token: async () => "hidden",
		budgets: createCloudBudgets(clock),
		clock,
		log,
		timeoutMs: 30_000,
	});
});

afterEach(async () => {
	http.close();
	for (const socket of sockets) socket.destroy();
	if (!server.listening) return;
	server.close();
	await once(server, "close");
});

function call(
	which: Omit<CloudCall, "signal">,
	signal = new AbortController().signal,
) {
	return http.call({ ...which, signal }, schema);
}

describe("talking HTTP to a cloud", () => {
	it("sends the token, the query and the body, and reuses its connection", async () => {
		const seen: unknown[] = [];
		answer = async (request, response) => {
			const chunks = await request.toArray();
			const { method, url, headers } = request;
			seen.push([method, url, headers.authorization, chunks.join("")]);
			response.end('{"ok":true}');
		};
		await call({
			...get,
			query: [
				["id", "1"],
				["id", "2"],
			],
		});
		await call(post);
		expect(seen).toEqual([
			["GET", "/v1/x?id=1&id=2", "Bearer hidden", ""],
			["POST", "/v1/x", "Bearer hidden", '{"a":1}'],
		]);
		expect(sockets.size).toBe(1);
	});

	it("says that the answer was lost when the connection is reset after the call was sent, and sends it once", async () => {
		let calls = 0;
		answer = (request) => {
			calls += 1;
			request.socket.resetAndDestroy();
		};
		await expect(call(post)).rejects.toMatchObject({
			code: "CloudUnreachable",
			message: expect.stringMatching(
				/^POST \/x: http:\/\/127\.0\.0\.1:\d+ cannot be reached: /,
			),
		});
		expect(calls).toBe(1);
	});

	it("reads again when a kept connection turns out to be closed, but does not write again", async () => {
		const calls: (string | undefined)[] = [];
		let reset = false;
		answer = (request, response) => {
			calls.push(request.method);
			if (reset) request.socket.resetAndDestroy();
			else response.end('{"ok":true}');
			reset = false;
		};
		await call(get);
		reset = true;
		expect(await call(get)).toEqual({ ok: true });
		expect(calls).toEqual(["GET", "GET", "GET"]);
		await call(get);
		reset = true;
		await expect(call(post)).rejects.toMatchObject({
			code: "CloudUnreachable",
		});
		expect(calls.slice(3)).toEqual(["GET", "POST"]);
	});

	it("takes an answer that ends before its length for a lost one", async () => {
		answer = (request, response) => {
			response.writeHead(200, { "content-length": "100" });
			response.write('{"ok":');
			setImmediate(() => request.socket.destroy());
		};
		await expect(call(get)).rejects.toMatchObject({ code: "CloudUnreachable" });
	});

	it("gives up on an answer that does not come", async () => {
		const asked = new Promise<void>((resolve) => {
			answer = () => resolve();
		});
		const failed = call(get).catch((error: unknown) => error);
		await asked;
		await clock.advance(30_000);
		expect(await failed).toMatchObject({
			code: "CloudUnreachable",
			message: expect.stringContaining("no answer within 30 s"),
		});
		expect(clock.waiting()).toEqual([]);
	});

	it("ends at once when it is aborted, with the reason it was given, and gives its place in the budget back", async () => {
		const abort = new AbortController();
		const asked = new Promise<void>((resolve) => {
			answer = () => resolve();
		});
		const ended = Array.from({ length: 8 }, () =>
			call(get, abort.signal).catch((error: unknown) => error),
		);
		await asked;
		const reason = new Error("shutting down");
		abort.abort(reason);
		for (const each of ended) expect(await each).toBe(reason);
		answer = (_request, response) => void response.end('{"ok":true}');
		expect(await call(get)).toEqual({ ok: true });
	});

	it("says when nothing listens", async () => {
		server.close();
		await once(server, "close");
		await expect(call(get)).rejects.toMatchObject({
			code: "CloudUnreachable",
			message: expect.stringContaining("ECONNREFUSED"),
		});
	});

	it("never logs the token", async () => {
		answer = (_request, response) => {
			response.statusCode = 401;
			response.end('{"error":{"code":"unauthorized","message":"hidden"}}');
		};
		await expect(call(get)).rejects.toMatchObject({
			message: "GET /x: [token] (unauthorized)",
		});
		expect(log.lines.length).toBeGreaterThan(0);
		expect(JSON.stringify(log.lines)).not.toContain("hidden");
	});
});

import { once } from "node:events";
import {
	createServer,
	type IncomingMessage,
	request,
	type RequestOptions,
	type Server,
	type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "../../../operator/clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import type { Service } from "../../store/records.ts";
import { UserspaceEngine } from "./engine.ts";

const servers: Server[] = [];
const engines: UserspaceEngine[] = [];
afterEach(async () => {
	for (const engine of engines.splice(0)) await engine.close();
	for (const server of servers.splice(0)) {
		server.close();
		server.closeAllConnections();
	}
});

async function target(
	host: string,
	port: number,
	answer: (
		name: string,
		incoming: IncomingMessage,
		response: ServerResponse,
	) => unknown,
) {
	const server = createServer((incoming, response) =>
		answer(host, incoming, response),
	);
	servers.push(server);
	server.listen(port, host);
	await once(server, "listening");
	return { server, port: (server.address() as { port: number }).port };
}

/** Says who answers, and what was asked. */
const mirror: Parameters<typeof target>[2] = async (
	name,
	incoming,
	response,
) => {
	const body = await text(incoming);
	response.writeHead(200, { "X-Name": name, "Set-Cookie": ["a=1", "b=2"] });
	response.end(
		JSON.stringify({
			name,
			method: incoming.method,
			url: incoming.url,
			headers: incoming.headers,
			body,
		}),
	);
};

function balancer(
	port: number,
	hosts: string[],
	http: Partial<NonNullable<Service["http"]>> = {},
) {
	const engine = new UserspaceEngine({
		clock: systemClock,
		log: quietLog(),
		probe: async () => undefined,
	});
	engines.push(engine);
	engine.set({
		id: 1,
		addresses: ["203.0.113.1"],
		algorithm: "round_robin",
		maxConnections: 100,
		services: [
			{
				protocol: "http",
				listen_port: 80,
				destination_port: port,
				proxyprotocol: false,
				health_check: {
					protocol: "tcp",
					port,
					interval: 15,
					timeout: 1,
					retries: 2,
				},
				http: {
					cookie_name: "STICK",
					cookie_lifetime: 60,
					certificates: [],
					redirect_http: false,
					sticky_sessions: false,
					timeout_idle: 30,
					...http,
				},
			},
		],
		targets: hosts.map((address) => ({
			key: `ip:${address}`,
			address,
			problem: null,
		})),
	});
	return engine;
}

async function ask(
	engine: UserspaceEngine,
	options: RequestOptions = {},
	body?: string,
	over?: Duplex,
) {
	const connection =
		over ??
		engine.dial("203.0.113.1", 80, { address: "198.51.100.7", port: 4711 });
	const outgoing = request({
		createConnection: () => connection as never,
		path: "/",
		...options,
	});
	outgoing.end(body);
	const [response] = (await once(outgoing, "response")) as [IncomingMessage];
	// What goes wrong from here on, the response says, too.
	outgoing.on("error", () => {});
	const said = await text(response);
	return {
		status: response.statusCode,
		headers: response.headers,
		said,
		json: () => JSON.parse(said),
	};
}

test("a request arrives as it was, and says whom it is for", async () => {
	const { port } = await target("127.0.0.1", 0, mirror);
	const engine = balancer(port, ["127.0.0.1"]);
	const { headers, json } = await ask(
		engine,
		{
			method: "PUT",
			path: "/x?y=z",
			headers: { Host: "example.org", "X-Forwarded-For": "192.0.2.1", Te: "x" },
		},
		"payload",
	);
	expect(json()).toMatchObject({
		method: "PUT",
		url: "/x?y=z",
		body: "payload",
		headers: {
			host: "example.org",
			"x-forwarded-for": "192.0.2.1, 198.51.100.7",
			"x-forwarded-proto": "http",
			"x-forwarded-port": "80",
		},
	});
	expect(json().headers.te).toBeUndefined();
	expect(headers["set-cookie"]).toEqual(["a=1", "b=2"]);
});

test.each(["POST", "GET"])(
	"a %s of unknown length arrives whole",
	async (method) => {
		const { port } = await target("127.0.0.1", 0, mirror);
		const engine = balancer(port, ["127.0.0.1"]);
		const body = "x".repeat(300_000);
		const { json } = await ask(
			engine,
			{ method, headers: { "Transfer-Encoding": "chunked" } },
			body,
		);
		expect(json().body).toBe(body);
	},
);

test("requests of one connection go to targets in turn, past those that refuse", async () => {
	const { port } = await target("127.0.0.1", 0, mirror);
	await target("127.0.0.3", port, mirror);
	const engine = balancer(port, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
	const connection = engine.dial("203.0.113.1", 80);
	const names: unknown[] = [];
	for (let i = 0; i < 4; i++) {
		const { headers } = await ask(
			engine,
			{ headers: { Connection: "keep-alive" } },
			undefined,
			connection,
		);
		names.push(headers["x-name"]);
	}
	expect(new Set(names)).toEqual(new Set(["127.0.0.1", "127.0.0.3"]));
	expect(engine.report(1)?.counters).toMatchObject({ total: 1, failed: 0 });
	connection.destroy();
});

test("a sticky client keeps its target, and gets another when that is gone", async () => {
	const first = await target("127.0.0.1", 0, mirror);
	await target("127.0.0.2", first.port, mirror);
	const engine = balancer(first.port, ["127.0.0.1", "127.0.0.2"], {
		sticky_sessions: true,
	});
	const start = await ask(engine);
	expect(start.headers["x-name"]).toBe("127.0.0.1");
	const cookie = start.headers["set-cookie"]?.find((each) =>
		each.startsWith("STICK="),
	) as string;
	expect(cookie).toMatch(/^STICK=[0-9a-f]{32}; Max-Age=60; Path=\/; HttpOnly$/);
	const sticky = { headers: { Cookie: `other=1; ${cookie.split(";")[0]}` } };
	for (let i = 0; i < 4; i++) {
		const again = await ask(engine, sticky);
		expect(again.headers["x-name"]).toBe("127.0.0.1");
		expect(again.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
	}
	first.server.close();
	first.server.closeAllConnections();
	const moved = await ask(engine, sticky);
	expect(moved.headers["x-name"]).toBe("127.0.0.2");
	expect(moved.headers["set-cookie"]).toHaveLength(3);
});

test("without a target the answer is 503, and from one that speaks no HTTP 502", async () => {
	const { port } = await target(
		"127.0.0.1",
		0,
		(_name, incoming) => void incoming.socket.end("no http at all\r\n\r\n"),
	);
	const engine = balancer(port, ["127.0.0.1"]);
	expect((await ask(engine)).status).toBe(502);
	const empty = balancer(port, ["127.0.0.9"]);
	expect((await ask(empty)).status).toBe(503);
	expect(empty.report(1)?.counters.failed).toBe(1);
});

test("an answer the target cuts short is cut short for the client", async () => {
	const { port } = await target(
		"127.0.0.1",
		0,
		(_name, _incoming, response) => {
			response.writeHead(200, { "Content-Length": "100" });
			response.write("half", () => response.destroy());
		},
	);
	const engine = balancer(port, ["127.0.0.1"]);
	await expect(ask(engine)).rejects.toThrow();
});

test("an upgraded connection carries whatever the two sides say", async () => {
	const { port, server } = await target("127.0.0.1", 0, mirror);
	server.on("upgrade", (incoming, socket: Duplex) => {
		expect(incoming.headers).toMatchObject({
			upgrade: "echo",
			connection: "Upgrade",
			"x-forwarded-for": "198.51.100.7",
		});
		socket.write(
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		);
		socket.pipe(socket);
	});
	const engine = balancer(port, ["127.0.0.1"]);
	const connection = engine.dial("203.0.113.1", 80, {
		address: "198.51.100.7",
		port: 1,
	});
	const outgoing = request({
		createConnection: () => connection as never,
		headers: { Connection: "Upgrade", Upgrade: "echo" },
	});
	outgoing.end();
	const [, socket] = (await once(outgoing, "upgrade")) as [
		IncomingMessage,
		Duplex,
	];
	socket.write("ping");
	expect(String((await once(socket, "data"))[0])).toBe("ping");
	socket.end();
	await new Promise((resolve) => socket.resume().once("close", resolve));
	expect(engine.report(1)?.targets[0]?.counters).toMatchObject({ total: 1 });
});

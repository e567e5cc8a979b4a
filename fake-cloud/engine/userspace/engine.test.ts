import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { systemClock } from "../../../operator/clock.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { readAll } from "../../../test/support/read-all.ts";
import type { Service } from "../../store/records.ts";
import type { EngineBalancer } from "../engine.ts";
import { UserspaceEngine, type UserspaceEngineOptions } from "./engine.ts";
import type { ProbeResult } from "./probe.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
	for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server on an address of its own; `answer` gets each connection. */
async function target(
	host: string,
	port: number,
	answer: (socket: Socket) => unknown,
): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
	const sockets = new Set<Socket>();
	const server = createServer({ allowHalfOpen: true }, (socket) => {
		sockets.add(socket);
		socket.on("error", () => {}).once("close", () => sockets.delete(socket));
		answer(socket);
	});
	server.listen(port, host);
	await once(server, "listening");
	cleanups.push(async () => {
		for (const socket of sockets) socket.destroy();
		if (!server.listening) return;
		server.close();
		await once(server, "close");
	});
	return { server, port: (server.address() as { port: number }).port, sockets };
}

/** Targets on 127.0.0.1…N, all on one port, each answering with its number. */
async function numbered(count: number) {
	const first = await target("127.0.0.1", 0, (socket) => void socket.end("1"));
	const all = [first];
	for (let n = 2; n <= count; n++)
		all.push(
			await target(
				`127.0.0.${n}`,
				first.port,
				(socket) => void socket.resume().end(String(n)),
			),
		);
	return { port: first.port, all };
}

const service = (
	destination: number,
	more: Partial<Service> = {},
): Service => ({
	protocol: "tcp",
	listen_port: 80,
	destination_port: destination,
	proxyprotocol: false,
	health_check: {
		protocol: "tcp",
		port: destination,
		interval: 15,
		timeout: 1,
		retries: 2,
	},
	...more,
});

/** A connection whose failure shows in how it closes. */
const dial = (engine: UserspaceEngine, port = 80) =>
	engine.dial("203.0.113.1", port).on("error", () => {});

const balancer = (
	services: Service[],
	addresses: string[],
	more: Partial<EngineBalancer> = {},
): EngineBalancer => ({
	id: 1,
	addresses: ["203.0.113.1"],
	algorithm: "round_robin",
	maxConnections: 100,
	services,
	targets: addresses.map((address) => ({
		key: `ip:${address}`,
		address,
		problem: null,
	})),
	...more,
});

/** Checked whenever a counter moves. */
const waiting = new Set<() => void>();

/** Resolves once `holds`, which depends on counters. */
function until(holds: () => boolean): Promise<void> {
	return new Promise((resolve) => {
		const check = () => {
			if (!holds()) return;
			waiting.delete(check);
			resolve();
		};
		waiting.add(check);
		check();
	});
}

function engine(options: Partial<UserspaceEngineOptions> = {}) {
	const made = new UserspaceEngine({
		clock: systemClock,
		log: quietLog(),
		probe: async () => undefined,
		counted: () => {
			for (const check of waiting) check();
		},
		...options,
	});
	cleanups.push(() => made.close());
	return made;
}

/** What a client that only listens is told, once its connection is over. */
async function hear(client: Duplex): Promise<string> {
	const said = String(await readAll(client));
	client.end();
	await closed(client);
	return said;
}

const say = (engine: UserspaceEngine, from?: string) =>
	hear(
		engine.dial(
			"203.0.113.1",
			80,
			from === undefined ? undefined : { address: from, port: 4711 },
		),
	);

function closed(stream: Duplex): Promise<void> {
	stream.on("error", () => {}).resume();
	return new Promise((resolve) => {
		if (stream.closed) resolve();
		else stream.once("close", resolve);
	});
}

test("connections go to the targets in turn", async () => {
	const { port } = await numbered(3);
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1", "127.0.0.2", "127.0.0.3"]));
	const answers: string[] = [];
	for (let i = 0; i < 6; i++) answers.push(await say(cloud));
	expect(answers.join("")).toBe("123123");
});

test("with least_connections a busy target waits", async () => {
	const { port } = await numbered(1);
	await target("127.0.0.2", port, () => {});
	const cloud = engine();
	cloud.set(
		balancer([service(port)], ["127.0.0.2", "127.0.0.1"], {
			algorithm: "least_connections",
		}),
	);
	const held = dial(cloud);
	held.write("stay");
	await until(() => cloud.report(1)?.targets[0]?.counters.open === 1);
	for (let i = 0; i < 3; i++) {
		expect(await say(cloud)).toBe("1");
		await until(() => cloud.report(1)?.counters.open === 1);
	}
	held.destroy();
});

test("a target that refuses costs the client nothing while another serves", async () => {
	const { port, all } = await numbered(2);
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1", "127.0.0.2"]));
	all[0]?.server.close();
	for (let i = 0; i < 10; i++) expect(await say(cloud)).toBe("2");
	await until(() => cloud.report(1)?.counters.open === 0);
	expect(cloud.report(1)?.counters).toMatchObject({
		failed: 0,
		total: 10,
		open: 0,
	});
});

test("when no target can be had the client is cut off, and it is counted", async () => {
	const { port, all } = await numbered(1);
	all[0]?.server.close();
	await once(all[0]?.server as Server, "close");
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1"]));
	const client = dial(cloud);
	await closed(client);
	expect(client.readableEnded).toBe(false);
	expect(cloud.report(1)?.counters).toMatchObject({ failed: 1, open: 0 });
});

test("each direction of a connection ends by itself", async () => {
	const { port } = await target("127.0.0.1", 0, async (socket) => {
		const question = String(await readAll(socket));
		socket.end(`you said ${question}`);
	});
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1"]));
	const client = dial(cloud);
	client.end("hello");
	expect(String(await readAll(client))).toBe("you said hello");
});

test("what the target says before it stops listening still arrives", async () => {
	const { port } = await target("127.0.0.1", 0, (socket) => {
		socket.end("bye");
		socket.resume();
	});
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1"]));
	const client = dial(cloud);
	expect(String(await readAll(client))).toBe("bye");
	client.end("last words");
	await closed(client);
});

test("a large transfer arrives whole, and a slow reader slows the sender down instead of filling memory", async () => {
	const size = 48 * 1024 * 1024;
	const block = Buffer.alloc(64 * 1024, "fairlead");
	let sent = 0;
	const { port } = await target("127.0.0.1", 0, (socket) => {
		const more = () => {
			while (sent < size) {
				sent += block.length;
				if (!socket.write(block)) {
					socket.once("drain", more);
					return;
				}
			}
			socket.end();
		};
		more();
	});
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1"]));
	const client = dial(cloud);
	// Nobody reads: the sender must come to rest far from the end.
	let before = -1;
	while (before !== sent || sent === 0) {
		before = sent;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	expect(sent).toBeLessThan(size / 2);
	const received = await readAll(client);
	expect(received.length).toBe(size);
	expect(received.equals(Buffer.alloc(size, block))).toBe(true);
	expect(cloud.report(1)?.counters.bytesOut).toBe(size);
});

test("a reset of either side reaches the other", async () => {
	const { port, sockets } = await target(
		"127.0.0.1",
		0,
		(socket) => void socket.write("x"),
	);
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1"]));
	const first = dial(cloud);
	await once(first, "data");
	for (const socket of sockets) socket.resetAndDestroy();
	await closed(first);
	expect(first.readableEnded).toBe(false);
	const second = dial(cloud);
	await once(second, "data");
	const [behind] = sockets;
	second.destroy();
	await closed(behind as Socket);
	expect(behind?.errored).toMatchObject({ code: "ECONNRESET" });
});

test("a connection nobody says anything on is reset", async () => {
	const { port } = await target(
		"127.0.0.1",
		0,
		(socket) => void socket.write("x"),
	);
	const clock = new FakeClock();
	const cloud = engine({ clock, idleMs: 1000 });
	cloud.set(balancer([service(port)], ["127.0.0.1"]));
	const client = dial(cloud);
	await once(client, "data");
	await clock.advance(900);
	client.write("still here");
	await until(() => cloud.report(1)?.counters.bytesIn === 10);
	await clock.advance(900);
	expect(client.destroyed).toBe(false);
	await clock.advance(200);
	expect(client.destroyed).toBe(true);
});

describe("a change of configuration", () => {
	const talk = async (cloud: UserspaceEngine, port = 80) => {
		const client = dial(cloud, port);
		await once(client, "data");
		return client;
	};
	const echo = (socket: Socket) => {
		socket.write("hi");
		socket.pipe(socket);
	};
	const echoed = async (client: Duplex) => {
		client.write("x");
		return String((await once(client, "data"))[0]);
	};

	test("leaves connections of other listeners and targets alone", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		await target("127.0.0.2", port, echo);
		const cloud = engine();
		cloud.set(
			balancer(
				[service(port), service(port, { listen_port: 81 })],
				["127.0.0.1", "127.0.0.2"],
			),
		);
		const kept = await talk(cloud);
		cloud.set(
			balancer(
				[
					service(port, { proxyprotocol: true }),
					service(port, { listen_port: 82 }),
				],
				["127.0.0.1"],
			),
		);
		expect(await echoed(kept)).toBe("x");
		kept.destroy();
	});

	test("lets connections of a target that was taken away end in their time, up to the limit", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		await target("127.0.0.2", port, echo);
		const clock = new FakeClock();
		const cloud = engine({ clock, drainMs: 5000 });
		cloud.set(balancer([service(port)], ["127.0.0.1", "127.0.0.2"]));
		await clock.advance(0);
		const [first, second] = [await talk(cloud), await talk(cloud)];
		cloud.set(balancer([service(port)], ["127.0.0.2"]));
		const other = await talk(cloud);
		await clock.advance(4999);
		expect(await echoed(first)).toBe("x");
		await clock.advance(1);
		await closed(first);
		expect([await echoed(second), await echoed(other)]).toEqual(["x", "x"]);
		for (const client of [second, other]) client.destroy();
	});

	test("closes a listener to new connections at once, and to the others later", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		const clock = new FakeClock();
		const cloud = engine({ clock, drainMs: 5000 });
		cloud.set(balancer([service(port)], ["127.0.0.1"]));
		const client = await talk(cloud);
		cloud.set(balancer([], ["127.0.0.1"]));
		expect(() => cloud.dial("203.0.113.1", 80)).toThrow(
			"no listener on port 80",
		);
		expect(await echoed(client)).toBe("x");
		await clock.advance(5000);
		await closed(client);
	});

	test("that removes the balancer ends everything, and its address is nobody's", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		const cloud = engine();
		cloud.set(balancer([service(port)], ["127.0.0.1"]));
		const client = await talk(cloud);
		cloud.remove(1);
		await closed(client);
		expect(() => cloud.dial("203.0.113.1", 80)).toThrow(
			"no balancer has the address",
		);
		expect(cloud.report(1)).toBeUndefined();
	});
});

describe("health", () => {
	test("a target that fails its checks gets nothing until it is well again", async () => {
		const { port } = await numbered(2);
		const clock = new FakeClock();
		const ill = new Set<string>();
		let changes = 0;
		const failure: ProbeResult = {
			detail: "layer4_timeout",
			message: "no answer",
			httpStatus: null,
		};
		const cloud = engine({
			clock,
			probe: async (address) => (ill.has(address) ? failure : undefined),
			changed: () => changes++,
		});
		cloud.set(balancer([service(port)], ["127.0.0.1", "127.0.0.2"]));
		await clock.advance(0);
		ill.add("127.0.0.1");
		await clock.advance(15_000);
		expect(cloud.report(1)?.targets[0]?.health[0]?.status).toBe("healthy");
		await clock.advance(15_000);
		expect(cloud.report(1)?.targets[0]?.health[0]).toMatchObject({
			port: 80,
			status: "unhealthy",
			detail: "layer4_timeout",
		});
		expect(
			[await say(cloud), await say(cloud), await say(cloud)].join(""),
		).toBe("222");
		ill.clear();
		await clock.advance(30_000);
		expect([await say(cloud), await say(cloud)].toSorted().join("")).toBe("12");
		expect(changes).toBe(4);
	});

	test("is checked over the network, as TCP and as HTTP", async () => {
		const { port } = await target("127.0.0.1", 0, (socket) => {
			socket.once("data", (request) => {
				const well =
					String(request).startsWith("GET /healthz HTTP/1.1") &&
					/^Host: example\.org\r$/m.test(String(request));
				socket.end(
					`HTTP/1.1 ${well ? "204 No Content" : "500 Oops"}\r\nConnection: close\r\n\r\n`,
				);
			});
		});
		const results: Record<string, unknown> = {};
		const { networkProbe } = await import("./probe.ts");
		const probe = networkProbe(systemClock);
		const http = (path: string, more = {}) => ({
			...service(port).health_check,
			protocol: "http" as const,
			http: {
				domain: "example.org",
				path,
				response: "",
				status_codes: ["2??"],
				tls: false,
				...more,
			},
		});
		const signal = new AbortController().signal;
		const ask = async (
			name: string,
			address: string,
			check: Service["health_check"],
		) => {
			results[name] = (await probe(address, check, signal))?.detail ?? "well";
		};
		await ask("tcp", "127.0.0.1", service(port).health_check);
		await ask("tcp, nobody there", "127.0.0.9", service(port).health_check);
		await ask("http", "127.0.0.1", http("/healthz"));
		await ask("http, 500", "127.0.0.1", http("/other"));
		await ask(
			"http, 500 allowed",
			"127.0.0.1",
			http("/other", { status_codes: ["200", "5?0"] }),
		);
		await ask(
			"http, text missing",
			"127.0.0.1",
			http("/healthz", { response: "fine" }),
		);
		await ask("http, nobody there", "127.0.0.9", http("/healthz"));
		const silent = await target("127.0.0.2", 0, () => {});
		await ask("http, silent", "127.0.0.2", { ...http("/"), port: silent.port });
		expect(results).toEqual({
			tcp: "well",
			"tcp, nobody there": "layer4_no_connection",
			http: "well",
			"http, 500": "unexpected_http_status",
			"http, 500 allowed": "well",
			"http, text missing": "unexpected_http_content",
			"http, nobody there": "layer4_no_connection",
			"http, silent": "layer7_timeout",
		});
	});
});

test("the PROXY protocol tells the target who connects, and to what", async () => {
	const { port } = await target("127.0.0.1", 0, (socket) => {
		socket.once("data", (header) => socket.end(header));
	});
	const cloud = engine();
	cloud.set(balancer([service(port, { proxyprotocol: true })], ["127.0.0.1"]));
	expect(await say(cloud, "198.51.100.7")).toBe(
		"PROXY TCP4 198.51.100.7 203.0.113.1 4711 80\r\n",
	);
	expect(await say(cloud, "2001:db8::7")).toBe("PROXY UNKNOWN\r\n");
});

test("only source ranges' clients get in", async () => {
	const { port } = await numbered(1);
	const cloud = engine();
	cloud.set(
		balancer(
			[service(port, { source_ranges: ["198.51.100.0/25", "2001:db8::/48"] })],
			["127.0.0.1"],
		),
	);
	expect(await say(cloud, "198.51.100.7")).toBe("1");
	expect(await say(cloud, "2001:db8::7")).toBe("1");
	const refused = cloud.dial("203.0.113.1", 80, {
		address: "198.51.100.200",
		port: 1,
	});
	await closed(refused);
	expect(refused.readableEnded).toBe(false);
});

test("with affinity a client keeps its target until its time is over or the target fails", async () => {
	const { port, all } = await numbered(3);
	const clock = new FakeClock();
	const cloud = engine({ clock });
	cloud.set(
		balancer(
			[service(port, { affinity_seconds: 10 })],
			["127.0.0.1", "127.0.0.2", "127.0.0.3"],
		),
	);
	await clock.advance(0);
	const first = await say(cloud, "198.51.100.1");
	await say(cloud, "198.51.100.2");
	for (let i = 0; i < 5; i++) {
		await clock.advance(9000);
		expect(await say(cloud, "198.51.100.1")).toBe(first);
	}
	all[Number(first) - 1]?.server.close();
	const other = await say(cloud, "198.51.100.1");
	expect(other).not.toBe(first);
	expect(await say(cloud, "198.51.100.1")).toBe(other);
});

test("more connections than the balancer's type allows are refused", async () => {
	const { port } = await target(
		"127.0.0.1",
		0,
		(socket) => void socket.write("x"),
	);
	const cloud = engine();
	cloud.set(balancer([service(port)], ["127.0.0.1"], { maxConnections: 1 }));
	const held = dial(cloud);
	await once(held, "data");
	const refused = dial(cloud);
	await closed(refused);
	expect(refused.readableEnded).toBe(false);
	held.destroy();
});

describe("an engine that listens", () => {
	test("opens the loopback addresses among the balancers', and says when it cannot", async () => {
		const { port } = await numbered(1);
		const blocker = await target("127.64.0.1", 0, () => {});
		const clock = new FakeClock();
		const log = quietLog();
		let told = () => {};
		const cloud = engine({ clock, log, listen: true, changed: () => told() });
		const free = await target("127.64.0.2", 0, () => {});
		free.server.close();
		const ports = [blocker.port, free.port];
		const failed = new Promise<void>((resolve) => {
			told = () => {
				if (cloud.report(1)?.listeners.some(({ failure }) => failure !== null))
					resolve();
			};
		});
		cloud.set(
			balancer(
				ports.map((listen_port) => service(port, { listen_port })),
				["127.0.0.1"],
				{ addresses: ["127.64.0.1", "203.0.113.1", "2001:db8::1"] },
			),
		);
		await failed;
		const failures = new Map(
			cloud
				.report(1)
				?.listeners.map((listener) => [listener.port, listener.failure]),
		);
		expect(failures.get(blocker.port)).toBe(
			`127.64.0.1:${blocker.port} is in use by another process`,
		);
		expect(failures.get(free.port)).toBeNull();
		expect(log.lines.at(-1)?.message).toContain(
			`127.64.0.1:${blocker.port} is in use`,
		);
		expect(await hear(connect(free.port, "127.64.0.1"))).toBe("1");

		const healed = new Promise<void>((resolve) => {
			told = () => {
				if (cloud.report(1)?.listeners.every(({ failure }) => failure === null))
					resolve();
			};
		});
		blocker.server.close();
		await once(blocker.server, "close");
		await clock.advance(5000);
		await healed;
		expect(await hear(connect(blocker.port, "127.64.0.1"))).toBe("1");
		cloud.remove(1);
		const late = connect(free.port, "127.64.0.1");
		expect(((await once(late, "error"))[0] as { code: string }).code).toBe(
			"ECONNREFUSED",
		);
	});
});

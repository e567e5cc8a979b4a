import { once } from "node:events";
import { type Server, type Socket } from "node:net";
import {
	balancer,
	closeEngines,
	closed,
	dial,
	engine,
	numbered,
	say,
	service,
	target,
	until,
} from "../../../test/support/engine.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { readAll } from "../../../test/support/read-all.ts";

afterEach(closeEngines);

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

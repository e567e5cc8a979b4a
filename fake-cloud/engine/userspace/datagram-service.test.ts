import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import {
	balancer,
	closeEngines,
	engine,
	service,
	until,
} from "../../../test/support/engine.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { Service } from "../../store/records.ts";
import { DialError } from "../engine.ts";
import type { UserspaceEngine } from "./engine.ts";

const sockets: Socket[] = [];
afterEach(async () => {
	for (const socket of sockets.splice(0)) socket.close();
	await closeEngines();
});

/** Answers every datagram with its own name and what it heard. */
async function answering(host: string, port = 0): Promise<number> {
	const socket = createSocket("udp4");
	sockets.push(socket);
	socket.on("message", (data, from) =>
		socket.send(`${host} heard ${String(data)}`, from.port, from.address),
	);
	socket.bind(port, host);
	await once(socket, "listening");
	return socket.address().port;
}

async function numbered(count: number): Promise<number> {
	const port = await answering("127.0.0.1");
	for (let n = 2; n <= count; n++) await answering(`127.0.0.${n}`, port);
	return port;
}

const udp = (destination: number, more: Partial<Service> = {}) =>
	service(destination, { protocol: "udp", listen_port: 53, ...more });

/** A client whose `ask` resolves with the next answer. */
function client(
	cloud: UserspaceEngine,
	port: number,
	address = "198.51.100.1",
) {
	const heard: string[] = [];
	let told = () => {};
	const path = cloud.dialUdp(
		"203.0.113.1",
		53,
		(data) => {
			heard.push(String(data));
			told();
		},
		{ address, port },
	);
	return {
		heard,
		send: (text: string) => path.send(Buffer.from(text)),
		async ask(text: string): Promise<string> {
			const next = new Promise<void>((resolve) => {
				told = resolve;
			});
			path.send(Buffer.from(text));
			await next;
			return heard.at(-1) as string;
		},
	};
}

test("a client's datagrams go to one target, another client's to the next, and answers come back", async () => {
	const port = await numbered(2);
	const cloud = engine();
	cloud.set(balancer([udp(port)], ["127.0.0.1", "127.0.0.2"]));
	const [a, b] = [client(cloud, 1), client(cloud, 2)];
	expect([await a.ask("x"), await b.ask("y"), await a.ask("z")]).toEqual([
		"127.0.0.1 heard x",
		"127.0.0.2 heard y",
		"127.0.0.1 heard z",
	]);
	expect(cloud.report(1)?.listeners).toMatchObject([
		{
			port: 53,
			transport: "udp",
			counters: { open: 2, total: 2, bytesIn: 3, bytesOut: 51 },
		},
	]);
});

test("datagrams sent before the way to the target is open arrive in their order", async () => {
	const port = await numbered(1);
	const cloud = engine();
	cloud.set(balancer([udp(port)], ["127.0.0.1"]));
	const one = client(cloud, 1);
	for (const text of ["a", "b", "c"]) one.send(text);
	await one.ask("d");
	await until(() => one.heard.length === 4);
	expect(one.heard.map((text) => text.at(-1)).join("")).toBe("abcd");
});

test("TCP and UDP may share a port", async () => {
	const port = await numbered(1);
	const cloud = engine();
	cloud.set(
		balancer([udp(port), service(port, { listen_port: 53 })], ["127.0.0.1"]),
	);
	expect(await client(cloud, 1).ask("x")).toBe("127.0.0.1 heard x");
	expect(cloud.report(1)?.listeners.map(({ transport }) => transport)).toEqual([
		"tcp",
		"udp",
	]);
	cloud.set(balancer([service(port, { listen_port: 53 })], ["127.0.0.1"]));
	expect(() => client(cloud, 1)).toThrow(DialError);
});

test("after a silence a session is over, and its client is anybody's", async () => {
	const port = await numbered(2);
	const clock = new FakeClock();
	const cloud = engine({ clock, udpIdleMs: 1000 });
	cloud.set(balancer([udp(port)], ["127.0.0.1", "127.0.0.2"]));
	const one = client(cloud, 1);
	expect(await one.ask("x")).toContain("127.0.0.1 ");
	await clock.advance(999);
	expect(await one.ask("x")).toContain("127.0.0.1 ");
	await clock.advance(1000);
	expect(cloud.report(1)?.counters.open).toBe(0);
	expect(await one.ask("x")).toContain("127.0.0.2 ");
});

test.each<[string, (cloud: UserspaceEngine, port: number) => unknown]>([
	[
		"is taken away",
		(cloud, port) => cloud.set(balancer([udp(port)], ["127.0.0.2"])),
	],
	[
		"has moved",
		(cloud, port) => {
			const moved = balancer([udp(port)], ["127.0.0.1", "127.0.0.2"]);
			const [first] = moved.targets;
			if (first) first.address = null;
			cloud.set(moved);
		},
	],
])("when its target %s a client goes to another at once", async (_, change) => {
	const port = await numbered(2);
	const cloud = engine();
	cloud.set(balancer([udp(port)], ["127.0.0.1", "127.0.0.2"]));
	const one = client(cloud, 1);
	expect(await one.ask("x")).toContain("127.0.0.1 ");
	change(cloud, port);
	expect(await one.ask("x")).toContain("127.0.0.2 ");
});

test("when its target fails its checks a client goes to another at once", async () => {
	const port = await numbered(2);
	const clock = new FakeClock();
	let ill = false;
	const cloud = engine({
		clock,
		probe: async (address) =>
			ill && address === "127.0.0.1"
				? { detail: "layer4_timeout", message: "ill", httpStatus: null }
				: undefined,
	});
	cloud.set(balancer([udp(port)], ["127.0.0.1", "127.0.0.2"]));
	await clock.advance(0);
	const one = client(cloud, 1);
	expect(await one.ask("x")).toContain("127.0.0.1 ");
	ill = true;
	await clock.advance(15_000);
	expect(await one.ask("x")).toContain("127.0.0.1 ");
	await clock.advance(15_000);
	expect(await one.ask("x")).toContain("127.0.0.2 ");
});

test("a target with nobody on its port ends the session, and the client is served by the next", async () => {
	const port = await answering("127.0.0.2");
	const cloud = engine();
	cloud.set(balancer([udp(port)], ["127.0.0.1", "127.0.0.2"]));
	const one = client(cloud, 1);
	one.send("x");
	await until(() => cloud.report(1)?.counters.failed === 1);
	expect(await one.ask("x")).toContain("127.0.0.2 ");
});

test.each<[string, Partial<Service>, number]>([
	["outside the source ranges", { source_ranges: ["192.0.2.0/24"] }, 100],
	["beyond what the balancer's type allows", {}, 0],
])("a client %s is not served, and that is counted", async (_, more, max) => {
	const port = await numbered(1);
	const cloud = engine();
	cloud.set(
		balancer([udp(port, more)], ["127.0.0.1"], { maxConnections: max }),
	);
	client(cloud, 1).send("x");
	expect(cloud.report(1)?.counters).toMatchObject({ failed: 1, total: 0 });
});

test("with affinity all ports of a client go to one target", async () => {
	const port = await numbered(3);
	const cloud = engine();
	cloud.set(
		balancer(
			[udp(port, { affinity_seconds: 60 })],
			["127.0.0.1", "127.0.0.2", "127.0.0.3"],
		),
	);
	const answers = [];
	for (let from = 1; from <= 6; from++)
		answers.push(await client(cloud, from).ask("x"));
	expect(new Set(answers).size).toBe(1);
});

test("an engine that listens opens UDP ports of loopback addresses, too", async () => {
	const port = await numbered(1);
	const free = createSocket("udp4").bind(0, "127.64.0.1");
	await once(free, "listening");
	const listen_port = free.address().port;
	free.close();
	const cloud = engine({ listen: true });
	cloud.set(
		balancer([udp(port, { listen_port })], ["127.0.0.1"], {
			addresses: ["127.64.0.1"],
		}),
	);
	const socket = createSocket("udp4");
	sockets.push(socket);
	socket.send("hello", listen_port, "127.64.0.1");
	const [data, from] = (await once(socket, "message")) as [
		Buffer,
		{ address: string; port: number },
	];
	expect(String(data)).toBe("127.0.0.1 heard hello");
	expect(from).toMatchObject({ address: "127.64.0.1", port: listen_port });
});

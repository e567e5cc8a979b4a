import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import fc from "fast-check";
import { systemClock } from "../../operator/clock.ts";
import { readAll } from "../../test/support/read-all.ts";
import { type Door, openDoor } from "./door.ts";
import { DialError } from "./engine.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { connectionPair } from "./userspace/pair.ts";

/** The far ends of what was dialled, and where to. */
let dialled: { address: string; port: number; far: Duplex }[];
let door: Door;

beforeEach(async () => {
	dialled = [];
	door = await openDoor({
		clock: systemClock,
		log: quietLog(),
		host: "127.0.0.1",
		port: 0,
		serves: (address) =>
			address.startsWith("203.0.113.") || address.startsWith("2001:db8::"),
		dial(address, port) {
			if (address.endsWith(".2")) throw new DialError("EHOSTUNREACH", "nobody");
			if (port !== 80) throw new DialError("ECONNREFUSED", "no listener");
			const [near, far] = connectionPair();
			dialled.push({ address, port, far: far.on("error", () => {}) });
			return near;
		},
	});
});
afterEach(() => door.close());

function knock(): Socket {
	const [host, port] = door.address.split(":");
	return connect({
		host: host as string,
		port: Number(port),
		allowHalfOpen: true,
		noDelay: true,
	}).on("error", () => {});
}

const greeting = [5, 1, 0];
const v4 = (last: number, port = 80, command = 1) => [
	5,
	command,
	0,
	1,
	203,
	0,
	113,
	last,
	port >> 8,
	port & 255,
];
const v6 = [
	5,
	1,
	0,
	4,
	0x20,
	1,
	0x0d,
	0xb8,
	...Array<number>(11).fill(0),
	7,
	0,
	80,
];
const named = (name: string) => [
	5,
	1,
	0,
	3,
	name.length,
	...Buffer.from(name),
	0,
	80,
];

test.each<[string, number[], number]>([
	["a balancer's IPv4 address", v4(1), 0],
	["a balancer's IPv6 address", v6, 0],
	["an address written as a name", named("203.0.113.1"), 0],
	["an address no balancer has", v4(2), 4],
	["a port nothing listens on", v4(1, 81), 5],
	[
		"an address that is none of the cloud's",
		[5, 1, 0, 1, 127, 0, 0, 1, 0, 80],
		2,
	],
	["a name", named("example.org"), 4],
	["BIND", v4(1, 80, 2), 7],
	["UDP ASSOCIATE", v4(1, 80, 3), 7],
	["an unknown kind of address", [5, 1, 0, 9, 0, 0, 0, 0, 0, 0], 8],
])(
	"asked for %s, it answers with the code RFC 1928 gives it",
	async (_, request, code) => {
		const client = knock();
		client.write(Buffer.from([...greeting, ...request]));
		const answer: number[] = [];
		for await (const chunk of client.iterator({
			destroyOnReturn: false,
		}) as AsyncIterable<Buffer>) {
			answer.push(...chunk);
			if (answer.length >= 12) break;
		}
		expect(answer.slice(0, 4)).toEqual([5, 0, 5, code]);
		expect(dialled.length).toBe(code === 0 ? 1 : 0);
		client.destroy();
	},
);

/** A connection of which an end may be cut. */
function pair(): [Duplex, Duplex] {
	const ends = connectionPair();
	for (const end of ends) end.on("error", () => {});
	return ends;
}

/** The reply's code. */
async function ask(client: Socket, request: number[]): Promise<number> {
	client.write(Buffer.from([...greeting, ...request]));
	let answer = Buffer.alloc(0);
	while (answer.length < 12)
		answer = Buffer.concat([answer, (await once(client, "data"))[0] as Buffer]);
	return answer[3] as number;
}

describe("a door that leads elsewhere, too", () => {
	let asked: string[];
	let far: Duplex | undefined;
	beforeEach(async () => {
		await door.close();
		asked = [];
		door = await openDoor({
			clock: systemClock,
			log: quietLog(),
			host: "127.0.0.1",
			port: 0,
			serves: (address) => address.startsWith("203.0.113."),
			dial(address) {
				if (address.endsWith(".1")) return pair()[0];
				throw new DialError("EHOSTUNREACH", "nobody");
			},
			async dialOther(host, port) {
				asked.push(`${host} ${port}`);
				if (host === "refused")
					throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
				if (host === "broken") throw new Error("broken");
				if (host === "127.0.0.1") return connect(1, host);
				const [near, end] = pair();
				far = end;
				return near;
			},
		});
	});

	test.each<[string, number[], number, string[]]>([
		["a balancer itself", v4(1), 0, []],
		["an address no balancer has", v4(2), 0, ["203.0.113.2 80"]],
		["a name", named("web.default"), 0, ["web.default 80"]],
		["what is refused there", named("refused"), 5, ["refused 80"]],
		["what fails there", named("broken"), 1, ["broken 80"]],
		[
			"what turns out to refuse when it is being opened",
			[5, 1, 0, 1, 127, 0, 0, 1, 0, 1],
			5,
			["127.0.0.1 1"],
		],
	])("reaches %s", async (_, request, code, others) => {
		const client = knock();
		expect(await ask(client, request)).toBe(code);
		expect(asked).toEqual(others);
		client.destroy();
	});

	test("carries bytes both ways", async () => {
		const client = knock();
		await ask(client, named("web.default"));
		client.end("hello");
		expect(String(await readAll(far as Duplex))).toBe("hello");
		far?.end("bye");
		expect(String(await readAll(client))).toBe("bye");
	});
});

test("a door may be open already, and is closed with the rest", async () => {
	const opened = createServer().listen(0, "127.0.0.1");
	await once(opened, "listening");
	const { port } = opened.address() as { port: number };
	const other = await openDoor({
		clock: systemClock,
		log: quietLog(),
		host: "192.0.2.1",
		port: 9,
		listener: opened,
		serves: () => true,
		dial: () => pair()[0],
	});
	expect(other.address).toBe(`127.0.0.1:${port}`);
	const client = connect(port, "127.0.0.1").on("error", () => {});
	expect(await ask(client, v4(1))).toBe(0);
	await other.close();
	const late = connect(port, "127.0.0.1");
	expect((await once(late, "error"))[0]).toMatchObject({
		code: "ECONNREFUSED",
	});
	opened.close();
});

test("who insists on a password is refused, and who speaks no SOCKS5 is cut off", async () => {
	const insisting = knock();
	insisting.write(Buffer.from([5, 1, 2]));
	expect([...(await readAll(insisting))]).toEqual([5, 255]);
	insisting.destroy();
	const browser = knock();
	browser.write("GET / HTTP/1.1\r\n\r\n");
	expect([...(await readAll(browser))]).toEqual([]);
	browser.destroy();
});

test("the connection is open however the request was cut into pieces, and what followed it is not lost", async () => {
	const all = Buffer.from([...greeting, ...v4(1), ...Buffer.from("hello")]);
	await fc.assert(
		fc.asyncProperty(fc.subarray([...all.keys()]), async (cuts) => {
			const client = knock();
			let from = 0;
			for (const cut of [...cuts, all.length]) {
				if (cut > from) client.write(all.subarray(from, cut));
				from = Math.max(from, cut);
				await new Promise(setImmediate);
			}
			client.end();
			const answered = readAll(client);
			await once(client, "readable").catch(() => {});
			while (dialled.length === 0) await new Promise(setImmediate);
			const { far } = dialled.pop() as (typeof dialled)[number];
			expect(String(await readAll(far))).toBe("hello");
			far.end("bye");
			expect(String((await answered).subarray(12))).toBe("bye");
		}),
		{ numRuns: 25 },
	);
});

test("a reset inside reaches the client, and the client's reaches inside", async () => {
	const open = async () => {
		const client = knock();
		client.write(Buffer.from([...greeting, ...v4(1)]));
		let size = 0;
		while (size < 12)
			size += ((await once(client, "data"))[0] as Buffer).length;
		return { client, far: dialled.at(-1)?.far as Duplex };
	};
	const first = await open();
	first.far.destroy();
	await new Promise((resolve) => first.client.once("close", resolve));
	expect(first.client.readableEnded).toBe(false);
	const second = await open();
	const reset = once(second.far, "error");
	second.client.resetAndDestroy();
	expect((await reset)[0]).toMatchObject({ code: "ECONNRESET" });
});

test("a door that is taken is refused by name", async () => {
	const taken = createServer().listen(0, "127.0.0.1");
	await once(taken, "listening");
	const { port } = taken.address() as { port: number };
	const open = openDoor({
		clock: systemClock,
		log: quietLog(),
		host: "127.0.0.1",
		port,
		serves: () => false,
		dial: () => pair()[0],
	});
	await expect(open).rejects.toMatchObject({
		code: "ListenFailed",
		message: expect.stringContaining(`127.0.0.1:${port}`),
	});
	taken.close();
});

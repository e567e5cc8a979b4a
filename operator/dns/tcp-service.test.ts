import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Registry } from "prom-client";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { eventually } from "../../test/support/eventually.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { decodeMessage } from "./decode.ts";
import { flagBits, types } from "./message.ts";
import { dnsMetrics } from "./metrics.ts";
import type { Respond } from "./responder.ts";
import { type tcpDefaults, TcpService } from "./tcp-service.ts";
import { FrameReader, frame } from "./tcp-frames.ts";
import { TcpClient, wire } from "../../test/support/dns-client.ts";
import { query } from "../../test/support/dns-messages.ts";

let service: TcpService;
let clock: FakeClock;
const clients: TcpClient[] = [];
/** The server's side of each connection. */
let sockets: Socket[] = [];

/** Answers a query with itself, marked as a response. */
const echo: Respond = (bytes) => {
	const answer = Buffer.from(bytes);
	answer.writeUInt16BE(answer.readUInt16BE(2) | flagBits.response, 2);
	return answer;
};

async function serve(
	respond: Respond = echo,
	tuning: Partial<typeof tcpDefaults> = {},
): Promise<() => Promise<TcpClient>> {
	const server = createServer({ allowHalfOpen: true });
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	clock = new FakeClock();
	sockets = [];
	server.on("connection", (socket) => sockets.push(socket));
	service = new TcpService({
		server,
		respond,
		clock,
		metrics: dnsMetrics(new Registry()),
		log: quietLog(),
		tuning,
	});
	return async () => {
		const accepted = once(server, "connection");
		const client = await TcpClient.open({ host: "127.0.0.1", port });
		clients.push(client);
		await accepted;
		return client;
	};
}

afterEach(async () => {
	for (const client of clients.splice(0)) client.socket.destroy();
	await service.close();
});

const asked = (id: number) => query("web.test", types.A, { id });

describe("a connection", () => {
	it("has many queries answered, sent at once or one after the other", async () => {
		const client = await (await serve())();
		const ids = Array.from({ length: 200 }, (_, id) => id);
		client.send(...ids.map(asked));
		const answers = await client.take(200);
		expect(answers.map(({ id }) => id).sort((a, b) => a - b)).toEqual(ids);
		client.send(asked(777));
		expect((await client.take(1))[0]?.id).toBe(777);
	});

	it("has a query answered that comes byte by byte", async () => {
		const client = await (await serve())();
		client.socket.setNoDelay(true);
		for (const byte of frame(wire(asked(5))))
			await new Promise((resolve) =>
				client.socket.write(Buffer.from([byte]), resolve),
			);
		expect((await client.take(1))[0]?.id).toBe(5);
	});

	it("has a quick query answered before a slow one that came first", async () => {
		let finish = () => {};
		const slow = new Promise<void>((resolve) => {
			finish = resolve;
		});
		const client = await (
			await serve(async (bytes, transport) => {
				if (decodeMessage(bytes).id === 1) await slow;
				return echo(bytes, transport);
			})
		)();
		client.send(asked(1), asked(2));
		expect((await client.take(1))[0]?.id).toBe(2);
		finish();
		expect((await client.take(1))[0]?.id).toBe(1);
	});

	it("gets its answers when it has ended its side behind the last query", async () => {
		const client = await (await serve(async (bytes) => echo(bytes, "tcp")))();
		client.send(asked(1), asked(2));
		client.socket.end();
		expect(await client.take(2)).toHaveLength(2);
		await client.closed;
	});

	it("ends when it has said nothing for ten seconds", async () => {
		const client = await (await serve())();
		client.send(asked(1));
		await client.take(1);
		await clock.advance(9_999);
		expect(service.connections).toBe(1);
		await clock.advance(1);
		client.socket.end();
		await client.closed;
	});

	it("is cut when a message is not whole within three seconds, however busily it trickles", async () => {
		const client = await (await serve())();
		const bytes = frame(wire(asked(1)));
		client.socket.write(bytes.subarray(0, 5));
		await eventually(
			() => clock.waiting(),
			(timers) => expect(timers).toEqual([3000]),
		);
		await clock.advance(2000);
		const [accepted] = sockets;
		const trickled = once(accepted as Socket, "data");
		client.socket.write(bytes.subarray(5, 6));
		await trickled;
		expect(clock.waiting()).toEqual([1000]);
		await clock.advance(1000);
		await client.closed;
	});

	it("is cut when it sends more than any query needs", async () => {
		const client = await (await serve())();
		client.socket.write(Buffer.from([0xff, 0xff, 0]));
		await client.closed;
	});

	it("is cut when it sends what is no query", async () => {
		const client = await (await serve(() => undefined))();
		client.send(asked(1));
		await client.closed;
	});

	it("is cut when it leaves its answers unread", async () => {
		// Loopback takes some megabytes before anything is left unread.
		const large = Buffer.alloc(60_000);
		const client = await (await serve(() => large, { unreadBytes: 100_000 }))();
		client.socket.pause();
		client.send(...Array.from({ length: 1000 }, (_, id) => asked(id)));
		await eventually(
			() => service.connections,
			(left) => expect(left).toBe(0),
		);
	});

	it("that has been quiet the longest makes room for one too many", async () => {
		const open = await serve(echo, { connections: 2 });
		const [first, second] = [await open(), await open()];
		first.send(asked(1));
		await first.take(1);
		const third = await open();
		await second.closed;
		first.send(asked(2));
		third.send(asked(3));
		expect((await first.take(1))[0]?.id).toBe(2);
		expect((await third.take(1))[0]?.id).toBe(3);
	});

	it("is answered what it is owed before the service ends", async () => {
		let finish = () => {};
		const slow = new Promise<void>((resolve) => {
			finish = resolve;
		});
		let started = () => {};
		const underWay = new Promise<void>((resolve) => {
			started = resolve;
		});
		const client = await (
			await serve(async (bytes, transport) => {
				started();
				await slow;
				return echo(bytes, transport);
			})
		)();
		client.send(asked(1));
		await underWay;
		const closed = service.close();
		finish();
		expect((await client.take(1))[0]?.id).toBe(1);
		client.socket.end();
		await closed;
	});
});

describe("a stream", () => {
	it("is cut into its messages wherever it is broken", () => {
		const messages = [Buffer.from("a"), Buffer.alloc(0), Buffer.from("long")];
		const stream = Buffer.concat(messages.map((message) => frame(message)));
		for (let cut = 0; cut <= stream.length; cut++) {
			const reader = new FrameReader(10);
			const read = [
				...reader.take(stream.subarray(0, cut)),
				...reader.take(stream.subarray(cut)),
			];
			expect(read).toEqual(messages);
			expect(reader.waiting).toBe(false);
		}
	});
});

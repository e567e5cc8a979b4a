import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { eventually } from "../../test/support/eventually.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { decodeMessage } from "./decode.ts";
import { flagBits, type Message, rcodes, types } from "./message.ts";
import { type DnsServer, startDns } from "./server.ts";
import { FrameReader, frame } from "./tcp-frames.ts";
import { TcpClient, UdpClient, wire } from "../../test/support/dns-client.ts";
import { query } from "../../test/support/dns-messages.ts";
import { recordText, service, storesOf } from "../../test/support/dns-world.ts";
import type { SocketAddress } from "./upstreams.ts";

/** Messages to answer with, each as it differs from the query; or bytes. */
type Reply = (
	query: Message,
	transport: "udp" | "tcp",
) => (Partial<Message> | { bytes: Buffer })[];

/** A resolver on loopback that answers as it is told and remembers what it was asked. */
class FakeResolver {
	readonly asked: string[] = [];
	readonly ids: number[] = [];
	readonly #udp: Socket;
	readonly #tcp: Server;
	readonly address: SocketAddress;

	private constructor(udp: Socket, tcp: Server, reply: Reply) {
		this.#udp = udp;
		this.#tcp = tcp;
		this.address = {
			host: "127.0.0.1",
			port: (tcp.address() as AddressInfo).port,
		};
		const take = (bytes: Buffer, transport: "udp" | "tcp"): Buffer[] => {
			const message = decodeMessage(bytes);
			this.asked.push(`${transport} ${message.question.name}`);
			this.ids.push(message.id);
			return reply(message, transport).map((part) =>
				"bytes" in part
					? part.bytes
					: wire({ ...message, flags: flagBits.response, ...part }),
			);
		};
		udp.on("message", (bytes, from) => {
			for (const answer of take(bytes, "udp"))
				udp.send(answer, from.port, from.address);
		});
		tcp.on("connection", (socket) => {
			const reader = new FrameReader(65_535);
			socket.on("error", () => {}); // The client cuts the connection when it has its answer.
			socket.on("data", (bytes: Buffer) => {
				for (const message of reader.take(bytes))
					for (const answer of take(message, "tcp"))
						socket.write(frame(answer));
			});
		});
	}

	static async start(reply: Reply): Promise<FakeResolver> {
		for (;;) {
			const tcp = createServer().listen(0, "127.0.0.1");
			await once(tcp, "listening");
			const udp = createSocket("udp4");
			udp.bind((tcp.address() as AddressInfo).port, "127.0.0.1");
			const bound = await Promise.race([
				once(udp, "listening").then(() => true),
				once(udp, "error").then(() => false),
			]);
			if (bound) return new FakeResolver(udp, tcp, reply);
			// The same port is taken for UDP: another one.
			tcp.close();
			udp.close();
		}
	}

	stop(): void {
		this.#udp.close();
		this.#tcp.close();
	}
}

const address = (name: string, last: number) => ({
	name,
	ttl: 60,
	data: { type: types.A, address: new Uint8Array([192, 0, 2, last]) },
});
const known: Reply = ({ question }) => [
	{ answers: [address(question.name, 1)] },
];
const silent: Reply = () => [];

const resolvers: FakeResolver[] = [];
let server: DnsServer;
let client: UdpClient;
let stores: ReturnType<typeof storesOf>;

async function start(...replies: Reply[]): Promise<void> {
	for (const reply of replies) resolvers.push(await FakeResolver.start(reply));
	stores = storesOf({
		services: [
			service("default/out", {
				type: "ExternalName",
				externalName: "www.example",
			}),
		],
	});
	server = await startDns({
		cluster: {
			stores: { ...stores, synced: Promise.resolve() },
		},
		listen: [{ host: "127.0.0.1", port: 0 }],
		zone: "cluster.local",
		upstreams: resolvers.map((resolver) => resolver.address),
		clock: stores.clock,
		random: () => 0.5,
		log: quietLog(),
	});
	await server.ready;
	client = new UdpClient(serverAddress());
}

function serverAddress(): SocketAddress {
	return server.addresses[0] as SocketAddress;
}

afterEach(async () => {
	client.close();
	await server.close();
	for (const resolver of resolvers.splice(0)) resolver.stop();
});

const ask = async (message: Message) =>
	decodeMessage(await client.ask(wire(message)));
const texts = ({ answers }: Message) => answers.map(recordText);
const example = query("www.example", types.A);
const out = query("out.default.svc.cluster.local", types.A);
/** Time passes once the resolvers have been asked `count` times: only then does its limit run. */
const passes = async (ms: number, count: number) => {
	await eventually(
		() => resolvers.flatMap(({ asked }) => asked),
		(asked) => expect(asked).toHaveLength(count),
	);
	await stores.clock.advance(ms);
};

describe("a name of others", () => {
	it("is asked of an upstream, under an id of its own, and answered under the client's", async () => {
		await start(known);
		const answer = await ask(example);
		expect(answer.id).toBe(example.id);
		expect(texts(answer)).toEqual(["www.example 60 A 192.0.2.1"]);
		expect(resolvers[0]?.asked).toEqual(["udp www.example"]);
		for (let n = 0; n < 5; n++) await ask(example);
		expect(new Set(resolvers[0]?.ids).size).toBeGreaterThan(1);
	});

	it("that is too long for UDP is asked again over TCP for a client that came over TCP", async () => {
		await start((message, transport) =>
			transport === "udp"
				? [{ flags: flagBits.response | flagBits.truncated }]
				: known(message, transport),
		);
		const cut = await ask(example);
		expect(cut.flags & flagBits.truncated).not.toBe(0);
		expect(resolvers[0]?.asked).toEqual(["udp www.example"]);
		const tcp = await TcpClient.open(serverAddress());
		tcp.send(example);
		const [whole] = await tcp.take(1);
		expect(whole && texts(whole)).toEqual(["www.example 60 A 192.0.2.1"]);
		tcp.socket.destroy();
	});

	it("is never believed to be what a forger says", async () => {
		await start(({ id, question }) => [
			// Another id, another question, no answer at all, no message at all; then the true one.
			{ id: id ^ 1, answers: [address(question.name, 66)] },
			{
				question: { ...question, name: "xxx.example" },
				answers: [address("xxx.example", 66)],
			},
			{ flags: 0, answers: [address(question.name, 66)] },
			{ bytes: Buffer.from("123", "latin1") },
			{ answers: [address(question.name, 1)] },
		]);
		expect(texts(await ask(example))).toEqual(["www.example 60 A 192.0.2.1"]);
	});

	it("is asked of the next upstream when one is silent, which is then asked last", async () => {
		await start(silent, known);
		const asking = ask(example);
		await passes(2000, 1);
		expect(texts(await asking)).toEqual(["www.example 60 A 192.0.2.1"]);
		await ask(example);
		expect(resolvers.map(({ asked }) => asked.length)).toEqual([1, 2]);
	});

	it("is asked of the next upstream when one fails", async () => {
		await start(() => [{ rcode: rcodes.SERVFAIL }], known);
		expect(texts(await ask(example))).toEqual(["www.example 60 A 192.0.2.1"]);
	});

	it("is asked of the next upstream when nobody listens at one", async () => {
		const gone = await FakeResolver.start(silent);
		gone.stop();
		resolvers.push(gone);
		await start(known);
		resolvers.shift();
		expect(texts(await ask(example))).toEqual(["www.example 60 A 192.0.2.1"]);
	});

	it("is what the upstreams say when all of them fail", async () => {
		await start(() => [{ rcode: rcodes.REFUSED }]);
		expect((await ask(example)).rcode).toBe(rcodes.REFUSED);
	});

	it("is a failure when none of them answers in time", async () => {
		await start(silent);
		const asking = ask(example);
		await passes(2000, 1);
		await passes(2000, 2);
		expect((await asking).rcode).toBe(rcodes.SERVFAIL);
	});
});

describe("an external name", () => {
	it("is followed upstream", async () => {
		await start(known);
		expect(texts(await ask(out))).toEqual([
			"out.default.svc.cluster.local 5 CNAME www.example",
			"www.example 60 A 192.0.2.1",
		]);
	});

	it("does not exist when upstream says so", async () => {
		await start(() => [{ rcode: rcodes.NXDOMAIN }]);
		const answer = await ask(out);
		expect(answer.rcode).toBe(rcodes.NXDOMAIN);
		expect(texts(answer)).toEqual([
			"out.default.svc.cluster.local 5 CNAME www.example",
		]);
	});

	it("is a failure when upstream sends no message", async () => {
		await start(({ id, question }) => {
			const bytes = wire({
				...query(question.name, question.type, { id }),
				flags: flagBits.response,
			});
			bytes.writeUInt16BE(9, 6);
			return [{ bytes }];
		});
		expect((await ask(out)).rcode).toBe(rcodes.SERVFAIL);
	});
});

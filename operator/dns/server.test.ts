import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import fc from "fast-check";
import { Registry } from "prom-client";
import { quietLog } from "../../test/support/quiet-log.ts";
import { decodeMessage } from "./decode.ts";
import { flagBits, type Message, rcodes, types } from "./message.ts";
import { type DnsOptions, type DnsServer, startDns } from "./server.ts";
import { TcpClient, UdpClient, wire } from "../../test/support/dns-client.ts";
import { query } from "../../test/support/dns-messages.ts";
import {
	recordText,
	service,
	slice,
	storesOf,
} from "../../test/support/dns-world.ts";

const local = { host: "127.0.0.1", port: 0 };
const web = "web.default.svc.cluster.local";
const many = "many.default.svc.cluster.local";
const objects = {
	services: [
		service("default/web", { clusterIP: "10.96.0.7", ports: [{ port: 80 }] }),
		service("default/many", { clusterIP: "None" }),
	],
	slices: [
		slice(
			"default/many",
			Array.from({ length: 200 }, (_, n) => `10.244.1.${n + 1}`),
		),
	],
};

let server: DnsServer;
let client: UdpClient;

async function start(
	synced: Promise<void> = Promise.resolve(),
	more: Partial<DnsOptions> = {},
): Promise<DnsServer> {
	const stores = storesOf(objects);
	server = await startDns({
		cluster: { stores: { ...stores, synced } },
		listen: [local],
		zone: "cluster.local",
		clock: stores.clock,
		random: () => 0.5,
		log: quietLog(),
		...more,
	});
	const [address] = server.addresses;
	if (address) client = new UdpClient(address);
	return server;
}

afterEach(async () => {
	client.close();
	await server.close();
});

const rcodeOf = (bytes: Buffer) => bytes.readUInt16BE(2) & flagBits.rcode;
const ask = async (message: Message) =>
	decodeMessage(await client.ask(wire(message)));

describe("the DNS server", () => {
	it("answers alike over UDP and TCP, with authority", async () => {
		const { addresses } = await start();
		const asked = query(web, types.A, {
			flags: flagBits.recursionDesired | flagBits.checkingDisabled,
		});
		const answer = await ask(asked);
		expect(answer.answers.map(recordText)).toEqual([`${web} 5 A 10.96.0.7`]);
		expect(answer).toMatchObject({
			id: asked.id,
			question: asked.question,
			rcode: rcodes.NOERROR,
			flags:
				flagBits.response |
				flagBits.authoritative |
				flagBits.recursionDesired |
				flagBits.checkingDisabled,
		});
		const tcp = await TcpClient.open(addresses[0] ?? local);
		tcp.send(asked);
		expect(await tcp.take(1)).toEqual([answer]);
		tcp.socket.destroy();
	});

	it("answers SERVFAIL until it has read the cluster, and says so", async () => {
		let read = () => {};
		const synced = new Promise<void>((resolve) => {
			read = resolve;
		});
		await start(synced);
		expect((await ask(query(web, types.A))).rcode).toBe(rcodes.SERVFAIL);
		expect((await ask(query("none.cluster.local", types.A))).rcode).toBe(
			rcodes.SERVFAIL,
		);
		expect(server.notReady()).toEqual(["the cluster has not been read yet"]);
		read();
		await server.ready;
		expect((await ask(query(web, types.A))).rcode).toBe(rcodes.NOERROR);
		expect(server.notReady()).toEqual([]);
	});

	it.each<[string, Buffer, number]>([
		[
			"a name of others is refused",
			wire(query("example.com", types.A)),
			rcodes.REFUSED,
		],
		[
			"a class other than IN is refused",
			wire(
				query(web, types.TXT, { question: { name: web, type: 16, class: 3 } }),
			),
			rcodes.REFUSED,
		],
		[
			"a zone transfer is refused",
			wire(query("cluster.local", types.AXFR)),
			rcodes.REFUSED,
		],
		[
			"an update is not implemented",
			wire(query("cluster.local", types.SOA, { flags: 5 << 11 })),
			rcodes.NOTIMP,
		],
		[
			"a query without a question is malformed",
			Buffer.from("123401000000000000000000", "hex"),
			rcodes.FORMERR,
		],
		[
			"a query that is cut off is malformed",
			wire(query(web, types.A)).subarray(0, 20),
			rcodes.FORMERR,
		],
	])("%s", async (_what, bytes, rcode) => {
		await start();
		const answer = await client.ask(bytes);
		expect(rcodeOf(answer)).toBe(rcode);
		expect(answer.readUInt16BE(0)).toBe(0x1234);
		expect(answer.readUInt16BE(2) & flagBits.response).not.toBe(0);
	});

	it("says nothing to what is no query", async () => {
		await start();
		client.send(Buffer.from("1234", "hex"));
		client.send(wire(query(web, types.A, { flags: flagBits.response, id: 1 })));
		const answer = await ask(query(web, types.A, { id: 2 }));
		expect(answer.id).toBe(2);
	});

	it("answers a version of EDNS it does not know with BADVERS", async () => {
		await start();
		const edns = { udpSize: 1232, version: 1, dnssec: false };
		const answer = await ask(query(web, types.A, { edns }));
		expect(answer.rcode).toBe(rcodes.BADVERS);
		expect(answer.edns).toEqual({ udpSize: 1232, version: 0, dnssec: false });
	});

	it.each<[string, number | undefined, number]>([
		["a client that says nothing gets 512 bytes", undefined, 512],
		["one that says less than that too", 100, 512],
		["one that says more gets as much", 1000, 1000],
		["but no more than passes unfragmented", 4096, 1232],
	])("%s, the rest over TCP", async (_what, udpSize, limit) => {
		const { addresses } = await start();
		const edns =
			udpSize === undefined
				? {}
				: { edns: { udpSize, version: 0, dnssec: true } };
		const bytes = await client.ask(wire(query(many, types.A, edns)));
		expect(bytes.length).toBeLessThanOrEqual(limit);
		expect(bytes.length).toBeGreaterThan(limit - 16);
		const cut = decodeMessage(bytes);
		expect(cut.flags & flagBits.truncated).not.toBe(0);
		expect(cut.edns?.dnssec).toBe(udpSize === undefined ? undefined : true);
		const tcp = await TcpClient.open(addresses[0] ?? local);
		tcp.send(query(many, types.A, edns));
		const [whole] = await tcp.take(1);
		expect(whole?.answers).toHaveLength(200);
		expect((whole?.flags ?? 0) & flagBits.truncated).toBe(0);
		tcp.socket.destroy();
	});

	it("goes on answering, whatever it is sent", async () => {
		await start();
		const asked = wire(query(web, types.A, { id: 0xbeef }));
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
				let answer = client.next();
				client.send(bytes);
				// One at a time: what a full socket buffer drops would be waited for.
				client.send(asked);
				while ((await answer).readUInt16BE(0) !== 0xbeef)
					answer = client.next();
			}),
		);
	});

	it("serves sockets that others have opened, and closes them", async () => {
		const udp = createSocket("udp4");
		udp.bind(0, "127.0.0.1");
		await once(udp, "listening");
		const tcp = createServer();
		tcp.listen(0, "127.0.0.1");
		await once(tcp, "listening");
		await start(Promise.resolve(), { listen: [], udp: [udp], tcp: [tcp] });
		client = new UdpClient({ host: "127.0.0.1", port: udp.address().port });
		expect((await ask(query(web, types.A))).rcode).toBe(rcodes.NOERROR);
		const closed = Promise.all([once(udp, "close"), once(tcp, "close")]);
		await server.close();
		await closed;
		client.close();
		await start();
	});

	it("names the address that it cannot listen on, and leaves nothing open", async () => {
		await start();
		const taken = server.addresses[0] ?? local;
		const stores = storesOf();
		await expect(
			startDns({
				cluster: {
					stores: { ...stores, synced: Promise.resolve() },
				},
				listen: [local, taken],
				zone: "cluster.local",
				clock: stores.clock,
				random: () => 0.5,
				log: quietLog(),
			}),
		).rejects.toMatchObject({
			code: "ListenFailed",
			message: `cannot listen on 127.0.0.1:${taken.port} (TCP): the port is taken`,
		});
	});

	it("counts what it answers and drops", async () => {
		const metrics = new Registry();
		await start(Promise.resolve(), { metrics });
		client.send(Buffer.from("12", "hex"));
		await ask(query(web, types.A));
		await ask(query("none.default.svc.cluster.local", types.A));
		const text = await metrics.metrics();
		expect(text).toContain(
			'fairlead_dns_responses_total{transport="udp",rcode="NOERROR"} 1',
		);
		expect(text).toContain(
			'fairlead_dns_responses_total{transport="udp",rcode="NXDOMAIN"} 1',
		);
		expect(text).toContain('fairlead_dns_dropped_total{reason="short"} 1');
		expect(text).toContain("fairlead_dns_services 2");
	});
});

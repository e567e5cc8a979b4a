import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { ownNamespace } from "./namespaces.ts";
import { bindUdpIn, connectIn, listenIn, portOf } from "./sockets.ts";

const onLinux = process.platform === "linux" ? test : test.skip;

onLinux.each(["127.0.0.1", "::1"])(
	"a server on a socket that listens on %s is connected to",
	async (address) => {
		const fd = listenIn(ownNamespace, address, 0);
		const port = portOf(fd);
		const server = createServer((socket) =>
			socket.end(`${socket.localAddress} ${socket.localPort}`),
		).listen({ fd });
		const socket = connectIn(ownNamespace, { host: address, port });
		expect(await text(socket)).toBe(`${address} ${port}`);
		server.close();
	},
);

onLinux("who connects before there is a server waits for it", async () => {
	const fd = listenIn(ownNamespace, "127.0.0.1", 0);
	const socket = connectIn(ownNamespace, {
		host: "127.0.0.1",
		port: portOf(fd),
	});
	await once(socket, "connect");
	const server = createServer((each) => each.end("at last")).listen({ fd });
	expect(await text(socket)).toBe("at last");
	server.close();
});

onLinux("a datagram reaches a socket bound to an address", async () => {
	const fd = bindUdpIn(ownNamespace, "127.0.0.1", 0);
	const port = portOf(fd);
	const server = createSocket("udp4");
	const heard = once(server, "message");
	server.bind({ fd });
	const client = createSocket("udp4");
	client.send("hello", port, "127.0.0.1");
	const [datagram] = (await heard) as [Buffer];
	expect(datagram.toString()).toBe("hello");
	client.close();
	server.close();
});

onLinux(
	"a port that is taken, and an address that is nobody's, are named",
	() => {
		const fd = listenIn(ownNamespace, "127.0.0.1", 0);
		const port = portOf(fd);
		expect(() => listenIn(ownNamespace, "127.0.0.1", port)).toThrow(
			`cannot bind 127.0.0.1 port ${port}: EADDRINUSE`,
		);
		closeSync(fd);
		expect(() => bindUdpIn(ownNamespace, "192.0.2.1", 53)).toThrow(
			"cannot bind 192.0.2.1 port 53: EADDRNOTAVAIL",
		);
	},
);

onLinux("a socket that listens on :: leaves IPv4 to others", () => {
	const six = listenIn(ownNamespace, "::1", 0);
	const four = listenIn(ownNamespace, "127.0.0.1", portOf(six));
	expect(portOf(four)).toBe(portOf(six));
	closeSync(six);
	closeSync(four);
});

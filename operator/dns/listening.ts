import { createSocket, type Socket } from "node:dgram";
import { type AddressInfo, createServer, isIPv6, type Server } from "node:net";
import type { FairleadError } from "../errors.ts";
import { listenFailed } from "../probes/listen.ts";
import type { SocketAddress } from "./upstreams.ts";

export interface Listening {
	udp: Socket;
	tcp: Server;
}

/** Ports tried when any will do: one may be free for TCP and taken for UDP. */
const attempts = 20;

/** Binds UDP and TCP on one address and port; port 0: any that is free for both. Throws ListenFailed. */
export async function listenOn(address: SocketAddress): Promise<Listening> {
	for (let attempt = 1; ; attempt++) {
		const tcp = await listenTcp(address);
		const { port } = tcp.address() as AddressInfo;
		try {
			return { tcp, udp: await bindUdp({ ...address, port }) };
		} catch (error) {
			await new Promise((resolve) => tcp.close(resolve));
			if (address.port !== 0 || attempt === attempts) throw error;
		}
	}
}

function listenTcp({ host, port }: SocketAddress): Promise<Server> {
	// A client may end its side behind its last query and still wait for the answers.
	const server = createServer({ allowHalfOpen: true });
	return new Promise((resolve, reject) => {
		const failed = (cause: NodeJS.ErrnoException) =>
			reject(failure({ host, port }, "TCP", cause));
		server.once("error", failed);
		server.listen({ host, port, ipv6Only: true }, () => {
			server.off("error", failed);
			resolve(server);
		});
	});
}

function bindUdp({ host, port }: SocketAddress): Promise<Socket> {
	const socket = isIPv6(host)
		? createSocket({ type: "udp6", ipv6Only: true })
		: createSocket("udp4");
	return new Promise((resolve, reject) => {
		const failed = (cause: NodeJS.ErrnoException) => {
			socket.close();
			reject(failure({ host, port }, "UDP", cause));
		};
		socket.once("error", failed);
		socket.bind(port, host, () => {
			socket.off("error", failed);
			resolve(socket);
		});
	});
}

function failure(
	{ host, port }: SocketAddress,
	transport: string,
	cause: NodeJS.ErrnoException,
): FairleadError {
	const at = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
	return listenFailed(`${at} (${transport})`, cause);
}

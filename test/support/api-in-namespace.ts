import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { listenIn } from "../../operator/kernel/sockets.ts";

/** Makes an API server that listens on this machine's 127.0.0.1 reachable from a namespace. */
export interface ApiInNamespace {
	/** Cuts every connection and stops listening; resolves when nothing of it is left. */
	close(): Promise<void>;
}

/**
 * Relays connections from the namespace's 127.0.0.1 to `server`, a URL on 127.0.0.1. The port is the same on both sides, so
 * that the server's own kubeconfig and certificate hold in the namespace too. Loopback must be up there.
 */
export async function apiInNamespace(
	namespace: NetworkNamespace,
	server: string,
): Promise<ApiInNamespace> {
	const host = "127.0.0.1";
	const { hostname, port } = new URL(server);
	if (hostname !== host) throw new RangeError(`${server} is not on ${host}`);
	const open = new Set<Socket>();
	const hold = (socket: Socket) => {
		open.add(socket);
		socket.once("close", () => open.delete(socket));
	};
	const relay = createServer((inside) => {
		const outside = connect({ host, port: Number(port) });
		hold(inside);
		hold(outside);
		// Each direction ends the other side when it ends or breaks; how it ended is for those who talk to judge.
		pipeline(inside, outside, () => {});
		pipeline(outside, inside, () => {});
	});
	relay.listen({ fd: listenIn(namespace, host, Number(port)) });
	await once(relay, "listening");
	return {
		async close() {
			const closed = once(relay, "close");
			relay.close();
			for (const socket of open) socket.destroy();
			await closed;
		},
	};
}

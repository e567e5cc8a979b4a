import { createSocket, type Socket as UdpSocket } from "node:dgram";
import type { Socket } from "node:net";
import {
	type NetworkNamespace,
	ownNamespace,
} from "../../operator/kernel/namespaces.ts";
import { bindUdpIn, connectIn } from "../../operator/kernel/sockets.ts";

/** Where an engine's packets come from and go to. */
export interface EngineNetwork {
	/** A connection to a target or a check of it; emits `connect` or `error`. */
	connect: (target: { host: string; port: number }) => Socket;
	/** A socket that datagrams to targets of this family leave by; absent where the network carries none. */
	datagrams?: (family: 4 | 6) => UdpSocket;
	/** Balancers' addresses are bound here; absent: only loopback addresses of this machine are, and only if asked for. */
	namespace?: NetworkNamespace;
}

/** Fills in what is not said: everything from `namespace`; from this machine only if not even `connect` is said. */
export function engineNetwork(
	given: Partial<EngineNetwork> = {},
): EngineNetwork {
	const { namespace = ownNamespace } = given;
	return {
		connect: (target) => connectIn(namespace, target),
		...((given.namespace || !given.connect) && {
			datagrams: (family: 4 | 6) => udpSocketIn(namespace, family),
		}),
		...given,
	};
}

function udpSocketIn(namespace: NetworkNamespace, family: 4 | 6): UdpSocket {
	const socket = createSocket(family === 6 ? "udp6" : "udp4");
	// Node binds at the first send, which is after this thread has left the namespace.
	if (namespace !== ownNamespace)
		socket.bind({
			fd: bindUdpIn(namespace, family === 6 ? "::" : "0.0.0.0", 0),
		});
	return socket;
}

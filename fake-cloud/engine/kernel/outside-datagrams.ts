import { isIP } from "node:net";
import { type DatagramPath, DialError } from "../engine.ts";
import type { EngineNetwork } from "../network.ts";

/**
 * Datagrams from a machine to an address, and back. What cannot be sent is lost.
 *
 * @throws DialError where the machine has no UDP
 */
export function openDatagrams(
	{ datagrams }: EngineNetwork,
	address: string,
	port: number,
	heard: (datagram: Buffer) => void,
): DatagramPath {
	const socket = datagrams?.(isIP(address) === 6 ? 6 : 4);
	if (!socket)
		throw new DialError("EHOSTUNREACH", "this network carries no UDP");
	// A refusal (ICMP) is what a lost datagram is: the next may arrive.
	socket.on("error", () => {});
	socket.on("message", (data, from) => {
		if (from.address === address && from.port === port) heard(data);
	});
	return {
		send: (datagram) => socket.send(datagram, port, address, () => {}),
		close: () => socket.close(),
	};
}

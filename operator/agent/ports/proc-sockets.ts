import type { Protocol } from "../../api/core.ts";

/** A socket of a node's own network that others can send to. */
export interface OpenSocket {
	port: number;
	protocol: Protocol;
	/** Names it among the open files of processes. */
	inode: string;
}

/** Source: Linux, include/net/tcp_states.h; an unconnected UDP socket is shown as closed. */
const listening = "0A";
const unconnected = "07";

/**
 * Reads /proc/net/{tcp,tcp6,udp,udp6} (Linux, Documentation/networking/proc_net_tcp.rst): TCP sockets that listen, UDP
 * sockets that are bound and not connected. Those bound to loopback alone are left out: no NodePort is served there.
 */
export function readSockets(
	table: "tcp" | "tcp6" | "udp" | "udp6",
	text: string,
): OpenSocket[] {
	const protocol = table.startsWith("tcp") ? "TCP" : "UDP";
	const wanted = protocol === "TCP" ? listening : unconnected;
	const found: OpenSocket[] = [];
	for (const line of text.split("\n").slice(1)) {
		const [, local = "", , state, , , , , , inode = "0"] = line
			.trim()
			.split(/\s+/);
		const [address = "", port] = local.split(":");
		if (state !== wanted || port === undefined || isLoopback(address)) continue;
		found.push({ port: Number.parseInt(port, 16), protocol, inode });
	}
	return found;
}

/** Addresses stand there as 32-bit words in the machine's own byte order; both platforms there are have the low byte first. */
function isLoopback(address: string): boolean {
	if (address.length === 8) return address.endsWith("7F");
	return (
		address === "00000000000000000000000001000000" ||
		(address.startsWith("0000000000000000FFFF0000") && address.endsWith("7F"))
	);
}

/** Reads net.ipv4.ip_local_port_range; undefined for what is not two ports. */
export function readPortPair(text: string): [number, number] | undefined {
	const [, first, last] = /^\s*(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
	return first === undefined ? undefined : [Number(first), Number(last)];
}

/** Reads net.ipv4.ip_local_reserved_ports: `8080,9148-9200`, or nothing. */
export function readReserved(text: string): [number, number][] {
	return text
		.trim()
		.split(",")
		.flatMap((part): [number, number][] => {
			const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
			return first === undefined
				? []
				: [[Number(first), Number(last ?? first)]];
		});
}

import { isIPv6, Socket } from "node:net";
import { addressBytes } from "./address-bytes.ts";
import {
	AF_INET,
	AF_INET6,
	failure,
	libc,
	SOCK_CLOEXEC,
	SOCK_DGRAM,
	SOCK_NONBLOCK,
	SOCK_STREAM,
} from "./libc.ts";
import { type NetworkNamespace, ownNamespace } from "./namespaces.ts";

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/** A TCP connection that begins in a namespace; like net.connect it emits `connect` or `error`. */
export function connectIn(
	namespace: NetworkNamespace,
	target: { host: string; port: number; allowHalfOpen?: boolean },
): Socket {
	const { host, port, allowHalfOpen = false } = target;
	// Node makes the socket when it connects, which is after this thread has left the namespace: it is made here instead.
	const options =
		namespace === ownNamespace
			? { allowHalfOpen }
			: {
					fd: open(namespace, host, SOCK_STREAM),
					allowHalfOpen,
					readable: true,
					writable: true,
				};
	return new Socket(options).connect({ host, port });
}

/**
 * The fd of a TCP socket that listens on an IP address of a namespace, for `server.listen({ fd })`.
 *
 * @throws KernelFailed with reason EADDRINUSE or EADDRNOTAVAIL, KernelDenied for a port it may not open
 */
export function listenIn(
	namespace: NetworkNamespace,
	address: string,
	port: number,
): number {
	const fd = bindIn(namespace, address, port, SOCK_STREAM);
	if (libc().listen(fd, 511) !== 0)
		throw closing(fd, `listen on ${address} port ${port}`);
	return fd;
}

/** The port that a socket of either family is bound to. */
export function portOf(fd: number): number {
	const address = Buffer.alloc(28);
	if (libc().getsockname(fd, address, new Uint32Array([address.length])) !== 0)
		throw failure("ask for a socket's address", libc().errno());
	return address.readUInt16BE(2);
}

/** The fd of a UDP socket bound to an IP address of a namespace, for `socket.bind({ fd })`. Throws as listenIn. */
export function bindUdpIn(
	namespace: NetworkNamespace,
	address: string,
	port: number,
): number {
	return bindIn(namespace, address, port, SOCK_DGRAM);
}

function bindIn(
	namespace: NetworkNamespace,
	address: string,
	port: number,
	type: number,
): number {
	const fd = open(namespace, address, type);
	const one = Buffer.from([1, 0, 0, 0]);
	if (type === SOCK_STREAM)
		libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, one.length);
	if (isIPv6(address))
		libc().setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, one, one.length);
	const socketAddress = encode(address, port);
	if (libc().bind(fd, socketAddress, socketAddress.length) !== 0)
		throw closing(fd, `bind ${address} port ${port}`);
	return fd;
}

function open(
	namespace: NetworkNamespace,
	address: string,
	type: number,
): number {
	const family = isIPv6(address) ? AF_INET6 : AF_INET;
	const fd = namespace.run(() =>
		libc().socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	);
	if (fd < 0) throw failure("open a socket", libc().errno());
	return fd;
}

function closing(fd: number, what: string): Error {
	const error = failure(what, libc().errno());
	libc().close(fd);
	return error;
}

/** struct sockaddr_in or sockaddr_in6. */
function encode(address: string, port: number): Buffer {
	if (!isIPv6(address)) {
		const bytes = Buffer.alloc(16);
		bytes.writeUInt16LE(AF_INET, 0);
		bytes.writeUInt16BE(port, 2);
		bytes.set(addressBytes(address), 4);
		return bytes;
	}
	const bytes = Buffer.alloc(28);
	bytes.writeUInt16LE(AF_INET6, 0);
	bytes.writeUInt16BE(port, 2);
	bytes.set(addressBytes(address), 8);
	return bytes;
}

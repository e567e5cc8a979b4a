import { createRequire } from "node:module";
import { constants } from "node:os";
import type * as Koffi from "koffi";
import type { IPFamily } from "../../operator/api/core.ts";
import {
	addressBytes,
	addressText,
} from "../../operator/kernel/address-bytes.ts";
import {
	AF_INET,
	AF_INET6,
	failure,
	libc,
	SOCK_CLOEXEC,
	SOCK_NONBLOCK,
	SOCK_RAW,
} from "../../operator/kernel/libc.ts";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";

const IPPROTO_SCTP = 132;
const HEADER = 12;

interface Calls {
	connect(fd: number, address: Uint8Array, length: number): number;
	recvfrom(
		fd: number,
		into: Uint8Array,
		length: number,
		flags: number,
		address: Uint8Array,
		addressLength: Uint32Array,
	): number;
}

let loaded: Calls | undefined;

function calls(): Calls {
	const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
	const library = koffi.load(null);
	loaded ??= {
		connect: library.func("int connect(int, const uint8_t *, uint32_t)"),
		recvfrom: library.func(
			"long recvfrom(int, _Out_ uint8_t *, size_t, int, _Out_ uint8_t *, _Inout_ uint32_t *)",
		),
	} as unknown as Calls;
	return loaded;
}

/** What a place hears of an association that somebody would like to begin. */
export interface HeardInit {
	/** Canonical text. */
	from: string;
	port: number;
	/** What the one who asks has put in it, to tell one from another. */
	tag: number;
}

/**
 * SCTP without an SCTP of the kernel's: a raw socket of a namespace, which hears every packet of it, and that sends the first
 * of an association.
 */
export class SctpSocket {
	readonly #family: IPFamily;
	readonly #fd: number;

	/** `host`: whom it asks; its refusals are heard by this socket alone. Without it, it hears what others send. */
	constructor(namespace: NetworkNamespace, family: IPFamily, host?: string) {
		this.#family = family;
		this.#fd = namespace.run(() =>
			libc().socket(
				family === "IPv4" ? AF_INET : AF_INET6,
				SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
				IPPROTO_SCTP,
			),
		);
		if (this.#fd < 0) throw failure("open a raw socket", libc().errno());
		if (host === undefined) return;
		const address = socketAddress(family, host);
		if (calls().connect(this.#fd, address, address.length) !== 0)
			throw failure(`connect to ${host}`, libc().errno());
	}

	/** Sends INIT. */
	ask(sourcePort: number, port: number, tag: number): void {
		const packet = initOf(sourcePort, port, tag);
		if (libc().send(this.#fd, packet, packet.length, 0) === packet.length)
			return;
		// A refusal by the sender's own machine: what it says is heard as any other.
		const errno = libc().errno();
		if (errno !== constants.errno.EPERM) throw failure("send an INIT", errno);
	}

	/** The next that came; undefined if nothing did. A refusal of what was asked is `refused`. */
	heard(): HeardInit | "refused" | undefined {
		const into = Buffer.alloc(512);
		const address = Buffer.alloc(28);
		const length = calls().recvfrom(
			this.#fd,
			into,
			into.length,
			0,
			address,
			new Uint32Array([address.length]),
		);
		if (length < 0) {
			const { EAGAIN, ECONNREFUSED } = constants.errno;
			const errno = libc().errno();
			if (errno === EAGAIN) return undefined;
			if (errno === ECONNREFUSED) return "refused";
			throw failure("hear SCTP", errno);
		}
		// Of IPv4 the kernel gives the header of the packet as well.
		const start = this.#family === "IPv4" ? ((into[0] ?? 0) & 0xf) * 4 : 0;
		const [from, to] = this.#family === "IPv4" ? [4, 8] : [8, 24];
		return {
			from: addressText(address.subarray(from, to)),
			port: into.readUInt16BE(start + 2),
			tag: into.readUInt32BE(start + HEADER + 4),
		};
	}

	close(): void {
		libc().close(this.#fd);
	}
}

/** RFC 9260, 3.3.2: an INIT with no parameters. */
function initOf(sourcePort: number, port: number, tag: number): Buffer {
	const packet = Buffer.alloc(HEADER + 20);
	packet.writeUInt16BE(sourcePort, 0);
	packet.writeUInt16BE(port, 2);
	packet.writeUInt8(1, HEADER);
	packet.writeUInt16BE(20, HEADER + 2);
	packet.writeUInt32BE(tag, HEADER + 4);
	packet.writeUInt32BE(65_536, HEADER + 8);
	packet.writeUInt16BE(1, HEADER + 12);
	packet.writeUInt16BE(1, HEADER + 14);
	packet.writeUInt32LE(crc32c(packet), 8);
	return packet;
}

/** RFC 9260, appendix A. */
function crc32c(bytes: Uint8Array): number {
	let crc = 0xffffffff;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++)
			crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return (crc ^ 0xffffffff) >>> 0;
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(family: IPFamily, host: string): Buffer {
	const address = Buffer.alloc(family === "IPv4" ? 16 : 28);
	address.writeUInt16LE(family === "IPv4" ? AF_INET : AF_INET6, 0);
	address.set(addressBytes(host), family === "IPv4" ? 4 : 8);
	return address;
}

import { constants } from "node:os";
import type { FairleadError } from "../errors.ts";
import {
	AF_NETLINK,
	failure,
	libc,
	SOCK_CLOEXEC,
	SOCK_NONBLOCK,
	SOCK_RAW,
} from "./libc.ts";
import type { NetworkNamespace } from "./namespaces.ts";
import {
	decodeMessages,
	encodeMessages,
	NLM_F_ACK,
	NLM_F_DUMP,
	type NetlinkMessage,
	type NetlinkReply,
	readMessages,
	readVerdict,
	type Verdict,
} from "./netlink-message.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
/** Types below are netlink's own. */
const NLMSG_MIN_TYPE = 16;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CREATE_OR_APPEND = 0xc00;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

const { EAGAIN, EINTR, EMSGSIZE, ENOBUFS } = constants.errno;

/** The kernel makes no datagram larger than 32 KiB of its own accord; an answer to one message may be a little more. */
const DATAGRAM = 1 << 17;
/** A dump that changed under the reader is read again; a table that never rests this often is a fault. */
const DUMP_ATTEMPTS = 32;

/** Everything that one datagram to the kernel brought back. */
export interface Exchange {
	replies: NetlinkReply[];
	/** What NLMSG_ERROR said: acknowledgements and refusals. */
	verdicts: Verdict[];
}

/** Whether more of a dump is wanted. */
export type Reading = "go on" | "enough";

/** What was told to the groups this socket has joined. */
export interface Notifications {
	messages: NetlinkReply[];
	/** The socket's buffer overflowed: some were never heard, and what is known must be read again. */
	lost: boolean;
}

export interface NetlinkOptions {
	/** How much may be on its way to and from the kernel, if we may ask for that much. Default 32 MiB; only what is used costs. */
	bufferBytes?: number;
}

/**
 * A netlink socket in a namespace, for one kernel family. Every call is synchronous: the kernel does what a message asks
 * within send(2), so that its answer is there to be read when send returns.
 */
export class NetlinkSocket {
	readonly #fd: number;
	readonly #datagram = Buffer.alloc(DATAGRAM);
	#sequence = 1;
	#open = true;

	/** @throws KernelUnsupported where the kernel lacks the family */
	constructor(
		namespace: NetworkNamespace,
		protocol: number,
		options: NetlinkOptions = {},
	) {
		const fd = namespace.run(() =>
			libc().socket(
				AF_NETLINK,
				SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
				protocol,
			),
		);
		if (fd < 0) throw failure("open a netlink socket", libc().errno());
		this.#fd = fd;
		// struct sockaddr_nl without a port id: the kernel chooses one.
		const address = Buffer.alloc(12);
		address.writeUInt16LE(AF_NETLINK, 0);
		if (libc().bind(fd, address, address.length) !== 0) {
			const error = failure("bind a netlink socket", libc().errno());
			this.close();
			throw error;
		}
		this.#grow(options.bufferBytes ?? 1 << 25);
		this.#set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
		this.#set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
	}

	/**
	 * Sends messages in one datagram, each to be acknowledged, and gives what the kernel answers: objects of a get or a dump,
	 * in order. A dump must be asked for alone. `what` completes "cannot …".
	 *
	 * @throws what `failure` says of the first message that was refused; its `cause` is a Refusal
	 */
	request(
		messages: NetlinkMessage | readonly NetlinkMessage[],
		what: string,
	): NetlinkReply[] {
		const list = "body" in messages ? [messages] : messages;
		const dump = list.some(({ flags = 0 }) => isDump(flags));
		const acknowledged = dump
			? list
			: list.map((message) => ({
					...message,
					flags: (message.flags ?? 0) | NLM_F_ACK,
				}));
		for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
			const first = this.reserve(list.length);
			const { replies, verdicts } = this.exchange(
				encodeMessages(acknowledged, first),
				what,
			);
			const refused = verdicts.find(({ errno }) => errno !== 0);
			if (refused) throw refusal(what, refused, refused.sequence - first);
			if (!replies.some(({ flags }) => flags & NLM_F_DUMP_INTR))
				return replies.filter(({ type }) => type >= NLMSG_MIN_TYPE);
		}
		throw neverAtRest(what);
	}

	/**
	 * As `request` of one dump, message by message, so that of a large one only what is wanted is kept. `start` is called anew
	 * when all has to be read again; a body is only lent for the call. Once `take` says "enough" the rest is not read, and the
	 * socket is good for nothing but to be closed.
	 */
	dump(
		message: NetlinkMessage,
		what: string,
		start: () => (body: Buffer) => Reading,
	): void {
		for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
			const take = start();
			const first = this.reserve(1);
			this.#send(encodeMessages([message], first), what);
			let isWhole = true;
			let reading: Reading = "go on";
			let refused: Verdict | undefined;
			const lost = this.#drain(
				(reply) => {
					if (reply.flags & NLM_F_DUMP_INTR) isWhole = false;
					const verdict = verdictOf(reply);
					if (verdict && verdict.errno !== 0) refused ??= verdict;
					if (reply.type >= NLMSG_MIN_TYPE && reading === "go on")
						reading = take(reply.body);
				},
				what,
				readMessages,
				() => reading === "enough",
			);
			if (lost) throw failure(what, ENOBUFS, "its answer was lost");
			if (refused) throw refusal(what, refused, 0);
			if (isWhole || isEnough(reading)) return;
		}
		throw neverAtRest(what);
	}

	/** Sequence numbers for `count` messages that the caller encodes; the first of them. */
	reserve(count: number): number {
		const first = this.#sequence;
		this.#sequence = (first + count) % 0x7fffffff || 1;
		return first;
	}

	/**
	 * Sends a datagram as it is and reads everything the kernel has to say to it.
	 *
	 * @throws KernelFailed with reason EMSGSIZE when it is larger than the socket's buffer may be
	 */
	exchange(datagram: Uint8Array, what: string): Exchange {
		this.#send(datagram, what);
		const exchange: Exchange = { replies: [], verdicts: [] };
		const lost = this.#drain((reply) => {
			const verdict = verdictOf(reply);
			if (verdict) exchange.verdicts.push(verdict);
			if (reply.type !== NLMSG_ERROR) exchange.replies.push(reply);
		}, what);
		if (lost) throw failure(what, ENOBUFS, "its answer was lost");
		return exchange;
	}

	/** Hears what is told to a multicast group from now on. A socket that listens should not ask: `poll` tells nobody's answers apart. */
	join(group: number): void {
		if (!this.#set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group))
			throw failure(`join netlink group ${group}`, libc().errno());
	}

	leave(group: number): void {
		if (!this.#set(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group))
			throw failure(`leave netlink group ${group}`, libc().errno());
	}

	/** What was told to the joined groups since the last call. Never waits. */
	poll(): Notifications {
		const messages: NetlinkReply[] = [];
		const lost = this.hear((message) => {
			messages.push(message);
		});
		return { messages, lost };
	}

	/** As `poll`, message by message, so that however much was told nothing of it is kept; true: some was lost. */
	hear(take: (message: NetlinkReply) => void): boolean {
		return this.#drain(take, "read netlink notifications");
	}

	close(): void {
		if (!this.#open) return;
		this.#open = false;
		libc().close(this.#fd);
	}

	#send(datagram: Uint8Array, what: string): void {
		for (;;) {
			const sent = libc().send(this.#fd, datagram, datagram.length, 0);
			if (sent === datagram.length) return;
			const errno = libc().errno();
			if (sent < 0 && errno === EINTR) continue;
			throw failure(what, errno);
		}
	}

	/** Reads until nothing is left. A dump goes on in recv(2) itself, so nothing left means that it is done. */
	#drain(
		take: (reply: NetlinkReply) => void,
		what: string,
		read: typeof readMessages = readCopies,
		isOver: () => boolean = () => false,
	): boolean {
		let lost = false;
		for (;;) {
			const length = libc().recv(
				this.#fd,
				this.#datagram,
				this.#datagram.length,
				MSG_DONTWAIT | MSG_TRUNC,
			);
			if (length >= 0) {
				if (length > this.#datagram.length) throw failure(what, EMSGSIZE);
				read(this.#datagram.subarray(0, length), take);
				if (isOver()) return lost;
				continue;
			}
			const errno = libc().errno();
			if (errno === EAGAIN) return lost;
			if (errno === ENOBUFS) lost = true;
			else if (errno !== EINTR) throw failure(what, errno);
		}
	}

	/** Beyond net.core.[rw]mem_max if we may; otherwise as far as that goes. */
	#grow(bytes: number): void {
		if (!this.#set(SOL_SOCKET, SO_SNDBUFFORCE, bytes))
			this.#set(SOL_SOCKET, SO_SNDBUF, bytes);
		if (!this.#set(SOL_SOCKET, SO_RCVBUFFORCE, bytes))
			this.#set(SOL_SOCKET, SO_RCVBUF, bytes);
	}

	#set(level: number, option: number, value: number): boolean {
		const number = Buffer.alloc(4);
		number.writeInt32LE(value);
		return libc().setsockopt(this.#fd, level, option, number, 4) === 0;
	}
}

function isEnough(reading: Reading): boolean {
	return reading === "enough";
}

/** For whoever may keep what he takes. */
function readCopies(
	datagram: Buffer,
	take: (reply: NetlinkReply) => void,
): void {
	for (const reply of decodeMessages(datagram)) take(reply);
}

/** What an acknowledgement or a refusal says, or the end of a dump that failed. */
function verdictOf(reply: NetlinkReply): Verdict | undefined {
	if (reply.type === NLMSG_ERROR) return readVerdict(reply);
	if (reply.type !== NLMSG_DONE || reply.body.length < 4) return undefined;
	const errno = -reply.body.readInt32LE(0);
	return errno > 0 ? { sequence: reply.sequence, errno } : undefined;
}

function neverAtRest(what: string): FairleadError {
	return failure(
		what,
		EAGAIN,
		`it changed ${DUMP_ATTEMPTS} times while it was read`,
	);
}

/** Which message of a request the kernel refused, and why. */
export interface Refusal {
	/** Position in the request. */
	index: number;
	verdict: Verdict;
}

/** The error for a refused message; `cause` is the Refusal. */
export function refusal(
	what: string,
	verdict: Verdict,
	index: number,
): FairleadError {
	const cause: Refusal = { index, verdict };
	return failure(what, verdict.errno, verdict.text, cause);
}

/** NLM_F_DUMP is two bits that mean REPLACE and EXCL where something is made. */
function isDump(flags: number): boolean {
	return (
		(flags & NLM_F_DUMP) === NLM_F_DUMP && !(flags & NLM_F_CREATE_OR_APPEND)
	);
}

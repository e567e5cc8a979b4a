import { constants } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { isFairleadError } from "../../operator/errors.ts";
import {
	AF_NETLINK,
	failure,
	libc,
	SOCK_CLOEXEC,
	SOCK_RAW,
} from "../../operator/kernel/libc.ts";
import { openNetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { readGeneration } from "../../operator/kernel/nftables/transaction.ts";
import {
	list,
	NFNLGRP_NFTABLES,
	NFT_MSG_GETSETELEM,
	nftMessage,
	valueData,
} from "../../operator/kernel/nftables/wire.ts";
import { text } from "../../operator/kernel/netlink-message.ts";
import {
	NETLINK_NETFILTER,
	NetlinkSocket,
} from "../../operator/kernel/netlink.ts";
import type { ThreadData } from "./kernel-thread.ts";
import type { FrontendSet, Task } from "./kernel-watch.ts";

const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const lookEveryMs = 1;
/** How long a thread that is to end may wait for the kernel. */
const hearMs = 100;
const giveUpMs = 600_000;
/** What may wait to be read: a sync of kube-proxy tells of more than one would think. */
const bufferBytes = 1 << 28;

const { namespace: path, stop } = workerData as ThreadData;
const namespace = openNetworkNamespace(path);
const socket = new NetlinkSocket(namespace, NETLINK_NETFILTER);
let events: number | undefined;

parentPort?.on("message", (task: Task | "stop") => {
	if (task === "stop") return process.exit();
	try {
		parentPort?.postMessage(carryOut(task));
	} catch (error) {
		parentPort?.postMessage({ error: (error as Error).message });
	}
});

function carryOut(task: Task): bigint {
	if ("frontends" in task) return frontends(task.of, task.frontends);
	if ("address" in task) return mentions(Buffer.from(task.address));
	events ??= listen();
	return process.hrtime.bigint();
}

function frontends(of: FrontendSet, wanted: readonly Uint8Array[]): bigint {
	const end = performance.now() + giveUpMs;
	let seen: number | undefined;
	while (performance.now() < end && Atomics.load(stop, 0) === 0) {
		const { generation } = readGeneration(socket);
		const at = process.hrtime.bigint();
		if (generation !== seen && wanted.every((key) => has(of, key))) return at;
		seen = generation;
		Atomics.wait(stop, 0, 0, lookEveryMs);
	}
	throw new Error(`${of.table}/${of.set} is not complete after ${giveUpMs} ms`);
}

function has({ table: name, set }: FrontendSet, key: Uint8Array): boolean {
	try {
		socket.request(
			nftMessage({ family: "IPv4", name }, NFT_MSG_GETSETELEM, 0, [
				text(NFTA_SET_ELEM_LIST_TABLE, name),
				text(NFTA_SET_ELEM_LIST_SET, set),
				list(NFTA_SET_ELEM_LIST_ELEMENTS, [
					[valueData(NFTA_SET_ELEM_KEY, key)],
				]),
			]),
			"look up a frontend",
		);
		return true;
	} catch (error) {
		if (isFairleadError(error) && error.reason === "ENOENT") return false;
		throw error;
	}
}

/** A socket whose recv(2) waits. */
function listen(): number {
	const fd = namespace.run(() =>
		libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER),
	);
	if (fd < 0) throw failure("listen to nftables", libc().errno());
	const address = Buffer.alloc(12);
	address.writeUInt16LE(AF_NETLINK, 0);
	const timeout = Buffer.alloc(16);
	timeout.writeBigInt64LE(BigInt(hearMs * 1000), 8);
	for (const result of [
		libc().bind(fd, address, address.length),
		libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, 16),
		libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int(bufferBytes), 4),
		libc().setsockopt(
			fd,
			SOL_NETLINK,
			NETLINK_ADD_MEMBERSHIP,
			int(NFNLGRP_NFTABLES),
			4,
		),
	])
		if (result !== 0) throw failure("listen to nftables", libc().errno());
	return fd;
}

/**
 * The bytes of the address, wherever they stand: in the data of an element, or in the rule of a chain that translates to it.
 * Text does not count, for a chain's name is told before its rules are.
 */
function mentions(address: Buffer): bigint {
	if (events === undefined) throw new Error("nobody listens yet");
	const datagram = Buffer.alloc(1 << 17);
	const end = performance.now() + giveUpMs;
	while (performance.now() < end && Atomics.load(stop, 0) === 0) {
		const length = libc().recv(events, datagram, datagram.length, 0);
		const at = process.hrtime.bigint();
		const errno = length < 0 ? libc().errno() : 0;
		if (errno !== 0 && errno !== constants.errno.EAGAIN)
			throw failure("hear of nftables", errno);
		if (length > 0 && datagram.subarray(0, length).includes(address)) return at;
	}
	throw new Error(`no rule for ${address.join(".")} after ${giveUpMs} ms`);
}

function int(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeInt32LE(value);
	return bytes;
}

import { createRequire } from "node:module";
import { constants } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import type * as Koffi from "koffi";
import {
	AF_INET,
	failure,
	libc,
	SOCK_CLOEXEC,
	SOCK_STREAM,
} from "../../operator/kernel/libc.ts";
import { openNetworkNamespace } from "../../operator/kernel/namespaces.ts";
import type { Connected, ConnectTask } from "./connections.ts";
import type { ThreadData } from "./kernel-thread.ts";

const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_RCVTIMEO = 20;
const backlog = 4096;

const {
	namespace: path,
	stop,
	...work
} = workerData as ThreadData &
	({ role: "connect" } | { role: "accept"; port: number });
const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
const library = koffi.load(null);
const calls = {
	connect: library.func("int connect(int, const uint8_t *, uint32_t)"),
	accept4: library.func("int accept4(int, void *, void *, int)"),
} as unknown as {
	connect(fd: number, address: Uint8Array, length: number): number;
	accept4(fd: number, address: null, length: null, flags: number): number;
};

if (work.role === "accept") accept(work.port);
else
	parentPort?.on("message", (task: ConnectTask | "stop") => {
		if (task === "stop") return process.exit();
		try {
			parentPort?.postMessage(inside(task));
		} catch (error) {
			parentPort?.postMessage({ error: (error as Error).message });
		}
	});

function inside(task: ConnectTask): Connected {
	const namespace = openNetworkNamespace(`/proc/self/fd/${task.namespaceFd}`);
	try {
		return namespace.run(() => open(task));
	} finally {
		namespace.close();
	}
}

function open({ address, port, count }: ConnectTask): Connected {
	const openUs = new Float64Array(count);
	const to = socketAddress(address, port);
	// Closed by a reset: no port is kept from the next connection.
	const atOnce = Buffer.alloc(8);
	atOnce.writeInt32LE(1, 0);
	const began = process.hrtime.bigint();
	for (let each = 0; each < count; each++) {
		const fd = socket();
		const before = process.hrtime.bigint();
		const result = calls.connect(fd, to, to.length);
		openUs[each] = Number(process.hrtime.bigint() - before) / 1e3;
		if (result !== 0)
			throw failure(`connect to ${address}:${port}`, libc().errno());
		libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, atOnce, atOnce.length);
		libc().close(fd);
	}
	const seconds = Number(process.hrtime.bigint() - began) / 1e9;
	return { openUs, seconds };
}

/** Until the thread is to end. */
function accept(port: number): void {
	const fd = openNetworkNamespace(path).run(socket);
	const address = socketAddress("0.0.0.0", port);
	const timeout = Buffer.alloc(16);
	timeout.writeBigInt64LE(100_000n, 8);
	for (const result of [
		libc().bind(fd, address, address.length),
		libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length),
		libc().listen(fd, backlog),
	])
		if (result !== 0) throw failure(`listen on ${port}`, libc().errno());
	parentPort?.postMessage("listening");
	const { EAGAIN, ECONNABORTED } = constants.errno;
	while (Atomics.load(stop, 0) === 0) {
		const connection = calls.accept4(fd, null, null, SOCK_CLOEXEC);
		if (connection >= 0) libc().close(connection);
		else {
			const errno = koffi.errno();
			if (errno !== EAGAIN && errno !== ECONNABORTED)
				throw failure(`accept on ${port}`, errno);
		}
	}
}

function socket(): number {
	const fd = libc().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) throw failure("open a socket", libc().errno());
	return fd;
}

/** struct sockaddr_in. */
function socketAddress(address: string, port: number): Buffer {
	const bytes = Buffer.alloc(16);
	bytes.writeUInt16LE(AF_INET, 0);
	bytes.writeUInt16BE(port, 2);
	bytes.set(address.split(".").map(Number), 4);
	return bytes;
}

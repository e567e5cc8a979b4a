import { createRequire } from "node:module";
import { constants } from "node:os";
import type * as Koffi from "koffi";
import { FairleadError } from "../errors.ts";

/** Linux' numbers, the same on x86-64 and arm64. */
export const AF_INET = 2;
export const AF_NETLINK = 16;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

/** The calls that Node has no door to. Each is synchronous, answers as in C, and leaves its errno for `failure`. */
export interface Libc {
	socket(family: number, type: number, protocol: number): number;
	bind(fd: number, address: Uint8Array, length: number): number;
	listen(fd: number, backlog: number): number;
	/** `length` is the room in `address`, and then what was written. */
	getsockname(fd: number, address: Uint8Array, length: Uint32Array): number;
	setsockopt(
		fd: number,
		level: number,
		option: number,
		value: Uint8Array,
		length: number,
	): number;
	send(fd: number, data: Uint8Array, length: number, flags: number): number;
	recv(fd: number, into: Uint8Array, length: number, flags: number): number;
	/** `into` receives the end to read from and the end to write to. */
	pipe2(into: Int32Array, flags: number): number;
	close(fd: number): number;
	unshare(flags: number): number;
	setns(fd: number, type: number): number;
	sethostname(name: string, length: number): number;
	errno(): number;
}

let loaded: Libc | undefined;

/**
 * The C library of this process, loaded at first use.
 *
 * @throws KernelUnsupported anywhere but on Linux
 */
export function libc(): Libc {
	loaded ??= load();
	return loaded;
}

function load(): Libc {
	if (process.platform !== "linux")
		throw new FairleadError(
			"KernelUnsupported",
			`this needs Linux; here is ${process.platform}`,
		);
	const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
	// `null` is what the process itself is linked with: glibc or musl alike.
	const library = koffi.load(null);
	return {
		socket: library.func("int socket(int, int, int)"),
		bind: library.func("int bind(int, const uint8_t *, uint32_t)"),
		listen: library.func("int listen(int, int)"),
		getsockname: library.func(
			"int getsockname(int, _Out_ uint8_t *, _Inout_ uint32_t *)",
		),
		setsockopt: library.func(
			"int setsockopt(int, int, int, const uint8_t *, uint32_t)",
		),
		send: library.func("long send(int, const uint8_t *, size_t, int)"),
		recv: library.func("long recv(int, _Out_ uint8_t *, size_t, int)"),
		pipe2: library.func("int pipe2(_Out_ int32_t *, int)"),
		close: library.func("int close(int)"),
		unshare: library.func("int unshare(int)"),
		setns: library.func("int setns(int, int)"),
		sethostname: library.func("int sethostname(const char *, size_t)"),
		errno: () => koffi.errno(),
	} as unknown as Libc;
}

const names = new Map(
	Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** `EPERM` for 1; the bare number where Node knows no name. */
export function errnoName(errno: number): string {
	return names.get(errno) ?? `errno ${errno}`;
}

/**
 * The error for what the kernel would not do: KernelDenied, KernelUnsupported or KernelFailed, with errno's name as its
 * `reason`. `what` completes "cannot …"; `detail` is what the kernel itself says about it.
 */
export function failure(
	what: string,
	errno: number,
	detail?: string,
	cause?: unknown,
): FairleadError {
	const reason = errnoName(errno);
	const code =
		reason === "EPERM" || reason === "EACCES"
			? "KernelDenied"
			: reason === "ENOSYS" ||
					reason === "EOPNOTSUPP" ||
					reason === "EPROTONOSUPPORT" ||
					reason === "EAFNOSUPPORT"
				? "KernelUnsupported"
				: "KernelFailed";
	return new FairleadError(
		code,
		`cannot ${what}: ${reason}${detail === undefined ? "" : ` (${detail})`}`,
		{ reason, cause },
	);
}

import { closeSync, readSync, writeSync } from "node:fs";
import { FairleadError } from "../errors.ts";
import {
	AF_INET,
	errnoName,
	failure,
	libc,
	SOCK_CLOEXEC,
	SOCK_STREAM,
} from "./libc.ts";

const onLinux = process.platform === "linux" ? test : test.skip;

test.each([
	["EPERM", "KernelDenied", 1],
	["EACCES", "KernelDenied", 13],
	["ENOSYS", "KernelUnsupported", 38],
	["EADDRINUSE", "KernelFailed", 98],
])("a call that fails with %s is %s", (reason, code, errno) => {
	// Linux' numbers; Node knows the names of those of its own platform.
	if (process.platform !== "linux") return;
	const error = failure("do it", errno);
	expect(error).toBeInstanceOf(FairleadError);
	expect(error).toMatchObject({
		code,
		reason,
		message: `cannot do it: ${reason}`,
	});
});

test("the kernel's own words are added to the error", () => {
	expect(failure("make br0", 999, "too long").message).toBe(
		"cannot make br0: errno 999 (too long)",
	);
});

onLinux("a call that fails leaves its errno", () => {
	expect(libc().close(-1)).toBe(-1);
	expect(errnoName(libc().errno())).toBe("EBADF");
	expect(libc().socket(-1, SOCK_STREAM, 0)).toBe(-1);
	expect(errnoName(libc().errno())).toBe("EAFNOSUPPORT");
});

onLinux("a socket that was opened can be closed", () => {
	const fd = libc().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(fd).toBeGreaterThan(2);
	expect(libc().close(fd)).toBe(0);
});

onLinux("what is written to a pipe's one end comes out of the other", () => {
	const ends = new Int32Array(2);
	expect(libc().pipe2(ends, SOCK_CLOEXEC)).toBe(0);
	const [from = -1, to = -1] = ends;
	writeSync(to, "through");
	const read = Buffer.alloc(16);
	expect(read.toString("utf8", 0, readSync(from, read))).toBe("through");
	closeSync(from);
	closeSync(to);
});

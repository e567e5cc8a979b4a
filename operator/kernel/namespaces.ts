import { closeSync, openSync } from "node:fs";
import { CLONE_NEWNET, failure, libc } from "./libc.ts";

/**
 * A network namespace. It lives as long as something is open in it: a process, a socket, or this handle; nothing is
 * mounted and nothing has to be cleaned up after a kill.
 */
export interface NetworkNamespace {
	/** Of a file that names it, for setns(2) and `nsenter --net=/proc/PID/fd/N`; -1 for this process' own. */
	readonly fd: number;
	/**
	 * Calls `work` with this thread inside. What a thread opens belongs to the namespace it is in at that moment: sockets,
	 * netlink, /proc/sys/net and children stay there for good. `work` must be synchronous; what it starts on Node's thread
	 * pool (dns.lookup, fs callbacks) happens outside.
	 */
	run<T>(work: () => T): T;
	/** Lets go of it. */
	close(): void;
}

/** The namespace this process was started in. */
export const ownNamespace: NetworkNamespace = {
	fd: -1,
	run: (work) => work(),
	close() {},
};

const here = "/proc/thread-self/ns/net";

/**
 * Makes a new, empty network namespace (loopback is down in it).
 *
 * @throws KernelDenied without CAP_SYS_ADMIN in this process' user namespace
 */
export function createNetworkNamespace(): NetworkNamespace {
	const home = openSync(here, "r");
	try {
		if (libc().unshare(CLONE_NEWNET) !== 0)
			throw failure("make a network namespace", libc().errno());
		let fd: number;
		try {
			fd = openSync(here, "r");
		} finally {
			enter(home);
		}
		return new Held(fd);
	} finally {
		closeSync(home);
	}
}

/** The namespace that a file names: `/proc/PID/ns/net`, `/run/netns/NAME`. */
export function openNetworkNamespace(path: string): NetworkNamespace {
	return new Held(openSync(path, "r"));
}

class Held implements NetworkNamespace {
	readonly fd: number;
	#open = true;

	constructor(fd: number) {
		this.fd = fd;
	}

	run<T>(work: () => T): T {
		const home = openSync(here, "r");
		try {
			enter(this.fd);
			try {
				return work();
			} finally {
				enter(home);
			}
		} finally {
			closeSync(home);
		}
	}

	close(): void {
		if (!this.#open) return;
		this.#open = false;
		closeSync(this.fd);
	}
}

function enter(fd: number): void {
	if (libc().setns(fd, CLONE_NEWNET) !== 0)
		throw failure("enter a network namespace", libc().errno());
}

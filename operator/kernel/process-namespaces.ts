import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { FairleadError } from "../errors.ts";
import {
	CLONE_NEWIPC,
	CLONE_NEWPID,
	CLONE_NEWUTS,
	failure,
	libc,
} from "./libc.ts";

/** What a pod's containers share besides their network: hostname, System V IPC and process numbers. */
const kinds = [
	["uts", CLONE_NEWUTS],
	["ipc", CLONE_NEWIPC],
	// This thread's own process namespace is another matter: only its children change theirs.
	["pid", CLONE_NEWPID],
] as const;

/** The namespaces of a group of processes. They live as long as their first process. */
export interface ProcessNamespaces {
	/** Its process number is 1 inside; when it ends, the kernel ends all the others. */
	readonly first: ChildProcess;
	/** Calls `work`; the children that it spawns are born inside. `work` must be synchronous. */
	run<T>(work: () => T): T;
	/** Lets go of them; what runs in them goes on. */
	close(): void;
}

/**
 * Makes namespaces with their first process.
 *
 * @throws KernelDenied without CAP_SYS_ADMIN in the user namespace that owns this process' namespaces of these kinds: an
 * unprivileged user needs all of them made along with his user namespace
 */
export function createProcessNamespaces(
	hostname: string,
	spawnFirst: () => ChildProcess,
): ProcessNamespaces {
	const flags = kinds.reduce((all, [, flag]) => all | flag, 0);
	return fromHere(() => {
		if (libc().unshare(flags) !== 0)
			throw failure("make namespaces for processes", libc().errno());
		if (libc().sethostname(hostname, Buffer.byteLength(hostname)) !== 0)
			throw failure(`set hostname ${hostname}`, libc().errno());
		const first = spawnFirst();
		if (first.pid === undefined)
			throw new FairleadError(
				"KernelFailed",
				`cannot start ${first.spawnfile}, the first process of new namespaces`,
			);
		return new Held(first, openAll(`/proc/${first.pid}/ns`));
	});
}

class Held implements ProcessNamespaces {
	readonly first: ChildProcess;
	readonly #fds: readonly number[];
	#open = true;

	constructor(first: ChildProcess, fds: readonly number[]) {
		this.first = first;
		this.#fds = fds;
	}

	run<T>(work: () => T): T {
		return fromHere(() => {
			enter(this.#fds);
			return work();
		});
	}

	close(): void {
		if (!this.#open) return;
		this.#open = false;
		for (const fd of this.#fds) closeSync(fd);
	}
}

/** Calls `work` and goes back to where this thread was before. */
function fromHere<T>(work: () => T): T {
	const home = openAll("/proc/thread-self/ns");
	try {
		return work();
	} finally {
		enter(home);
		for (const fd of home) closeSync(fd);
	}
}

function openAll(folder: string): number[] {
	return kinds.map(([name]) => openSync(`${folder}/${name}`, "r"));
}

function enter(fds: readonly number[]): void {
	kinds.forEach(([name, flag], index) => {
		if (libc().setns(fds[index] ?? -1, flag) !== 0)
			throw failure(`enter a namespace (${name})`, libc().errno());
	});
}

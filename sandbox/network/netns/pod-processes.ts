import {
	type ChildProcess,
	type StdioOptions,
	spawn,
} from "node:child_process";
import { closeSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FairleadError } from "../../../operator/errors.ts";
import { failure, libc } from "../../../operator/kernel/libc.ts";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import {
	createProcessNamespaces,
	type ProcessNamespaces,
} from "../../../operator/kernel/process-namespaces.ts";
import type { PodNetwork } from "../network.ts";
import { programPath } from "../programs.ts";
import { PodFiles } from "./pod-files.ts";

type SpawnOptions = Parameters<PodNetwork["spawn"]>[1];

const O_CLOEXEC = 0o2000000;

/** Buries orphans (a shell that waits takes any child of its), and is there until it is killed. */
const firstProcess = "while :; do sleep 2147483647 & wait; done";

/** mount's path, pairs of what to bind and where, `--`, the command. It becomes the command: nothing stands between. */
const intoContainer = `mount=$1; shift
"$mount" -n -t proc proc /proc || exit 125
while [ "$1" != -- ]; do "$mount" -n --rbind "$1" "$2" || exit 125; shift 2; done
shift
exec "$@" 3>&-`;

/** nsenter and what it is to do, as soon as the container's mounts are made: then its end of the pipe closes. */
const whenReady = 'read -r _ <&3; exec "$@" 3<&-';

/**
 * The processes of one pod. They share hostname, IPC and process numbers; each container has mounts of its own. What
 * `spawn` gives back is the command itself and no wrapper, so that signals reach it and its end is reported truly.
 */
export class PodProcesses {
	readonly #network: NetworkNamespace;
	readonly #folder: string;
	readonly #programs = {
		unshare: programPath("unshare"),
		nsenter: programPath("nsenter"),
		mount: programPath("mount"),
	};
	/** Of each running container the end of a pipe whose other end closes when its mounts are made. */
	readonly #ready = new Map<ChildProcess, number>();
	#shared: ProcessNamespaces | undefined;
	#started = 0;

	/** `folder` is this pod's own, for the files that its containers see instead of the machine's. */
	constructor(network: NetworkNamespace, folder: string) {
		this.#network = network;
		this.#folder = folder;
	}

	/** @throws KernelFailed when `within` has ended */
	spawn(command: readonly string[], options: SpawnOptions): ChildProcess {
		if (options.within) return this.#join(command, options, options.within);
		return this.#start(this.#namespaces(options), command, options);
	}

	/** Ends everything that was ever started in the pod. Resolves when it is gone. */
	async close(): Promise<void> {
		const shared = this.#shared;
		if (!shared) return;
		this.#shared = undefined;
		const { first } = shared;
		shared.close();
		if (!hasEnded(first)) {
			const gone = new Promise((resolve) => first.once("exit", resolve));
			first.kill("SIGKILL");
			await gone;
		}
		rmSync(this.#folder, { recursive: true, force: true });
	}

	/** Made with the first container, whose hostname becomes the pod's; again if the first process was killed. */
	#namespaces({ files }: SpawnOptions): ProcessNamespaces {
		const now = this.#shared;
		if (now && !hasEnded(now.first)) return now;
		now?.close();
		const hostname = files["/etc/hostname"]?.trim() || "pod";
		this.#shared = this.#network.run(() =>
			createProcessNamespaces(hostname, () =>
				spawn("/bin/sh", ["-c", firstProcess], {
					stdio: "ignore",
					detached: true,
					env: { PATH: "/usr/bin:/bin" },
				}),
			),
		);
		return this.#shared;
	}

	#start(
		shared: ProcessNamespaces,
		command: readonly string[],
		{ env, cwd, files, stdin }: SpawnOptions,
	): ChildProcess {
		const own = new PodFiles(
			join(this.#folder, String(++this.#started)),
			files,
		);
		const { unshare, mount } = this.#programs;
		const [ready, notReady] = pipe();
		const abandon = () => {
			closeSync(ready);
			own.remove();
		};
		let child: ChildProcess;
		try {
			child = this.#network.run(() =>
				shared.run(() =>
					spawn(
						unshare,
						[
							"--mount",
							"/bin/sh",
							"-c",
							intoContainer,
							"sh",
							mount,
							...own.mounts.flatMap(({ from, onto }) => [from, onto]),
							"--",
							...command,
						],
						{
							env,
							...(cwd === undefined ? {} : { cwd }),
							...inSession(stdin, notReady),
						},
					),
				),
			);
		} catch (error) {
			abandon();
			throw error;
		} finally {
			closeSync(notReady);
		}
		if (child.pid === undefined) {
			// It says why by `error`; no `exit` follows.
			abandon();
			return child;
		}
		this.#ready.set(child, ready);
		child.once("exit", () => {
			this.#ready.delete(child);
			closeSync(ready);
		});
		child.once("close", () => own.remove());
		return child;
	}

	#join(
		command: readonly string[],
		{ env, cwd = "/", stdin }: SpawnOptions,
		within: ChildProcess,
	): ChildProcess {
		const shared = this.#shared;
		const ready = this.#ready.get(within);
		if (!shared || ready === undefined)
			throw new FairleadError(
				"KernelFailed",
				`cannot run ${command[0]} in a container that has ended`,
			);
		return this.#network.run(() =>
			shared.run(() =>
				spawn(
					"/bin/sh",
					[
						"-c",
						whenReady,
						"sh",
						this.#programs.nsenter,
						`--mount=/proc/${within.pid}/ns/mnt`,
						`--wd=${cwd}`,
						"--",
						...command,
					],
					{ env, ...inSession(stdin, ready) },
				),
			),
		);
	}
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
	return exitCode !== null || signalCode !== null;
}

function pipe(): [number, number] {
	const ends = new Int32Array(2);
	if (libc().pipe2(ends, O_CLOEXEC) !== 0)
		throw failure("make a pipe", libc().errno());
	return [ends[0] ?? -1, ends[1] ?? -1];
}

/** A session of its own: `kill 0` in a container must not reach the sandbox. */
function inSession(
	stdin: boolean,
	fd3: number,
): { stdio: StdioOptions; detached: true } {
	return {
		stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe", fd3],
		detached: true,
	};
}

import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { Container } from "../../operator/api/core.ts";
import type { PodNetwork } from "../network/network.ts";
import type { ContainerLog } from "./container-log.ts";

/** A container's environment beside its command. */
export interface Surroundings {
	env: Record<string, string>;
	cwd?: string;
	files: Record<string, string>;
}

/** How a process ended: its exit code, 128 + signal if one ended it; or why it never was one. */
export type End = { exitCode: number } | { problem: string };

/** The running instance of a container and what was started beside it. */
export class ContainerProcess {
	readonly container: Container;
	readonly surroundings: Surroundings;
	readonly log: ContainerLog;
	/** `process://PID` */
	readonly id: string;
	/** Never rejects. */
	readonly ended: Promise<End>;
	readonly #network: PodNetwork;
	readonly #child: ChildProcess;
	readonly #beside = new Set<ChildProcess>();

	/** Throws what the network's spawn throws. */
	constructor(
		network: PodNetwork,
		container: Container,
		command: readonly string[],
		surroundings: Surroundings,
		log: ContainerLog,
	) {
		this.container = container;
		this.surroundings = surroundings;
		this.log = log;
		this.#network = network;
		this.#child = network.spawn(command, { ...surroundings, stdin: false });
		this.id = `process://${this.#child.pid ?? 0}`;
		this.#child.stdout?.on("data", (chunk: Buffer) =>
			log.write("stdout", chunk),
		);
		this.#child.stderr?.on("data", (chunk: Buffer) =>
			log.write("stderr", chunk),
		);
		this.#child.once("close", () => log.end());
		this.ended = endOf(this.#child).then((end) => {
			killGroup(this.#child);
			for (const each of this.#beside) killGroup(each);
			return end;
		});
	}

	signal(signal: "SIGTERM" | "SIGKILL"): void {
		this.#child.kill(signal);
	}

	/** Starts a command beside it; it does not outlive it. Throws what the network's spawn throws. */
	exec(
		command: readonly string[],
		options: { stdin: boolean; env?: Record<string, string> },
	): { child: ChildProcess; ended: Promise<End>; kill: () => void } {
		const { env, ...surroundings } = this.surroundings;
		const child = this.#network.spawn(command, {
			...surroundings,
			env: { ...env, ...options.env },
			within: this.#child,
			stdin: options.stdin,
		});
		this.#beside.add(child);
		const ended = endOf(child).then((end) => {
			this.#beside.delete(child);
			return end;
		});
		return { child, ended, kill: () => killGroup(child) };
	}
}

function endOf(child: ChildProcess): Promise<End> {
	return new Promise((resolve) => {
		child.once("exit", (code, signal) =>
			resolve({
				exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0),
			}),
		);
		child.once("error", (error) => resolve({ problem: error.message }));
	});
}

/** Ends a process and whatever of its group is left: each is started as the leader of one. */
function killGroup({ pid }: ChildProcess): void {
	if (pid === undefined) return;
	try {
		process.kill(-pid, "SIGKILL");
	} catch (error) {
		// None of them is left.
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

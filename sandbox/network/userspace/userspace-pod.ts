import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { PodNetwork } from "../network.ts";
import { boundAt } from "./bound-ports.ts";
import type { Undertaker } from "./undertaker.ts";

type Target = { host: string; port: number };

/** A pod's processes are plain processes of this machine, and share its ports. */
export class UserspacePod implements PodNetwork {
	readonly address: string;
	readonly namespace = undefined;
	readonly #connect: (target: Target) => Socket;
	readonly #onRemove: () => void;
	readonly #undertaker: Undertaker;
	readonly #published = new Map<number, Target>();
	/** Every process is the first of its group. */
	readonly #groups = new Set<number>();

	constructor(
		address: string,
		undertaker: Undertaker,
		connect: (target: Target) => Socket,
		onRemove: () => void,
	) {
		this.address = address;
		this.#undertaker = undertaker;
		this.#connect = connect;
		this.#onRemove = onRemove;
	}

	connect(target: Target): Socket {
		return this.#connect(target);
	}

	spawn(
		[program = "", ...args]: readonly string[],
		{ env, cwd, stdin }: Parameters<PodNetwork["spawn"]>[1],
	): ChildProcess {
		const child = spawn(program, args, {
			env,
			...(cwd === undefined ? {} : { cwd }),
			stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"],
			detached: true,
		});
		const { pid } = child;
		if (pid !== undefined) {
			this.#groups.add(pid);
			this.#undertaker.watch(pid);
			child.once("exit", () => {
				killGroup(pid);
				this.#groups.delete(pid);
				this.#undertaker.forget(pid);
			});
		}
		return child;
	}

	publish(port: number, reallyAt: Target): void {
		this.#published.set(port, reallyAt);
	}

	/** Where its port really is; undefined if nothing in it listens there. */
	listenerOf(port: number): Target | undefined {
		return this.#published.get(port) ?? boundAt(this.#groups, port);
	}

	remove(): void {
		for (const group of this.#groups) killGroup(group);
		this.#onRemove();
	}
}

function killGroup(group: number): void {
	try {
		process.kill(-group, "SIGKILL");
	} catch (error) {
		// None of them is left.
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

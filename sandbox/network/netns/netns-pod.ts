import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import { connectIn } from "../../../operator/kernel/sockets.ts";
import type { PodNetwork } from "../network.ts";
import type { PodProcesses } from "./pod-processes.ts";

/** A pod with an address of its own, or on its node's network. */
export class NetnsPod implements PodNetwork {
	readonly address: string;
	readonly namespace: NetworkNamespace;
	readonly #processes: PodProcesses;
	readonly #detach: () => void;
	readonly #onEnded: () => void;
	#ended: Promise<void> | undefined;

	/** `detach` takes its network away; `onEnded` is called when all its processes are gone. */
	constructor(
		address: string,
		namespace: NetworkNamespace,
		processes: PodProcesses,
		detach: () => void,
		onEnded: () => void,
	) {
		this.address = address;
		this.namespace = namespace;
		this.#processes = processes;
		this.#detach = detach;
		this.#onEnded = onEnded;
	}

	connect(target: { host: string; port: number }): Socket {
		return connectIn(this.namespace, target);
	}

	spawn(
		command: readonly string[],
		options: Parameters<PodNetwork["spawn"]>[1],
	): ChildProcess {
		return this.#processes.spawn(command, options);
	}

	remove(): void {
		void this.end();
	}

	/** As `remove`; resolves when all its processes are gone. */
	end(): Promise<void> {
		if (!this.#ended) {
			this.#ended = this.#processes.close().then(this.#onEnded);
			this.#detach();
		}
		return this.#ended;
	}
}

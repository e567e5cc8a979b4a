import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { KernelThread } from "./kernel-thread.ts";

export interface ConnectTask {
	address: string;
	port: number;
	count: number;
}

export interface Connected {
	/** Of each connection, from connect(2) until it is open, in microseconds. */
	openUs: Float64Array;
	/** From the first to the end of the last, in seconds. */
	seconds: number;
}

const worker = "./connections-worker.ts";

/** A thread that opens connections from a namespace, one after another, with blocking calls: nothing of Node is measured. */
export class Connector {
	readonly #thread: KernelThread;

	constructor(namespace: NetworkNamespace) {
		this.#thread = new KernelThread(worker, namespace, { role: "connect" });
	}

	async connect(task: ConnectTask): Promise<Connected> {
		this.#thread.worker.postMessage(task);
		return (await this.#thread.heard()) as Connected;
	}

	close(): Promise<void> {
		return this.#thread.close();
	}
}

/** A thread that takes connections to a port of every address of a namespace and ends them. */
export class Acceptor {
	readonly #thread: KernelThread;

	private constructor(thread: KernelThread) {
		this.#thread = thread;
	}

	/** Resolves when it listens. */
	static async start(
		namespace: NetworkNamespace,
		port: number,
	): Promise<Acceptor> {
		const role = { role: "accept", port };
		const thread = new KernelThread(worker, namespace, role);
		await thread.heard();
		return new Acceptor(thread);
	}

	close(): Promise<void> {
		return this.#thread.close();
	}
}

import {
	type NetworkNamespace,
	ownNamespace,
} from "../../operator/kernel/namespaces.ts";
import { KernelThread } from "./kernel-thread.ts";

export interface ConnectTask {
	/** From where: its file descriptor in this process. */
	namespaceFd: number;
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

/**
 * A thread that opens connections, one after another, with blocking calls: nothing of Node is measured. One for every
 * namespace, so that what the machine does with a thread is the same for all that are compared.
 */
export class Connector {
	readonly #thread: KernelThread;

	constructor() {
		this.#thread = new KernelThread(worker, ownNamespace, { role: "connect" });
	}

	async connect(
		namespace: NetworkNamespace,
		task: Omit<ConnectTask, "namespaceFd">,
	): Promise<Connected> {
		const whole: ConnectTask = { ...task, namespaceFd: namespace.fd };
		this.#thread.worker.postMessage(whole);
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

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
	type NetworkNamespace,
	ownNamespace,
} from "../../operator/kernel/namespaces.ts";

/** What every thread below is given. */
export interface ThreadData {
	/** Path of the namespace it works in. */
	namespace: string;
	/** Not 0: it is to end. A thread that waits in the kernel hears of nothing else. */
	stop: Int32Array;
}

/** A thread that calls the kernel and waits there, in a namespace. It posts one message for each it is sent. */
export class KernelThread {
	readonly worker: Worker;
	readonly #stop = new Int32Array(new SharedArrayBuffer(4));

	constructor(file: string, namespace: NetworkNamespace, data: object = {}) {
		const given: ThreadData = {
			namespace:
				namespace === ownNamespace
					? "/proc/self/ns/net"
					: `/proc/self/fd/${namespace.fd}`,
			stop: this.#stop,
		};
		this.worker = new Worker(new URL(file, import.meta.url), {
			workerData: { ...given, ...data },
		});
	}

	/** The next message; rejects with what the thread failed of. */
	async heard(): Promise<unknown> {
		const [message] = (await once(this.worker, "message")) as [
			{ error?: string } | undefined,
		];
		if (message?.error !== undefined) throw new Error(message.error);
		return message;
	}

	/** Resolves when the thread has ended. */
	async close(): Promise<void> {
		const ended = once(this.worker, "exit");
		Atomics.store(this.#stop, 0, 1);
		this.worker.postMessage("stop");
		await ended;
	}
}

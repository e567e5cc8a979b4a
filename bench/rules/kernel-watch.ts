import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { serviceKey } from "../../operator/kernel/nftables/keys.ts";
import type { Frontend } from "../../operator/model/rules/program.ts";
import { KernelThread } from "./kernel-thread.ts";

/** Where a proxy keeps its frontends: a set or map of its table that is keyed by address, transport and port. */
export interface FrontendSet {
	table: string;
	set: string;
}

export type Task =
	| { frontends: Uint8Array[]; of: FrontendSet }
	| { listen: true }
	| { address: Uint8Array };

/**
 * Sees from a thread of its own when something has come into force in a namespace, whoever wrote it. Two ways, each the same
 * for every proxy:
 *
 * - a full sync: the ruleset's generation, which rises when a transaction is committed, is read every millisecond (a
 *   microsecond each, without a lock); when it has risen, the asked frontends are looked up. Listening instead would make the
 *   kernel tell of each of 100,000 elements and rules, and slow down who is being measured;
 * - one change: the kernel's own notifications, which it sends when the transaction is in force.
 */
export class KernelWatch {
	readonly #thread: KernelThread;
	#busy: Promise<unknown> = Promise.resolve();

	constructor(namespace: NetworkNamespace) {
		this.#thread = new KernelThread("./kernel-watch-worker.ts", namespace);
	}

	/** Resolves with the moment (of `now`) at which all of these were in the kernel. */
	frontends(
		of: FrontendSet,
		wanted: readonly Pick<Frontend, "address" | "protocol" | "port">[],
	): Promise<number> {
		return this.#ask({ of, frontends: wanted.map(serviceKey) });
	}

	/** Hears of every change from here on. */
	async listen(): Promise<void> {
		await this.#ask({ listen: true });
	}

	/** Resolves with the moment at which the first element or rule that holds this IPv4 address came into force since `listen`. */
	mentions(address: string): Promise<number> {
		return this.#ask({ address: Buffer.from(address.split(".").map(Number)) });
	}

	async close(): Promise<void> {
		await this.#thread.close();
	}

	#ask(task: Task): Promise<number> {
		const answer = this.#busy.then(async () => {
			this.#thread.worker.postMessage(task);
			return Number((await this.#thread.heard()) as bigint) / 1e6;
		});
		this.#busy = answer.catch(() => {});
		return answer;
	}
}

/** Milliseconds of a clock that all threads share. */
export function now(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

import type { AddressPool } from "../api/fairlead.ts";
import type { Clock } from "../clock.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";
import { Workqueue } from "../cluster/workqueue.ts";
import { FairleadError, isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
	type PoolFacts,
	poolStatusChange,
} from "../model/addresses/pool-status.ts";
import type { Caches } from "./caches.ts";

export interface PoolStatusOptions {
	client: KubeClient;
	caches: Caches;
	/** What is so of a pool now; undefined when there is no such pool. */
	factsOf: (pool: string) => PoolFacts | undefined;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Counts of a pool are written at most this often, however many Services come and go. */
	everyMs?: number;
}

interface Waiter {
	resolve: () => void;
	reject: (error: unknown) => void;
}

/** Writes what each pool holds into its status, where it differs. */
export class PoolStatus {
	readonly #options: PoolStatusOptions;
	readonly #queue: Workqueue;
	/** Who waits for a write that begins after they asked, by pool. */
	readonly #waiting = new Map<string, Waiter[]>();
	#ended = false;

	constructor(options: PoolStatusOptions) {
		this.#options = options;
		const { clock, random, log } = options;
		this.#queue = new Workqueue({ clock, random, log, workers: 2 });
		this.#queue.run((pool) => this.#bring(pool));
	}

	/** What is written of a pool, or of any, may differ from what is so. */
	changed(pool?: string): void {
		const names = pool ? [pool] : this.#options.caches.pools.keys();
		for (const name of names)
			this.#queue.addAfter(name, this.#options.everyMs ?? 500);
	}

	/**
	 * Resolves when the status of a pool says what was so when this was called, or there is no such pool. Many who ask
	 * while a write is under way share the next one.
	 */
	written(pool: string): Promise<void> {
		if (this.#ended) return Promise.reject(over());
		return new Promise((resolve, reject) => {
			const waiting = this.#waiting.get(pool) ?? [];
			waiting.push({ resolve, reject });
			this.#waiting.set(pool, waiting);
			this.#queue.add(pool, "high");
		});
	}

	async stop(deadlineMs: number): Promise<void> {
		this.#ended = true;
		for (const waiters of this.#waiting.values())
			for (const { reject } of waiters) reject(over());
		this.#waiting.clear();
		await this.#queue.drain(deadlineMs);
	}

	async #bring(name: string): Promise<void> {
		const waiters = this.#waiting.get(name) ?? [];
		this.#waiting.delete(name);
		try {
			await this.#write(name);
			for (const { resolve } of waiters) resolve();
		} catch (error) {
			for (const { reject } of waiters) reject(error);
			throw error;
		}
	}

	async #write(name: string, attempts = 3): Promise<void> {
		const { client, caches, factsOf, clock } = this.#options;
		const found = caches.pools.get(name);
		const facts = factsOf(name);
		if (!found || !facts) return;
		const status = poolStatusChange(
			found.status,
			facts,
			new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
		);
		if (!status) return;
		const { uid, resourceVersion } = found.metadata;
		try {
			const written = await client.patch<AddressPool>(
				resources.addressPools,
				{ name, subresource: "status" },
				{
					type: "merge",
					body: { metadata: { uid, resourceVersion }, status },
				},
			);
			caches.pools.apply(written);
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return;
			if (!isFairleadError(error, "KubeConflict") || attempts === 1)
				throw error;
			await this.#read(name);
			await this.#write(name, attempts - 1);
		}
	}

	/** Somebody else changed the pool: the next attempt begins from there. */
	async #read(name: string): Promise<void> {
		const { client, caches } = this.#options;
		try {
			caches.pools.apply(
				await client.get<AddressPool>(resources.addressPools, { name }),
			);
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}
}

function over(): FairleadError {
	return new FairleadError(
		"NotLeading",
		"the term is over; whoever leads next writes the pool",
	);
}

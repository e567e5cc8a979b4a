import type { AddressPool } from "../api/fairlead.ts";
import type { Clock } from "../clock.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";
import { Workqueue } from "../cluster/workqueue.ts";
import { isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Allocator } from "../model/addresses/allocator.ts";
import { poolStatusChange } from "../model/addresses/pool-status.ts";
import type { Caches } from "./caches.ts";

export interface PoolStatusOptions {
	client: KubeClient;
	caches: Caches;
	allocator: () => Allocator;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Counts of a pool are written at most this often, however many Services come and go. */
	everyMs?: number;
}

/** Writes what each pool holds into its status, where it differs. */
export class PoolStatus {
	readonly #options: PoolStatusOptions;
	readonly #queue: Workqueue;

	constructor(options: PoolStatusOptions) {
		this.#options = options;
		const { clock, random, log } = options;
		this.#queue = new Workqueue({ clock, random, log, workers: 1 });
		this.#queue.run((pool) => this.#write(pool));
	}

	/** Counts may differ from what is written. */
	changed(): void {
		for (const { name } of this.#options.allocator().pools())
			this.#queue.addAfter(name, this.#options.everyMs ?? 500);
	}

	async stop(deadlineMs: number): Promise<void> {
		await this.#queue.drain(deadlineMs);
	}

	async #write(name: string): Promise<void> {
		const { client, caches, allocator, clock } = this.#options;
		const found = caches.pools.get(name);
		const pool = allocator()
			.pools()
			.find((each) => each.name === name);
		const count = allocator()
			.counts()
			.find((each) => each.pool === name);
		if (!found || !pool || !count) return;
		const status = poolStatusChange(
			found.status,
			pool,
			count,
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
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}
}

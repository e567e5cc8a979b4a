import type { AddressPool } from "../api/fairlead.ts";
import type { Cancel, Clock } from "../clock.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";
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
	log: Log;
	/** Counts are written at most this often, however many Services come and go. */
	everyMs?: number;
}

/** Writes what the pools hold into their status, where it differs. */
export class PoolStatus {
	readonly #options: Required<PoolStatusOptions>;
	#timer: Cancel | undefined;
	#running: Promise<void> | undefined;
	#stopped = false;

	constructor(options: PoolStatusOptions) {
		this.#options = { everyMs: 500, ...options };
	}

	changed(): void {
		if (this.#stopped || this.#timer) return;
		const { clock, everyMs } = this.#options;
		this.#timer = clock.after(everyMs, () => {
			this.#timer = undefined;
			this.#running = this.#write().finally(() => {
				this.#running = undefined;
			});
		});
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		this.#timer?.();
		await this.#running;
	}

	async #write(): Promise<void> {
		const { caches, allocator, clock, log } = this.#options;
		const counts = new Map(
			allocator()
				.counts()
				.map((each) => [each.pool, each]),
		);
		for (const pool of allocator().pools()) {
			const found = caches.pools.get(pool.name);
			const count = counts.get(pool.name);
			if (!found || !count || this.#stopped) continue;
			const status = poolStatusChange(
				found.status,
				pool,
				count,
				new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
			);
			if (!status) continue;
			try {
				await this.#patch(found, status);
			} catch (err) {
				if (isFairleadError(err, "KubeNotFound")) continue;
				log.debug({ err, pool: pool.name }, "pool status not written yet");
				this.changed();
			}
		}
	}

	async #patch(
		found: AddressPool,
		status: NonNullable<AddressPool["status"]>,
	): Promise<void> {
		const { name, uid, resourceVersion } = found.metadata;
		const written = await this.#options.client.patch<AddressPool>(
			resources.addressPools,
			{ name, subresource: "status" },
			{
				type: "merge",
				body: { metadata: { uid, resourceVersion }, status },
			},
		);
		this.#options.caches.pools.apply(written);
	}
}

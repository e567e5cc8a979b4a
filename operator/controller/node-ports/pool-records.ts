import type { NodePortConflict, NodePortPool } from "../../api/fairlead.ts";
import type { Clock } from "../../clock.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { isFairleadError } from "../../errors.ts";
import { strangerIn } from "../../model/nodeports/overview.ts";
import { portPoolStatusChange } from "../../model/nodeports/pool-status.ts";
import { admits, type PortPool } from "../../model/nodeports/pools.ts";
import type { PortRange } from "../../model/nodeports/port-range.ts";
import type { Caches } from "../caches.ts";
import { Coalesced } from "./coalesced.ts";
import type { Ledger } from "./ledger.ts";
import type { Placeholders } from "./placeholders.ts";

export interface PoolRecordsOptions {
	client: KubeClient;
	caches: Caches;
	ledger: Ledger;
	placeholders: Pick<Placeholders, "trouble">;
	clock: Clock;
}

/** Times a status is read anew because somebody else wrote first, before the failure is the queue's to deal with. */
const maxConflicts = 5;

/** Writes the statuses of NodePortPools: what they gave to whom, before any Service gets it, and how full they are. */
export class PoolRecords {
	readonly #options: PoolRecordsOptions;
	readonly #writes: Coalesced;

	constructor(options: PoolRecordsOptions) {
		this.#options = options;
		this.#writes = new Coalesced((pool) => this.#write(pool));
	}

	/** Resolves when the API server has all that the ledger knew when this was called; many calls share one write. */
	save(pool: string): Promise<void> {
		return this.#writes.run(pool);
	}

	async #write(name: string): Promise<void> {
		const { client, caches } = this.#options;
		for (let conflicts = 0; ; conflicts++) {
			const found = caches.nodePortPools.get(name);
			const pool = this.#options.ledger.pool(name);
			if (!found || !pool) return;
			try {
				await this.#attempt(found, pool);
				return;
			} catch (error) {
				if (isFairleadError(error, "KubeNotFound")) return;
				if (
					!isFairleadError(error, "KubeConflict") ||
					conflicts >= maxConflicts
				)
					throw error;
				caches.nodePortPools.apply(
					await client.get<NodePortPool>(resources.nodePortPools, { name }),
				);
			}
		}
	}

	async #attempt(found: NodePortPool, pool: PortPool): Promise<void> {
		const { client, caches, ledger, placeholders, clock } = this.#options;
		const status = portPoolStatusChange(
			found.status,
			pool,
			{
				used: pool.range ? ledger.used(pool.range) : 0,
				conflicts: pool.range ? this.#conflicts(pool, pool.range) : [],
				assigned: ledger.book.assigned(pool.name),
				trouble: placeholders.trouble(pool.name),
			},
			new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
		);
		if (!status) return;
		const { uid, resourceVersion } = found.metadata;
		const written = await client.patch<NodePortPool>(
			resources.nodePortPools,
			{ name: pool.name, subresource: "status" },
			{
				type: "merge",
				body: { metadata: { uid, resourceVersion }, status },
			},
		);
		caches.nodePortPools.apply(written);
	}

	#conflicts(pool: PortPool, range: PortRange): NodePortConflict[] {
		const { ledger } = this.#options;
		const onNodes = ledger.conflictsIn(range);
		const strangers = ledger
			.servicesIn(range)
			.filter(
				(service) =>
					!admits(
						pool,
						service,
						ledger.labelsOf(service.metadata.namespace ?? ""),
					),
			)
			.flatMap((service) => strangerIn(pool, service));
		return [...onNodes, ...strangers];
	}
}

import type { Service } from "../../api/core.ts";
import { type Clock, sleep } from "../../clock.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import type { Log } from "../../log.ts";
import { holdingOf } from "../../model/holding.ts";
import {
	balancerKey,
	findOrphans,
	type Holder,
	type Judged,
	judgeOrphans,
	type Listed,
	type OrphanPolicy,
} from "../../model/orphans/orphans.ts";
import type { Provider } from "../../providers/provider.ts";
import type { ControllerMetrics } from "../metrics.ts";
import { concerns } from "../triggers.ts";

export interface OrphanCollectorOptions {
	client: KubeClient;
	clock: Clock;
	log: Log;
	metrics: ControllerMetrics;
	clusterId: string;
	policy: OrphanPolicy;
	/** The provider of a BalancerClass; throws once the term is over. */
	provider: (className: string) => Promise<Provider>;
}

/** Services in one answer of the list. */
const pageSize = 500;

/** A balancer the cloud has not deleted after so long is looked at again by the next audit. */
const deletionMs = 60_000;

/** Finds balancers no Service has, says so once, and deletes them where it was told to. */
export class OrphanCollector {
	readonly #options: OrphanCollectorOptions;
	/** Monotonic time at which each was first seen to be one; begins anew with every term, which only makes it later. */
	readonly #since = new Map<string, number>();
	/** What was last said of each. */
	readonly #said = new Map<string, string>();

	constructor(options: OrphanCollectorOptions) {
		this.#options = options;
	}

	/** `lists`: read before this is called, so that a Service made since is no orphan's. Throws Kube… errors. */
	async collect(lists: Listed[], signal: AbortSignal): Promise<void> {
		const { clock, metrics, clusterId, policy } = this.#options;
		const holders = await this.#holders(signal);
		const orphans = findOrphans(lists, holders);
		const judged = judgeOrphans({
			orphans,
			lists,
			clusterId,
			policy,
			now: clock.now(),
			knownFor: (key) => {
				const since = this.#since.get(key);
				return since === undefined ? undefined : clock.monotonic() - since;
			},
		});
		this.#remember(judged);
		for (const { classes } of lists)
			for (const each of classes) {
				const count = orphans.filter((one) => one.className === each).length;
				metrics.orphans.set({ class: each }, count);
			}
		for (const each of judged) this.#say(each);
		for (const each of judged)
			if (each.do === "delete") await this.#delete(each, signal);
	}

	/**
	 * Every Service that may have a balancer, from the API server itself (a quorum read: no resourceVersion), not from a
	 * cache that may lag behind.
	 */
	async #holders(signal: AbortSignal): Promise<Holder[]> {
		const holders: Holder[] = [];
		let next: string | undefined;
		do {
			const { items, metadata } = await this.#options.client.list<Service>(
				resources.services,
				{
					limit: pageSize,
					...(next === undefined ? {} : { continue: next }),
				},
				{ signal },
			);
			for (const service of items)
				if (service.metadata.uid !== undefined && concerns(service))
					holders.push({
						uid: service.metadata.uid,
						className: holdingOf(service)?.className,
					});
			next = metadata.continue || undefined;
		} while (next !== undefined);
		return holders;
	}

	#remember(judged: Judged[]): void {
		const now = this.#options.clock.monotonic();
		const keys = new Set(judged.map((each) => keyOf(each)));
		for (const key of this.#since.keys())
			if (!keys.has(key)) {
				this.#since.delete(key);
				this.#said.delete(key);
			}
		for (const key of keys)
			if (!this.#since.has(key)) this.#since.set(key, now);
	}

	#say(judged: Judged): void {
		const key = keyOf(judged);
		const { say, orphan } = judged;
		if (this.#said.get(key) === say) return;
		this.#said.set(key, say);
		this.#options.log.warn(
			{
				class: orphan.className,
				balancer: orphan.balancer.id,
				service: orphan.balancer.service,
				addresses: orphan.balancer.addresses,
			},
			`balancer ${orphan.balancer.id} of this cluster is an orphan (${orphan.why}): ${say}`,
		);
	}

	/** A failure is said, and met again by the next audit. */
	async #delete(judged: Judged, signal: AbortSignal): Promise<void> {
		const { clock, log, metrics, provider } = this.#options;
		const { className, balancer } = judged.orphan;
		const deadline = clock.monotonic() + deletionMs;
		try {
			while (clock.monotonic() < deadline) {
				const through = await provider(className);
				const deletion = await through.delete(balancer.identity, signal);
				if (deletion.gone) {
					metrics.orphansDeleted.inc({ class: className });
					log.info(
						{ class: className, balancer: balancer.id },
						"an orphan was deleted",
					);
					return;
				}
				await sleep(clock, deletion.retryAfterMs, signal);
			}
		} catch (err) {
			if (signal.aborted) return;
			log.warn(
				{ err, class: className, balancer: balancer.id },
				"an orphan could not be deleted; the next audit tries again",
			);
		}
	}
}

function keyOf({ orphan }: Judged): string {
	return balancerKey(orphan.balancer);
}

import { isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Listed } from "../model/orphans/orphans.ts";
import { providerTraits } from "../model/provider-traits.ts";
import type { Provider } from "../providers/provider.ts";
import type { Caches } from "./caches.ts";
import type { OrphanCollector } from "./orphans/orphan-collector.ts";

export interface AuditOptions {
	caches: Caches;
	/** The provider of a BalancerClass; throws once the term is over. */
	provider: (className: string) => Promise<Provider>;
	orphans: OrphanCollector;
	log: Log;
	clusterId: string;
	/** Everything seen so far no longer counts: each Service is compared with what the cloud has now. */
	lookAgain: () => void;
}

/**
 * Compares what the clouds have with what they should have: one list per cloud project, however many classes use it.
 * What others changed is repaired by the Services concerned, which find it in what the list showed; balancers without a
 * Service are the collector's.
 */
export async function audit(
	options: AuditOptions,
	signal: AbortSignal,
): Promise<void> {
	const { orphans, log, lookAgain } = options;
	const lists = await listAll(options, signal);
	if (signal.aborted) return;
	lookAgain();
	if (lists.length === 0) return;
	try {
		await orphans.collect(lists, signal);
	} catch (err) {
		if (signal.aborted) return;
		log.warn({ err }, "orphans could not be looked for");
	}
}

async function listAll(
	{ caches, provider: providerOf, clusterId, log }: AuditOptions,
	signal: AbortSignal,
): Promise<Listed[]> {
	const lists = new Map<string, Listed>();
	for (const each of caches.classes.values()) {
		const { available, needsUndo } = providerTraits[each.spec.provider];
		if (!available || !needsUndo) continue;
		const className = each.metadata.name;
		try {
			const provider = await providerOf(className);
			const { source } = provider;
			const known = lists.get(source);
			if (known) known.classes.push(className);
			else {
				const balancers = await provider.list(clusterId, signal);
				lists.set(source, { source, classes: [className], balancers });
			}
		} catch (err) {
			if (signal.aborted) break;
			if (isFairleadError(err, "CloudRateLimited"))
				log.info(
					{ class: className },
					"a class is not audited this time: the cloud allows no more requests for now",
				);
			else log.warn({ err, class: className }, "a class could not be audited");
		}
	}
	return [...lists.values()];
}

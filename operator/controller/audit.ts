import type { Log } from "../log.ts";
import type { Caches } from "./caches.ts";
import { concerns } from "./triggers.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { ProviderRegistry } from "./provider-registry.ts";
import { providerTraits } from "../model/provider-traits.ts";

export interface AuditOptions {
	caches: Caches;
	providers: ProviderRegistry;
	metrics: ControllerMetrics;
	log: Log;
	clusterId: string;
	/** Everything seen so far no longer counts: each Service is compared with what the cloud has now. */
	lookAgain: () => void;
}

/**
 * Compares what the clouds have with what they should have: one list per class. Differences are repaired by the Services
 * concerned; balancers of this cluster without a Service are reported, not deleted.
 */
export async function audit(
	options: AuditOptions,
	signal: AbortSignal,
): Promise<void> {
	const { caches, providers, metrics, log } = options;
	for (const each of caches.classes.values()) {
		const { available, needsUndo } = providerTraits[each.spec.provider];
		if (!available || !needsUndo) continue;
		const className = each.metadata.name;
		try {
			const provider = await providers.of(className);
			const listed = await provider.list(options.clusterId, signal);
			const wanted = wantedUids(caches);
			const orphans = listed.filter(
				(balancer) => !wanted.has(balancer.identity.serviceUid),
			);
			metrics.orphans.set({ class: className }, orphans.length);
			for (const { id, service, addresses } of orphans)
				log.warn(
					{ class: className, balancer: id, service, addresses },
					"a balancer of this cluster has no Service; it is left alone",
				);
		} catch (err) {
			if (signal.aborted) return;
			log.warn({ err, class: className }, "a class could not be audited");
		}
	}
	options.lookAgain();
}

/** Asked after the list: a Service made while it was read is no orphan's. */
function wantedUids(caches: Caches): Set<string> {
	const uids = new Set<string>();
	for (const service of caches.services.values())
		if (service.metadata.uid && concerns(service))
			uids.add(service.metadata.uid);
	return uids;
}

import type { Service } from "../api/core.ts";
import type { BalancerClass, ProviderName } from "../api/fairlead.ts";
import type { Holding } from "./holding.ts";
import { providerTraits } from "./provider-traits.ts";
import type { Outcome } from "./world.ts";

/**
 * What letting go comes to where no provider needs asking, or the one that should be asked is not there: undefined when
 * the class still has the provider that holds something. `current` is the class as it is now, by the name recorded.
 */
export function letGoUnasked(
	service: Service,
	holding: Holding,
	current: BalancerClass | undefined,
): Outcome | undefined {
	if (!(holding.provider in providerTraits)) return undefined;
	const { needsUndo } = providerTraits[holding.provider as ProviderName];
	const leaving =
		service.metadata.deletionTimestamp !== undefined ||
		service.spec.type !== "LoadBalancer";
	// A class taken away by force frees nobody's address while the Service stays.
	if (!needsUndo) return current || leaving ? { kind: "Gone" } : undefined;
	if (!current || current.spec.provider === holding.provider) return undefined;
	return {
		kind: "Failed",
		code: "ClassInvalid",
		message: `BalancerClass ${holding.className} has provider ${current.spec.provider} now, and what it holds for this Service is ${holding.provider}'s: create the class anew with that provider, or remove the finalizer to leave the balancer behind`,
	};
}

import type { Service } from "../api/core.ts";
import { annotations, finalizers } from "../api/names.ts";
import { providerTraits } from "./provider-traits.ts";

/** What already holds something for a Service: read off the Service alone, so that it survives any restart. */
export interface Holding {
	className: string;
	provider: string;
}

/** Parses `fairlead.dev/provisioned-by` (`<class>/<provider>`); undefined when absent or not ours to read. */
export function holdingOf(service: Service): Holding | undefined {
	const value = service.metadata.annotations?.[annotations.provisionedBy];
	const [, className, provider] = /^([^/]+)\/([^/]+)$/.exec(value ?? "") ?? [];
	// What names no provider there is was not written by us, and holds nothing.
	return className && provider && Object.hasOwn(providerTraits, provider)
		? { className, provider }
		: undefined;
}

export function holdingValue(holding: Holding): string {
	return `${holding.className}/${holding.provider}`;
}

/** The finalizer that guards a Service of this kind; see api/names.ts for why there are two. */
export function finalizerOf(service: Service): string {
	return service.spec.loadBalancerClass === undefined
		? finalizers.classless
		: finalizers.classed;
}

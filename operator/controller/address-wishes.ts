import type { Service } from "../api/core.ts";
import {
	type AddressRequest,
	readRequest,
	type RequestResult,
} from "../model/addresses/request.ts";
import { externalIPRequest } from "../model/external-ips/request.ts";
import { resolveOwnership } from "../model/ownership.ts";
import { providerTraits } from "../model/provider-traits.ts";
import type { Caches } from "./caches.ts";

/** What Services ask of the pools, as the caches say now. */
export class AddressWishes {
	readonly #caches: Caches;

	constructor(caches: Caches) {
		this.#caches = caches;
	}

	/** For its balancer, of a class. */
	of(service: Service, className: string): RequestResult {
		const namespaceLabels = this.#labels(service);
		return readRequest(service, { className, namespaceLabels });
	}

	/** Undefined for a Service that no class of ours gives addresses of pools, or whose wishes contradict each other. */
	ofServed(service: Service): AddressRequest | undefined {
		const ownership = resolveOwnership(service, this.#caches.classes.values());
		if (ownership.kind !== "Ours") return undefined;
		const { metadata, spec } = ownership.class;
		if (!providerTraits[spec.provider].addressesFromPools) return undefined;
		const result = this.of(service, metadata.name);
		return result.ok ? result.request : undefined;
	}

	external(service: Service): AddressRequest {
		return externalIPRequest(service, this.#labels(service));
	}

	#labels({ metadata }: Service): Record<string, string> {
		const { namespaces } = this.#caches;
		return namespaces.get(metadata.namespace ?? "")?.metadata.labels ?? {};
	}
}

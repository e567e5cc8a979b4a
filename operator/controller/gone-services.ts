import type { Service } from "../api/core.ts";
import { objectKey } from "../api/meta.ts";
import type { BalancerIdentity } from "../model/balancer/balancer.ts";
import { balancerIdentity } from "../model/balancer/identity.ts";
import { holdingOf } from "../model/ownership.ts";
import type { ProviderCalls } from "./provider-calls.ts";
import { providerTraits } from "./provider-traits.ts";
import type { ProviderName } from "../api/fairlead.ts";

/** Queue keys of Services that are gone: no `namespace/name` starts like this. */
const prefix = "gone:";

interface Gone {
	service: string;
	className: string;
	identity: BalancerIdentity;
}

/**
 * Services that vanished while something was held for them: somebody took the finalizer off by force, or another Service
 * took the name. Their balancers are deleted all the same. What is missed here (nobody was watching) the audit finds.
 */
export class GoneServices {
	readonly #calls: ProviderCalls;
	readonly #clusterId: string;
	readonly #gone = new Map<string, Gone>();

	constructor(calls: ProviderCalls, clusterId: string) {
		this.#calls = calls;
		this.#clusterId = clusterId;
	}

	/** The queue key to work on, if anything is left behind; `service` is the last that was seen of it. */
	add(service: Service): string | undefined {
		const holding = holdingOf(service);
		const { uid } = service.metadata;
		if (!holding || !uid) return undefined;
		if (!providerTraits[holding.provider as ProviderName]?.needsUndo)
			return undefined;
		const key = `${prefix}${uid}`;
		this.#gone.set(key, {
			service: objectKey(service),
			className: holding.className,
			identity: balancerIdentity(this.#clusterId, uid),
		});
		return key;
	}

	has(key: string): boolean {
		return key.startsWith(prefix);
	}

	async sync(key: string): Promise<void> {
		const gone = this.#gone.get(key);
		if (!gone) return;
		const want = {
			do: "delete" as const,
			classNames: [gone.className],
			identity: gone.identity,
		};
		if (this.#calls.outcome(key, want).kind === "Unknown")
			await this.#calls.start(key, want);
		if (this.#calls.outcome(key, want).kind !== "Gone") return;
		this.#calls.drop(key);
		this.#gone.delete(key);
	}
}

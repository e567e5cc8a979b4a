import type { Service } from "../api/core.ts";
import type { BalancerClass, ProviderName } from "../api/fairlead.ts";
import { objectKey } from "../api/meta.ts";
import type { BalancerIdentity } from "../model/balancer/balancer.ts";
import { balancerIdentity } from "../model/balancer/identity.ts";
import { type Holding, holdingOf } from "../model/holding.ts";
import { providerTraits } from "../model/provider-traits.ts";
import type { ProviderCalls } from "./provider-calls.ts";

/** Queue keys of Services that are gone: no `namespace/name` starts like this. */
const prefix = "gone:";

interface Gone {
	service: string;
	holding: Holding;
	identity: BalancerIdentity;
}

/** A class that came back with another provider is looked at again after this long: it may come back once more. */
const classAgainMs = 60_000;

export interface GoneServicesOptions {
	calls: ProviderCalls;
	clusterId: string;
	/** Undefined when it is gone. */
	classOf: (className: string) => BalancerClass | undefined;
	/** Nothing is left behind in this class any more. */
	released: (className: string) => void;
}

/**
 * Services that vanished while something was held for them: somebody took the finalizer off by force, or another Service
 * took the name. Their balancers are deleted all the same. What is missed here (nobody was watching) the audit finds.
 */
export class GoneServices {
	readonly #options: GoneServicesOptions;
	readonly #gone = new Map<string, Gone>();

	constructor(options: GoneServicesOptions) {
		this.#options = options;
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
			holding,
			identity: balancerIdentity(this.#options.clusterId, uid),
		});
		return key;
	}

	has(key: string): boolean {
		return key.startsWith(prefix);
	}

	/** Whether anything is still to be deleted through the class. */
	holds(className: string): boolean {
		for (const gone of this.#gone.values())
			if (gone.holding.className === className) return true;
		return false;
	}

	async sync(key: string): Promise<void | { retryAfterMs?: number }> {
		const { calls, classOf, released } = this.#options;
		const gone = this.#gone.get(key);
		if (!gone) return;
		const { className, provider } = gone.holding;
		const current = classOf(className);
		// What another provider says of this balancer is no word of it.
		if (current && current.spec.provider !== provider)
			return { retryAfterMs: classAgainMs };
		const want = {
			do: "delete" as const,
			classNames: [className],
			configs: [current ? JSON.stringify(current.spec) : ""],
			identity: gone.identity,
		};
		if (calls.outcome(key, want).kind === "Unknown")
			// What runs may be making the balancer still: deleted before it is made it would stay.
			await calls.start(key, want, gone.service);
		if (calls.outcome(key, want).kind !== "Gone") return;
		calls.drop(key);
		this.#gone.delete(key);
		released(className);
	}
}

import type { Service } from "../api/core.ts";
import { objectKey } from "../api/meta.ts";
import type { BalancerIdentity } from "../model/balancer/balancer.ts";
import { balancerIdentity } from "../model/balancer/identity.ts";
import { holdingOf } from "../model/holding.ts";
import type { ProviderCalls } from "./provider-calls.ts";
import { providerTraits } from "../model/provider-traits.ts";
import type { ProviderName } from "../api/fairlead.ts";

/** Queue keys of Services that are gone: no `namespace/name` starts like this. */
const prefix = "gone:";

interface Gone {
	service: string;
	className: string;
	identity: BalancerIdentity;
}

export interface GoneServicesOptions {
	calls: ProviderCalls;
	clusterId: string;
	/** The spec of a class as text; undefined when it is gone. */
	configOf: (className: string) => string | undefined;
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
			className: holding.className,
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
			if (gone.className === className) return true;
		return false;
	}

	async sync(key: string): Promise<void> {
		const { calls, configOf, released } = this.#options;
		const gone = this.#gone.get(key);
		if (!gone) return;
		const want = {
			do: "delete" as const,
			classNames: [gone.className],
			configs: [configOf(gone.className) ?? ""],
			identity: gone.identity,
		};
		if (calls.outcome(key, want).kind === "Unknown")
			await calls.start(key, want);
		if (calls.outcome(key, want).kind !== "Gone") return;
		calls.drop(key);
		this.#gone.delete(key);
		released(gone.className);
	}
}

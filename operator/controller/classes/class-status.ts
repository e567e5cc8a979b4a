import type { BalancerClass } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import type { Cancel, Clock } from "../../clock.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { Workqueue } from "../../cluster/workqueue.ts";
import { isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import {
	type ClassFacts,
	classCondition,
	isClassWide,
} from "../../model/class-condition.ts";
import { changedConditions } from "../../model/conditions.ts";
import { providerTraits } from "../../model/provider-traits.ts";
import type { Provider } from "../../providers/provider.ts";
import type { Caches } from "../caches.ts";

export interface ClassStatusOptions {
	client: KubeClient;
	caches: Caches;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Throws what is wrong with the token of a class, without asking a cloud. */
	checkToken: (found: BalancerClass) => Promise<void>;
}

/** What many Services do to a class within this time is one look at it. */
const soonMs = 500;
/** A token that was missing is looked for again after this long, for nobody tells when it comes. */
const tokenAgainMs = 30_000;
/** A cloud of which one half works and the other does not is in trouble until nothing was heard of it for this long. */
const quietMs = 10_000;

/** Writes condition Ready of each BalancerClass, where it differs. */
export class ClassStatus {
	readonly #options: ClassStatusOptions;
	readonly #queue: Workqueue;
	/** What the provider of a class last said that concerns all of it. */
	readonly #troubles = new Map<string, { code: string; message: string }>();
	/** Classes whose provider works again, until their trouble is forgotten. */
	readonly #recovering = new Map<string, Cancel>();

	constructor(options: ClassStatusOptions) {
		this.#options = options;
		const { clock, random, log } = options;
		this.#queue = new Workqueue({ clock, random, log, workers: 1 });
		this.#queue.run((name) => this.#look(name));
	}

	/** A class, or what is held through it, changed. */
	changed(name: string): void {
		this.#queue.addAfter(name, soonMs);
	}

	/** Classes were added, edited or removed: each may be the default, or no longer the only one. */
	allChanged(): void {
		for (const name of this.#options.caches.classes.keys()) this.changed(name);
	}

	/** The same provider, listened to. */
	watching(name: string, provider: Provider): Provider {
		const heard = async <R>(call: Promise<R>): Promise<R> => {
			try {
				const answer = await call;
				this.#said(name, undefined);
				return answer;
			} catch (error) {
				this.#said(name, error);
				throw error;
			}
		};
		return {
			source: provider.source,
			capabilities: (signal) => heard(provider.capabilities(signal)),
			ensure: (desired, signal) => heard(provider.ensure(desired, signal)),
			delete: (identity, signal) => heard(provider.delete(identity, signal)),
			list: (clusterId, signal) => heard(provider.list(clusterId, signal)),
			forget: (identity) => provider.forget(identity),
			close: () => provider.close(),
		};
	}

	async stop(deadlineMs: number): Promise<void> {
		for (const cancel of this.#recovering.values()) cancel();
		this.#recovering.clear();
		await this.#queue.drain(deadlineMs);
	}

	#said(name: string, error: unknown): void {
		if (error === undefined) return this.#works(name);
		if (!isFairleadError(error) || !isClassWide(error.code)) return;
		const { code, message } = error;
		this.#recovering.get(name)?.();
		this.#recovering.delete(name);
		if (this.#troubles.get(name)?.message === message) return;
		this.#troubles.set(name, { code, message });
		this.changed(name);
	}

	#works(name: string): void {
		if (!this.#troubles.has(name) || this.#recovering.has(name)) return;
		const cancel = this.#options.clock.after(quietMs, () => {
			this.#recovering.delete(name);
			if (this.#troubles.delete(name)) this.changed(name);
		});
		this.#recovering.set(name, cancel);
	}

	async #look(name: string): Promise<void | { retryAfterMs?: number }> {
		const { caches, clock, client } = this.#options;
		const found = caches.classes.get(name);
		if (!found) {
			this.#troubles.delete(name);
			return;
		}
		const missing = await this.#token(found);
		const current = found.status?.conditions ?? [];
		const changed = changedConditions(
			current,
			[classCondition(found, this.#facts(name, missing))],
			new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
		);
		if (changed.length > 0) {
			const { uid, resourceVersion } = found.metadata;
			try {
				const written = await client.patch<BalancerClass>(
					resources.balancerClasses,
					{ name, subresource: "status" },
					{
						type: "merge",
						body: {
							metadata: { uid, resourceVersion },
							// Custom resources know no strategic merge: the whole list is written.
							status: {
								conditions: [
									...current.filter(({ type }) => type !== "Ready"),
									...changed,
								],
							},
						},
					},
				);
				caches.classes.apply(written);
			} catch (error) {
				if (!isFairleadError(error, "KubeNotFound")) throw error;
			}
		}
		if (missing) return { retryAfterMs: tokenAgainMs };
	}

	/** What is wrong with the token now; undefined when it is there, or no cloud is asked. */
	async #token({
		metadata,
		spec,
	}: BalancerClass): Promise<{ code: string; message: string } | undefined> {
		if (spec.provider !== "HetznerCloud" || metadata.deletionTimestamp) return;
		try {
			await this.#options.checkToken({ metadata, spec });
		} catch (error) {
			if (isFairleadError(error) && isClassWide(error.code))
				return { code: error.code, message: error.message };
			throw error;
		}
		// What was missing is there; whether the cloud takes it, the next call tells.
		if (this.#troubles.get(metadata.name)?.code === "CloudTokenMissing")
			this.#troubles.delete(metadata.name);
		return;
	}

	#facts(
		name: string,
		missing: { code: string; message: string } | undefined,
	): ClassFacts {
		const { caches } = this.#options;
		const defaults = [...caches.classes.values()]
			.filter(
				({ spec }) =>
					spec.default && providerTraits[spec.provider] !== undefined,
			)
			.map(({ metadata }) => metadata.name)
			.sort();
		const holders = caches.services.byIndex("holder", name);
		const one = holders.map((service) => objectKey(service)).sort()[0];
		const trouble = missing ?? this.#troubles.get(name);
		return {
			defaults,
			holders: {
				count: holders.length,
				...(one === undefined ? {} : { one }),
			},
			...(trouble ? { trouble } : {}),
		};
	}
}

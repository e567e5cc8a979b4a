import { isDeepStrictEqual } from "node:util";
import type { ExternalIPPolicy } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import { groupVersion } from "../../api/names.ts";
import type { Clock } from "../../clock.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { Workqueue } from "../../cluster/workqueue.ts";
import { isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { findInterval } from "../../model/addresses/intervals.ts";
import type { IpAddress } from "../../model/addresses/ip.ts";
import {
	arrangePools,
	compilePool,
	type Pool,
} from "../../model/addresses/pool.ts";
import {
	type CompiledPolicy,
	compilePolicy,
} from "../../model/external-ips/compiled-policy.ts";
import { type Grants, readGrants } from "../../model/external-ips/grants.ts";
import type { Caches } from "../caches.ts";
import { ownAddresses, ownServices } from "./own-addresses.ts";

export interface PolicySyncOptions {
	client: KubeClient;
	caches: Caches;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Grants may have changed. */
	changed: () => void;
	/** The cluster's own addresses changed. */
	ownChanged: () => void;
	/** Other pools than before found no room in the policy. */
	leftOutChanged: () => void;
}

interface Compiled {
	policy: CompiledPolicy;
	grants: Grants;
	/** The pools left out, made ready for questions. */
	leftOut: Pool[];
}

const name = "compiled";
/** Key of the work that follows a change of the cluster's own addresses. */
const own = "own";
/** Many nodes or pools that change at once are one write. */
const pauseMs = 50;
/** How often it is asked whether the kind has been installed meanwhile. */
const absentMs = 10_000;

/** Keeps ExternalIPPolicy `compiled` what the pools say: written when it differs, made anew when deleted, repaired when edited. */
export class PolicySync {
	readonly #options: PolicySyncOptions;
	readonly #queue: Workqueue;
	#compiled: Compiled | undefined;
	#undo: (() => void)[] = [];
	#saidLeftOut = "";
	#knew = false;

	constructor(options: PolicySyncOptions) {
		this.#options = options;
		const { clock, random, log } = options;
		this.#queue = new Workqueue({ clock, random, log, workers: 1 });
		this.#queue.run(async (key) => {
			if (key === name) return this.#write();
			options.ownChanged();
		});
	}

	/** What the pools grant now; undefined where the kind is not installed, so that nothing restricts external IPs. */
	get grants(): Grants | undefined {
		return this.#options.caches.knowsPolicies
			? this.#compile().grants
			: undefined;
	}

	/** Whether the policy has no room for a pool. */
	isLeftOut(pool: string): boolean {
		return (
			this.#options.caches.knowsPolicies &&
			this.#compile().policy.leftOut.includes(pool)
		);
	}

	/** The pool that has the address and is left out. */
	leftOutWith({ family, value }: IpAddress): string | undefined {
		return this.#compile().leftOut.find(
			({ intervals }) => findInterval(intervals[family], value) >= 0,
		)?.name;
	}

	start(): void {
		const { caches } = this.#options;
		const sources = [caches.nodes, caches.serviceCIDRs];
		this.#undo = [
			...sources.map((store) =>
				store.onChange((change) => {
					if (change.type === "updated" && sameOwn(change.old, change.object))
						return;
					this.#ownChanged();
				}),
			),
			caches.services.onChange((change) => {
				if (!ownServices.includes(objectKey(change.object))) return;
				if (change.type === "updated" && sameOwn(change.old, change.object))
					return;
				this.#ownChanged();
			}),
			caches.pools.onChange((change) => {
				if (
					change.type === "updated" &&
					isDeepStrictEqual(change.old.spec, change.object.spec)
				)
					return;
				this.#sourceChanged();
			}),
			caches.slices.onChange(({ object }) => {
				if (object.metadata.namespace !== "default") return;
				if (object.metadata.labels?.[serviceName] === "kubernetes")
					this.#ownChanged();
			}),
			caches.policies.onChange(() => this.#queue.addAfter(name, pauseMs)),
		];
		this.#queue.add(name);
	}

	async stop(deadlineMs: number): Promise<void> {
		for (const undo of this.#undo) undo();
		await this.#queue.drain(deadlineMs);
	}

	/** Many nodes that change at once are one look at the pools. */
	#ownChanged(): void {
		this.#sourceChanged();
		this.#queue.addAfter(own, pauseMs);
	}

	#sourceChanged(): void {
		this.#compiled = undefined;
		this.#queue.addAfter(name, pauseMs);
		this.#options.changed();
	}

	#compile(): Compiled {
		if (this.#compiled) return this.#compiled;
		const { pools } = arrangePools(
			[...this.#options.caches.pools.values()].map(compilePool),
		);
		const policy = compilePolicy(pools, ownAddresses(this.#options.caches));
		this.#compiled = {
			policy,
			grants: readGrants(policy.spec),
			leftOut: pools.filter(({ name: each }) => policy.leftOut.includes(each)),
		};
		return this.#compiled;
	}

	async #write(): Promise<{ retryAfterMs: number } | undefined> {
		const { client, caches } = this.#options;
		const known = caches.knowsPolicies;
		if (known !== this.#knew) {
			this.#knew = known;
			this.#options.changed();
		}
		if (!known) return { retryAfterMs: absentMs };
		const { spec, leftOut } = this.#compile().policy;
		this.#sayLeftOut(leftOut);
		const found = caches.policies.get(name);
		if (found && isDeepStrictEqual(found.spec, spec)) return undefined;
		try {
			caches.policies.apply(
				found
					? await client.patch<ExternalIPPolicy>(
							resources.externalIPPolicies,
							{ name },
							{
								type: "merge",
								body: {
									metadata: {
										uid: found.metadata.uid,
										resourceVersion: found.metadata.resourceVersion,
									},
									spec,
								},
							},
						)
					: await client.create<ExternalIPPolicy>(
							resources.externalIPPolicies,
							{
								apiVersion: groupVersion,
								kind: "ExternalIPPolicy",
								metadata: { name },
								spec,
							},
						),
			);
		} catch (error) {
			// Somebody was faster: the watch tells what it is now, and wakes this again.
			if (isFairleadError(error, "KubeConflict", "KubeNotFound"))
				return { retryAfterMs: 1_000 };
			throw error;
		}
		return undefined;
	}

	#sayLeftOut(leftOut: string[]): void {
		const text = leftOut.join(", ");
		if (text === this.#saidLeftOut) return;
		this.#options.leftOutChanged();
		if (text !== "")
			this.#options.log.warn(
				{ pools: leftOut },
				`ExternalIPPolicy compiled cannot hold AddressPool ${text}: it has more CIDRs than there is room for; nobody is granted its addresses. Write its addresses as fewer, larger CIDRs`,
			);
		this.#saidLeftOut = text;
	}
}

const serviceName = "kubernetes.io/service-name";

/** Whether a Node, ServiceCIDR or Service keeps its addresses. */
function sameOwn(old: object, now: object): boolean {
	const own = (object: {
		status?: { addresses?: unknown };
		spec?: { cidrs?: unknown; clusterIPs?: unknown };
	}) => [object.status?.addresses, object.spec?.cidrs, object.spec?.clusterIPs];
	return isDeepStrictEqual(own(old), own(now));
}

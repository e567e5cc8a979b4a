import type { Service } from "../api/core.ts";
import { objectKey } from "../api/meta.ts";
import { finalizers } from "../api/names.ts";
import type { Clock } from "../clock.ts";
import type { KubeClient } from "../cluster/kube.ts";
import { resources } from "../cluster/kube.ts";
import { FairleadError, isFairleadError } from "../errors.ts";
import { assignmentOf } from "../model/assignment.ts";
import type { Target } from "../model/balancer/balancer.ts";
import { desiredBalancer } from "../model/balancer/desired.ts";
import { balancerSourceRanges } from "../model/balancer/source-ranges.ts";
import { staticBalancer } from "../model/balancer/static-balancer.ts";
import { balancerIdentity } from "../model/balancer/identity.ts";
import { type Intent, intentOf } from "../model/intent.ts";
import { type Announcement, nextStep } from "../model/next-step.ts";
import type { Holding } from "../model/holding.ts";
import { type Ownership, resolveOwnership } from "../model/ownership.ts";
import type { Outcome, World } from "../model/world.ts";
import type { Addresses } from "./addresses.ts";
import type { ProgrammingWatch } from "./agents/programming-watch.ts";
import type { Caches } from "./caches.ts";
import type { ClassGuard } from "./class-guard.ts";
import type { ProviderCalls, Want } from "./provider-calls.ts";
import { letGoUnasked } from "../model/letting-go.ts";
import { providerTraits } from "../model/provider-traits.ts";
import type { Repairs } from "./repairs.ts";
import { servicePatch } from "./service-patch.ts";

export interface ServiceSyncOptions {
	client: KubeClient;
	caches: Caches;
	calls: ProviderCalls;
	addresses: Addresses;
	guard: ClassGuard;
	programming: ProgrammingWatch;
	repairs: Pick<Repairs, "paused" | "contested">;
	clock: Clock;
	clusterId: string;
	/** Balancer targets of the cluster; the same array until they change. */
	targets: () => Target[];
	announce: (service: Service, event: Announcement) => void;
}

/** A Service settles within a handful of steps; more means two writers fight, and the queue's backoff is the answer. */
const maxSteps = 12;

/** Brings one Service to where it should be: decide, do one thing, look again, until nothing is left to do. */
export class ServiceSync {
	readonly #options: ServiceSyncOptions;
	/** Set while the answer of an own write goes into the cache: it needs no waking. */
	#writing: string | undefined;
	/** Services a patch of ours is on its way for: a watch may tell of it before its answer does. */
	readonly #patching = new Set<string>();

	constructor(options: ServiceSyncOptions) {
		this.#options = options;
	}

	/** Whether a change of this key is the answer of our own write, being handled already. */
	isOwnWrite(key: string): boolean {
		return this.#writing === key;
	}

	/** Whether a change of this key may be the effect of an own patch that is not answered yet. */
	isPatching(key: string): boolean {
		return this.#patching.has(key);
	}

	/** Throws FairleadErrors of the Kubernetes API; what providers say ends up in conditions instead. */
	async sync(key: string): Promise<void> {
		for (let step = 0; step < maxSteps; step++)
			if (!(await this.#step(key))) return;
		throw new FairleadError(
			"KubeConflict",
			`Service ${key} does not settle: somebody else changes it as fast as Fairlead does`,
		);
	}

	/** Does one step; false when there is nothing (more) to do now. */
	async #step(key: string): Promise<boolean> {
		const { caches, calls, addresses, repairs } = this.#options;
		const service = caches.services.get(key);
		if (!service) {
			calls.drop(key);
			return false;
		}
		const known = this.#look(key, service);
		const intent = intentOf(known);
		const unasked = this.#unasked(service, known.ownership, intent);
		const want =
			unasked && intent.kind === "Serve"
				? undefined
				: this.#want(service, intent);
		const outcome = unasked ?? (want ? calls.outcome(key, want) : unknown);
		const step = nextStep({ ...known, outcome });
		switch (step.do) {
			case "nothing":
				if (!want) {
					calls.drop(key);
					// While the record stands, so does the claim: a class taken away by force frees nobody's address.
					if (intent.kind !== "Serve" && !assignmentOf(service))
						addresses.release(service);
				}
				return false;
			case "guard-class":
				await this.#options.guard.hold(step.className);
				return true;
			case "note-addresses":
				await addresses.note(service);
				return true;
			case "patch": {
				if (intent.kind !== "LetGo" && repairs.paused(key)) return false;
				const result = await this.#patch(key, service, step.change);
				if (result === "written" && step.event)
					this.#options.announce(service, step.event);
				return result !== "gone";
			}
			default:
				if (step.do === "delete" && step.event)
					this.#options.announce(service, step.event);
				if (!want) return false;
				await calls.start(key, want);
				return calls.outcome(key, want).kind !== "InFlight";
		}
	}

	/** Everything but what providers say. */
	#look(key: string, service: Service): Omit<World, "outcome"> {
		const { caches, clock, clusterId, targets, addresses, repairs } =
			this.#options;
		const ownership = resolveOwnership(service, caches.classes.values());
		const world: Omit<World, "outcome"> = {
			service,
			ownership,
			readyEndpoints: caches.hasReadyEndpoints(key),
			programming: this.#options.programming.of(key, service),
			seen: caches.services.newest ?? "0",
			now: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
		};
		const contested = repairs.contested(key);
		if (contested) world.contested = contested;
		if (ownership.kind === "Refused")
			world.recordHeld = addresses.holdsRecord(service);
		const traits =
			ownership.kind === "Ours"
				? providerTraits[ownership.class.spec.provider]
				: undefined;
		if (
			(service.metadata.deletionTimestamp ||
				ownership.kind === "NotOurs" ||
				traits?.addressesFromPools === false) &&
			addresses.mustNote(service)
		)
			world.mustNote = true;
		if (
			ownership.kind !== "Ours" ||
			!traits ||
			service.metadata.deletionTimestamp
		)
			return world;
		const { metadata } = ownership.class;
		// It may have come from a class that drew on pools, and still wait for one of their addresses.
		if (!traits.addressesFromPools && !assignmentOf(service)?.pools)
			addresses.release(service);
		const addressing = traits.addressesFromPools
			? addresses.addressing(service, metadata.name)
			: ({ kind: "Provider" } as const);
		world.ours = {
			classGuarded:
				metadata.finalizers?.includes(finalizers.classInUse) ?? false,
			needsUndo: traits.needsUndo,
			retained:
				addressing.kind === "Pools" &&
				addresses.retains(addressing.assignment.pools ?? []),
			addressing,
			desired: desiredBalancer({
				clusterId,
				service,
				targets: traits.needsTargets ? targets() : none,
				addresses:
					addressing.kind === "Pools"
						? addressing.assignment.addresses
						: addresses.requested(service),
				sourceRanges: balancerSourceRanges(service),
			}),
		};
		return world;
	}

	/** What can be said without a call to a provider: of most that is let go, and of everything Static. */
	#unasked(
		service: Service,
		ownership: Ownership,
		intent: Intent,
	): Outcome | undefined {
		if (
			intent.kind === "Serve" &&
			intent.ours.addressing.kind === "Pools" &&
			ownership.kind === "Ours" &&
			ownership.class.spec.provider === "Static"
		)
			return {
				kind: "Observed",
				balancer: staticBalancer(intent.ours.desired),
			};
		if (intent.kind !== "LetGo" || !intent.holding) return undefined;
		const { classes } = this.#options.caches;
		return letGoUnasked(
			service,
			intent.holding,
			classes.get(intent.holding.className),
		);
	}

	#want(service: Service, intent: Intent): Want | undefined {
		const { clusterId, caches } = this.#options;
		if (intent.kind === "LetGo") {
			const classNames = this.#holders(intent.holding);
			return {
				do: "delete",
				classNames,
				configs: classNames.map((name) => caches.configOf(name) ?? ""),
				identity: balancerIdentity(clusterId, service.metadata.uid ?? ""),
			};
		}
		if (intent.kind !== "Serve" || intent.ours.addressing.kind === "Refused")
			return undefined;
		return {
			do: "ensure",
			className: intent.className,
			config: caches.configOf(intent.className) ?? "",
			desired: intent.ours.desired,
		};
	}

	/** The class that holds; where the record of it was wiped, every class something could be held through. */
	#holders(holding: Holding | undefined): string[] {
		if (holding) return [holding.className];
		return [...this.#options.caches.classes.values()]
			.filter(({ spec }) => {
				const { available, needsUndo } = providerTraits[spec.provider];
				return available && needsUndo;
			})
			.map((each) => each.metadata.name)
			.sort();
	}

	/** A conflict reads the Service again, and the next step decides anew. */
	async #patch(
		key: string,
		service: Service,
		change: Parameters<typeof servicePatch>[1],
	): Promise<"written" | "read" | "gone"> {
		const { client } = this.#options;
		const ref = {
			namespace: service.metadata.namespace ?? "",
			name: service.metadata.name,
		};
		this.#patching.add(key);
		try {
			const answer = await client.patch<Service>(
				resources.services,
				{ ...ref, subresource: "status" },
				{ type: "strategic-merge", body: servicePatch(service, change) },
			);
			this.#take(key, answer);
			return "written";
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return "gone";
			if (!isFairleadError(error, "KubeConflict")) throw error;
		} finally {
			this.#patching.delete(key);
		}
		try {
			this.#take(key, await client.get<Service>(resources.services, ref));
			return "read";
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return "gone";
			throw error;
		}
	}

	#take(key: string, service: Service): void {
		if (objectKey(service) !== key) return;
		this.#writing = key;
		try {
			this.#options.caches.services.apply(service);
		} finally {
			this.#writing = undefined;
		}
	}
}

const unknown = { kind: "Unknown" } as const;
const none: Target[] = [];

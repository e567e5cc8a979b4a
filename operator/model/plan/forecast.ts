import type { Service } from "../../api/core.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import type { AssignedAddress } from "../addresses/allocation.ts";
import type { Allocator } from "../addresses/allocator.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import { compilePool } from "../addresses/pool.ts";
import type { Reason } from "../addresses/reasons.ts";
import { assignmentOf } from "../assignment.ts";
import { drawsOnPools } from "../explain/address-step.ts";
import {
	adopt,
	holdReserved,
	type Recorded,
	type Reserved,
} from "../explain/adopted-addresses.ts";
import type { ClusterFacts } from "../explain/cluster-facts.ts";
import { holdingOf } from "../holding.ts";
import { type Ownership, resolveOwnership } from "../ownership.ts";
import type { Editable } from "./edit.ts";

/** How a Service stands at one moment of the forecast. */
export interface Standing {
	held: AssignedAddress[];
	/** Why it does not hold all it asks for. */
	against: readonly Reason[];
	/** What is out of order with what it holds. */
	notices: readonly Reason[];
	/** Why no class serves it; absent where one does. */
	refusal?: string;
	/** A class that draws on pools serves it. */
	owned?: boolean;
	/** Who chooses its address, where that is no pool and it has none of them yet. */
	awaits?: string;
}

/** The controller's dealings with addresses, played in memory: who holds what, as pools and classes change. */
export class Forecast {
	readonly allocator: Allocator;
	/** Of type LoadBalancer, the oldest first, as the controller serves those who wait. */
	readonly #services: readonly Service[];
	readonly #facts: ClusterFacts;
	readonly #recorded: Recorded;
	readonly #against = new Map<string, readonly Reason[]>();
	readonly #owners = new Map<string, Ownership>();
	#reserved: Reserved;

	/** Begins with what the controller would have done by now. */
	constructor(facts: ClusterFacts) {
		this.#facts = facts;
		this.#recorded = facts.recorded;
		const { allocator, reserved } = adopt(this.#recorded);
		this.allocator = allocator;
		this.#reserved = reserved;
		this.#services = facts.services
			.filter(
				({ spec, metadata }) =>
					spec.type === "LoadBalancer" && !metadata.deletionTimestamp,
			)
			.sort(compareAge);
		this.#serveAll(facts.classes);
	}

	/** Pools and classes are these from now on. */
	follow({ pools, classes }: Editable): void {
		this.allocator.setPools(pools.map(compilePool));
		this.#reserved = holdReserved(
			this.allocator,
			{ ...this.#recorded, pools },
			this.#reserved,
		);
		this.#serveAll(classes);
	}

	/** By `namespace/name`. */
	standings(): Map<string, Standing> {
		return new Map(
			this.#services.map((service) => [
				objectKey(service),
				this.#standing(service),
			]),
		);
	}

	#standing(service: Service): Standing {
		const { uid = "" } = service.metadata;
		const owner = this.#owners.get(uid);
		const owned = owner?.kind === "Ours" && drawsOnPools(owner.class);
		const refusal =
			owner?.kind === "Refused"
				? owner.message
				: owner?.kind === "NotOurs"
					? owner.because
					: undefined;
		const chosen = ownOfCloud(service, owner);
		return {
			held: chosen ?? this.allocator.addressesOf(uid),
			against: owned ? (this.#against.get(uid) ?? []) : [],
			notices: this.allocator.noticesOf(uid),
			...(refusal === undefined ? {} : { refusal }),
			...(owned ? { owned } : {}),
			...(owner?.kind === "Ours" && chosen?.length === 0
				? {
						awaits: `provider ${owner.class.spec.provider} of class ${owner.class.metadata.name} chooses its address`,
					}
				: {}),
		};
	}

	#serveAll(classes: readonly BalancerClass[]): void {
		for (const service of this.#services) this.#own(service, classes);
		// Whoever leaves has left before anybody comes.
		let left = this.#services;
		while (left.length > 0) {
			const woken = new Set(left.flatMap((each) => this.#serve(each)));
			left = left.filter(({ metadata }) => woken.has(metadata.uid ?? ""));
		}
	}

	#own(service: Service, classes: readonly BalancerClass[]): void {
		const { uid = "" } = service.metadata;
		const before = this.#owners.get(uid);
		const now = resolveOwnership(service, classes);
		this.#owners.set(uid, now);
		if (leaves(service, before, now)) this.allocator.release(uid);
	}

	/** UIDs of others who got something by it. */
	#serve(service: Service): string[] {
		const { uid = "" } = service.metadata;
		const owner = this.#owners.get(uid);
		if (owner?.kind !== "Ours" || !drawsOnPools(owner.class)) return [];
		const result = this.#facts.request(service, owner.class.metadata.name);
		// Wishes that contradict each other move nobody from what it holds.
		const { reasons, wake } = result.ok
			? this.allocator.allocate(result.request)
			: { reasons: result.reasons, wake: [] };
		this.#against.set(uid, reasons);
		return wake;
	}
}

/** Addresses that a provider chose itself, while the Service stays with it; undefined where pools have the say. */
function ownOfCloud(
	service: Service,
	owner: Ownership | undefined,
): AssignedAddress[] | undefined {
	const recorded = assignmentOf(service);
	if (owner?.kind === "Ours") {
		if (drawsOnPools(owner.class)) return undefined;
		if (recorded?.class !== owner.class.metadata.name) return [];
	} else if (owner?.kind !== "Refused") return undefined;
	if (!recorded || recorded.pools) return undefined;
	return recorded.addresses.flatMap((text) => {
		const address = parseIp(text);
		return address.ok
			? [
					{
						ip: formatIp(address.value),
						family: address.value.family,
						pool: "",
					},
				]
			: [];
	});
}

/** Whether what the Service holds is given up: nobody serves it any more, or another class does. */
function leaves(
	service: Service,
	before: Ownership | undefined,
	now: Ownership,
): boolean {
	if (now.kind === "NotOurs") return true;
	// While the record stands, so does the claim: a class taken away by force frees nobody's address.
	if (now.kind === "Refused") return assignmentOf(service) === undefined;
	if (!drawsOnPools(now.class)) return true;
	const held =
		before?.kind === "Ours"
			? before.class.metadata.name
			: holdingOf(service)?.className;
	return held !== undefined && held !== now.class.metadata.name;
}

function compareAge(
	{ metadata: a }: Service,
	{ metadata: b }: Service,
): number {
	const key = ({ creationTimestamp = "", uid = "" }: Service["metadata"]) =>
		`${creationTimestamp} ${uid}`;
	return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

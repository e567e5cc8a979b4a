import type { Service } from "../api/core.ts";
import type { AddressPool, BalancerClass } from "../api/fairlead.ts";
import { type KubeObject, objectKey } from "../api/meta.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import type { Change } from "../cluster/index.ts";
import type { Priority } from "../cluster/workqueue.ts";
import type { Target } from "../model/balancer/balancer.ts";
import { balancerTargets } from "../model/balancer/targets.ts";
import { externalIPRecordOf } from "../model/external-ips/record.ts";
import { canonical } from "../model/external-ips/roles.ts";
import { holdingOf } from "../model/holding.ts";
import { providerTraits } from "../model/provider-traits.ts";
import { undone } from "../model/undone.ts";
import type { Caches } from "./caches.ts";
import { hasReadyEndpoint, serviceOf } from "./trim.ts";

export interface TriggersOptions {
	caches: Caches;
	wake: (key: string, priority: Priority) => void;
	/** A Service vanished, or another took its name: the last of it that said what is held. */
	gone: (service: Service) => void;
	/** Somebody undid what we wrote on a Service (model/undone.ts). */
	undone: (key: string, lost: string[]) => void;
	/** Somebody wants something else of a Service. */
	meant: (key: string) => void;
	/** A BalancerClass changed, or a Service left it. */
	classChanged: (className: string) => void;
	/** Somebody wants something else of a BalancerClass, of a new one, or of one no longer. */
	classesMeant: () => void;
	poolsChanged: () => void;
	/** Somebody wrote a class or a pool, perhaps only its status, which is ours to keep true. */
	written: (kind: "class" | "pool", name: string) => void;
	/** Whether a change of this Service is the answer of our own write, being handled already. */
	isOwnWrite: (key: string) => boolean;
	/** Whether it may be, its answer being on its way. */
	isPatching: (key: string) => boolean;
}

/** Says which Services a change in the cluster concerns, so that work follows the change and not the cluster. */
export class Triggers {
	readonly #options: TriggersOptions;
	#targets: Target[];
	#looking = false;
	/** Services whose record somebody stripped, by UID, as they were before: it is not put back at once any more. */
	readonly #stripped = new Map<string, Service>();
	#undo: (() => void)[] = [];

	constructor(options: TriggersOptions) {
		this.#options = options;
		this.#targets = balancerTargets(options.caches.nodes.values());
	}

	/** Targets of every balancer; the same array until they change. */
	readonly targets = (): Target[] => this.#targets;

	start(): void {
		const { caches, wake, classChanged, poolsChanged, isOwnWrite } =
			this.#options;
		this.#undo = [
			caches.services.onChange((change) => {
				const key = objectKey(change.object);
				const before = change.type === "updated" ? change.old : change.object;
				if (change.type === "deleted") this.#gone(change.object);
				else if (change.type === "updated" && !isOwnWrite(key))
					this.#changed(key, change.old, change.object);
				if (!concerns(change.object) && !concerns(before)) return;
				if (!isOwnWrite(key)) wake(key, "high");
				for (const className of classesOf(before)) classChanged(className);
			}),
			caches.slices.onChange((change) => {
				const was =
					change.type !== "added" &&
					hasReadyEndpoint(
						change.type === "updated" ? change.old : change.object,
					);
				const is = change.type !== "deleted" && hasReadyEndpoint(change.object);
				const service = serviceOf(change.object);
				if (was !== is && service !== undefined && this.#isBalanced(service))
					wake(service, "high");
			}),
			caches.nodes.onChange((change) => {
				const before =
					change.type === "added"
						? []
						: [change.type === "updated" ? change.old : change.object];
				const now = change.type === "deleted" ? [] : [change.object];
				if (!sameTargets(balancerTargets(before), balancerTargets(now)))
					this.#nodesChanged();
			}),
			caches.namespaces.onChange((change) => {
				if (change.type === "updated" && sameLabels(change.old, change.object))
					return;
				const { name } = change.object.metadata;
				for (const service of caches.services.byIndex("balanced in", name))
					wake(objectKey(service), "normal");
			}),
			caches.classes.onChange((change) => {
				classChanged(change.object.metadata.name);
				this.#options.written("class", change.object.metadata.name);
				if (!isMeant(change)) return;
				this.#options.classesMeant();
				this.wakeAll();
			}),
			caches.pools.onChange((change) => {
				this.#options.written("pool", change.object.metadata.name);
				if (!isMeant(change)) return;
				poolsChanged();
				this.#wakeWaiting();
			}),
		];
	}

	stop(): void {
		for (const undo of this.#undo) undo();
		this.#undo = [];
	}

	/** Somebody else changed a Service, or the watch tells of our own patch before its answer does. */
	#changed(key: string, old: Service, now: Service): void {
		const { undone: undid, meant, isPatching } = this.#options;
		const { uid = "" } = now.metadata;
		if (isWanted(old, now)) meant(key);
		if (holdingOf(now)) this.#stripped.delete(uid);
		if (isPatching(key)) return;
		if (wasWiped(this.#stripped.get(uid) ?? old, now)) this.#gone(old);
		const lost = undone(old, now);
		if (lost.length === 0) return;
		if (holdingOf(old) && !holdingOf(now)) this.#stripped.set(uid, old);
		undid(key, lost);
	}

	#gone(service: Service): void {
		const { uid = "" } = service.metadata;
		const said = holdingOf(service) ? service : this.#stripped.get(uid);
		this.#stripped.delete(uid);
		this.#options.gone(said ?? service);
	}

	/** Every Service that is, or was, anybody's balancer. */
	wakeAll(): void {
		for (const service of this.#options.caches.services.values())
			if (concerns(service)) this.#options.wake(objectKey(service), "normal");
	}

	/** Many nodes that change at once, as after a relist, are looked at once. */
	#nodesChanged(): void {
		if (this.#looking) return;
		this.#looking = true;
		queueMicrotask(() => {
			this.#looking = false;
			this.#lookAtNodes();
		});
	}

	#lookAtNodes(): void {
		const { caches, wake } = this.#options;
		const targets = balancerTargets(caches.nodes.values());
		if (sameTargets(targets, this.#targets)) return;
		this.#targets = targets;
		for (const service of caches.services.byIndex("balanced", "yes"))
			if (needsTargets(service, caches)) wake(objectKey(service), "normal");
	}

	/** Who gets nothing from the pools as they are now still has to be told why. */
	#wakeWaiting(): void {
		const { caches, wake } = this.#options;
		for (const service of caches.services.byIndex("balanced", "yes"))
			if (waitsForAddress(service)) wake(objectKey(service), "normal");
	}

	#isBalanced(key: string): boolean {
		const service = this.#options.caches.services.get(key);
		return service !== undefined && concerns(service);
	}
}

/** Whether the controller has, or may have left, anything to do with a Service. */
export function concerns(service: Service): boolean {
	const { metadata, spec, status } = service;
	if (spec.type === "LoadBalancer") return true;
	if (metadata.finalizers?.includes(finalizers.classed)) return true;
	const noted = metadata.annotations ?? {};
	if (annotations.provisionedBy in noted || annotations.assigned in noted)
		return true;
	return (status?.conditions ?? []).some(
		(condition) => condition.type === conditions.provisioned,
	);
}

/**
 * Whether somebody replaced a Service as a whole by one of another type that says nothing of what is held for it: with
 * record and finalizer gone, this is the last that is known of its balancer.
 */
function wasWiped(before: Service, now: Service): boolean {
	return (
		now.spec.type !== "LoadBalancer" &&
		holdingOf(before) !== undefined &&
		holdingOf(now) === undefined
	);
}

function waitsForAddress({ status }: Service): boolean {
	return (status?.conditions ?? []).some(
		(each) =>
			each.type === conditions.addressAssigned && each.status === "False",
	);
}

/**
 * Whether somebody wants something else of a Service; what else stands in metadata is asked elsewhere. External IPs that
 * Fairlead assigned come and go without anybody's wish.
 */
function isWanted(old: Service, now: Service): boolean {
	return (
		old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp ||
		old.metadata.annotations?.[annotations.externalIPs] !==
			now.metadata.annotations?.[annotations.externalIPs] ||
		wishesOf(old, [old, now]) !== wishesOf(now, [old, now])
	);
}

function wishesOf({ spec }: Service, versions: readonly Service[]): string {
	if (!spec.externalIPs) return JSON.stringify(spec);
	const assigned = versions.flatMap(
		(each) => externalIPRecordOf(each)?.addresses ?? [],
	);
	const { externalIPs, ...rest } = spec;
	const own = externalIPs.filter(
		(text) => !assigned.includes(canonical([text])[0] ?? text),
	);
	return JSON.stringify(own.length > 0 ? { ...rest, own } : rest);
}

function sameTargets(a: Target[], b: Target[]): boolean {
	return JSON.stringify(a) === JSON.stringify(b);
}

function sameLabels(a: KubeObject, b: KubeObject): boolean {
	return (
		JSON.stringify(a.metadata.labels) === JSON.stringify(b.metadata.labels)
	);
}

/** Whether somebody wants something else now; our own writes to status and finalizers are no such change. */
function isMeant(change: Change<BalancerClass | AddressPool>): boolean {
	if (change.type !== "updated") return true;
	const { old, object } = change;
	return (
		JSON.stringify(old.spec) !== JSON.stringify(object.spec) ||
		old.metadata.deletionTimestamp !== object.metadata.deletionTimestamp
	);
}

function classesOf(service: Service): string[] {
	const held = service.metadata.annotations?.[annotations.provisionedBy];
	return held ? [held.split("/")[0] ?? ""] : [];
}

function needsTargets(service: Service, caches: Caches): boolean {
	return classesOf(service).every((className) => {
		const provider = caches.classes.get(className)?.spec.provider;
		return provider === undefined || providerTraits[provider].needsTargets;
	});
}

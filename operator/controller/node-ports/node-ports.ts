import type { Service } from "../../api/core.ts";
import type { BalancerClass, NodePortPool } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import { annotations, conditions } from "../../api/names.ts";
import type { Clock } from "../../clock.ts";
import type { Change } from "../../cluster/index.ts";
import type { KubeClient } from "../../cluster/kube.ts";
import { type Priority, Workqueue } from "../../cluster/workqueue.ts";
import type { Log } from "../../log.ts";
import type { NodeFacts } from "../../model/nodeports/conflicts.ts";
import { ownsNodePorts } from "../../model/nodeports/field-manager.ts";
import { nodePortsOf } from "../../model/nodeports/overview.ts";
import { inRange, type PortRange } from "../../model/nodeports/port-range.ts";
import type { Caches } from "../caches.ts";
import type { KeyLock } from "../key-lock.ts";
import { ClassRelease } from "./class-release.ts";
import { Ledger } from "./ledger.ts";
import { Placeholders } from "./placeholders.ts";
import { PoolRecords } from "./pool-records.ts";
import { Releases } from "./releases.ts";
import { ServicePorts } from "./service-ports.ts";
import { type PortUsage, portUsage } from "./usage.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface NodePortsOptions {
	client: KubeClient;
	/** Complete. */
	caches: Caches;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Where placeholders live: Fairlead's own. */
	namespace: string;
	/** The API server's --service-node-port-range. */
	range: PortRange;
	/** Whoever writes a Service holds it. */
	writing: KeyLock;
	/** What agents report of their nodes, and how to hear that it changed. */
	facts: {
		values: () => Iterable<NodeFacts>;
		onChange: (listener: () => void) => () => void;
	};
}

/** Counts of a pool, and placeholders of ports that became free, are written this long after a change, with all others. */
const settleMs = 500;
/** Reports of agents are compared at most this often. */
const reportsMs = 1_000;
/** Enough to keep writes in flight; the queue of balancers is what most Services wait for. */
const workers = 4;

/**
 * NodePorts beyond what the API server does by itself: ports that Services ask for or get from pools, placeholders for
 * those nobody has yet, NodePorts given back where a class does without, and what on the nodes clashes.
 */
export class NodePorts {
	readonly #options: NodePortsOptions;
	readonly #queue: Workqueue;
	readonly #ledger: Ledger;
	readonly #placeholders: Placeholders;
	readonly #records: PoolRecords;
	readonly #releases: Releases;
	readonly #services: ServicePorts;
	readonly #line: WaitingLine;
	readonly #classes: ClassRelease;
	#undo: (() => void)[] = [];

	constructor(options: NodePortsOptions) {
		this.#options = options;
		const { client, caches, clock, random, log, namespace, range } = options;
		this.#queue = new Workqueue({ clock, random, log, workers });
		this.#ledger = new Ledger({
			caches,
			clock,
			range,
			namespace,
			facts: options.facts.values,
		});
		const ledger = this.#ledger;
		this.#placeholders = new Placeholders({
			client,
			caches,
			ledger,
			namespace,
			range,
			troubleChanged: (pool) => this.#poolChanged(pool),
		});
		this.#records = new PoolRecords({
			client,
			caches,
			ledger,
			placeholders: this.#placeholders,
			clock,
		});
		this.#releases = new Releases(client, caches);
		this.#classes = new ClassRelease({ client, caches, clock });
		this.#line = new WaitingLine(({ pool, ports }, port) => {
			const reserved =
				pool === undefined ? undefined : ledger.pool(pool)?.range;
			if (ports?.includes(port)) return true;
			return reserved !== undefined && inRange(reserved, port);
		});
		this.#services = new ServicePorts({
			client,
			caches,
			ledger,
			placeholders: this.#placeholders,
			records: this.#records,
			releases: this.#releases,
			clock,
			range,
			poolChanged: (pool) => this.#poolChanged(pool),
			line: this.#line,
			freed: (port) => this.#offer(port),
		});
	}

	/** For metrics. */
	get usage(): PortUsage {
		const { range, caches } = this.#options;
		return portUsage(this.#ledger, caches.services.values(), range);
	}

	/** Whether a change of this Service may be the effect of an own write to its condition. */
	isSaying(key: string): boolean {
		return this.#services.isSaying(key);
	}

	start(): void {
		const { caches, facts, clock } = this.#options;
		this.#undo = [
			caches.services.onChange((change) => this.#serviceChanged(change)),
			caches.nodePortPools.onChange((change) => this.#poolEdited(change)),
			caches.classes.onChange((change) => {
				if (!isMeant(change)) return;
				this.#queue.add(`class ${change.object.metadata.name}`);
				this.#wakeAll();
			}),
			caches.namespaces.onChange((change) => {
				if (this.#ledger.pools.length === 0 || sameLabels(change)) return;
				this.#wakeAll(
					({ namespace }) => namespace === change.object.metadata.name,
				);
			}),
			facts.onChange(() => this.#queue.addAfter("reports", reportsMs)),
		];
		const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
		this.#ledger.releaseGone(now);
		this.#poolsChanged();
		this.#wakeAll();
		for (const name of caches.classes.keys()) this.#queue.add(`class ${name}`);
		this.#queue.run((key) => this.#handle(key));
	}

	async stop(deadlineMs: number): Promise<void> {
		for (const undo of this.#undo) undo();
		this.#undo = [];
		await this.#queue.drain(deadlineMs);
	}

	async #handle(key: string): Promise<void | { retryAfterMs?: number }> {
		const space = key.indexOf(" ");
		const [kind, name] =
			space < 0 ? [key, ""] : [key.slice(0, space), key.slice(space + 1)];
		switch (kind) {
			case "service":
				return this.#syncService(name);
			case "pool":
				return this.#records.save(name);
			case "placeholder":
				return this.#placeholders.sync(name);
			case "class":
				return this.#classes.sync(name);
			default:
				return this.#reportsChanged();
		}
	}

	async #syncService(key: string): Promise<{ retryAfterMs?: number }> {
		try {
			return await this.#options.writing.run(key, () =>
				this.#services.sync(key),
			);
		} finally {
			const isFree = (port: number) => this.#ledger.holder(port) === undefined;
			for (const next of this.#line.looked(key, isFree))
				this.#wake(next, "high");
		}
	}

	#serviceChanged(change: Change<Service>): void {
		const { object } = change;
		const before =
			change.type === "added"
				? undefined
				: change.type === "updated"
					? change.old
					: object;
		const now = change.type === "deleted" ? undefined : object;
		if (this.#ledger.isPlaceholder(object)) {
			// Somebody else's change of it is undone; our own finds nothing to do.
			this.#queue.add(`placeholder ${object.metadata.name}`);
			return;
		}
		if (!now) this.#releases.forget(object.metadata.uid);
		if ((now && this.#concerns(now)) || (before && this.#concerns(before)))
			this.#wake(objectKey(object), "high");
		const had = before ? nodePortsOf(before) : [];
		const has = now ? nodePortsOf(now) : [];
		for (const port of had)
			if (!has.includes(port)) this.#portMoved(port, true);
		for (const port of has)
			if (!had.includes(port)) this.#portMoved(port, false);
	}

	/** Whether there is, or may have been, anything to do for a Service; cheap, for it is asked at every change. */
	#concerns(service: Service): boolean {
		const { metadata, spec, status } = service;
		const noted = metadata.annotations ?? {};
		if (annotations.nodePorts in noted || ownsNodePorts(service)) return true;
		const { type } = spec;
		const takesPorts = type === "NodePort" || type === "LoadBalancer";
		if (takesPorts && this.#ledger.pools.length > 0) return true;
		if (this.#ledger.book.of(objectKey(service))) return true;
		if (this.#ledger.clashesOf(service).length > 0) return true;
		if (this.#releases.concerns(service)) return true;
		return (status?.conditions ?? []).some(
			(condition) => condition.type === conditions.nodePorts,
		);
	}

	/** A port found or lost its Service: placeholders, counts, and who waits for it. */
	#portMoved(port: number, free: boolean): void {
		for (const { name, range } of this.#ledger.pools)
			if (range && inRange(range, port)) this.#poolChanged(name);
		for (const name of this.#placeholders.around(port))
			this.#queue.addAfter(`placeholder ${name}`, settleMs);
		if (free) this.#offer(port);
	}

	#offer(port: number): void {
		const key = this.#line.offer(port);
		if (key !== undefined) this.#wake(key, "high");
	}

	#poolEdited(change: Change<NodePortPool>): void {
		if (!isMeant(change)) {
			// Our own write, or somebody wrote over it: what it should say is compared with what it says.
			this.#poolChanged(change.object.metadata.name);
			return;
		}
		this.#ledger.readPools();
		this.#poolsChanged();
		this.#wakeAll();
	}

	#poolsChanged(): void {
		for (const name of this.#placeholders.readPools())
			this.#queue.add(`placeholder ${name}`);
		for (const { name } of this.#ledger.pools) this.#poolChanged(name);
	}

	#poolChanged(name: string): void {
		this.#queue.addAfter(`pool ${name}`, settleMs);
	}

	async #reportsChanged(): Promise<void> {
		const { caches } = this.#options;
		const changed = this.#ledger.readFacts();
		for (const { name } of this.#ledger.pools) this.#poolChanged(name);
		for (const port of changed) {
			for (const service of caches.services.byIndex("node port", String(port)))
				this.#wake(objectKey(service), "normal");
		}
		if (changed.length > 0)
			for (const key of this.#line.forPools()) this.#wake(key, "normal");
	}

	#wake(key: string, priority: Priority): void {
		this.#queue.add(`service ${key}`, priority);
	}

	#wakeAll(
		wanted: (metadata: Service["metadata"]) => boolean = () => true,
	): void {
		for (const service of this.#options.caches.services.values())
			if (wanted(service.metadata) && this.#concerns(service))
				this.#wake(objectKey(service), "normal");
	}
}

/** Whether somebody wants something else now; our own writes to status and finalizers are no such change. */
function isMeant(change: Change<BalancerClass | NodePortPool>): boolean {
	return (
		change.type !== "updated" ||
		JSON.stringify(change.old.spec) !== JSON.stringify(change.object.spec)
	);
}

function sameLabels(
	change: Change<{ metadata: Service["metadata"] }>,
): boolean {
	return (
		change.type === "updated" &&
		JSON.stringify(change.old.metadata.labels) ===
			JSON.stringify(change.object.metadata.labels)
	);
}

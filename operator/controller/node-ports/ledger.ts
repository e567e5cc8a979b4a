import type { Service } from "../../api/core.ts";
import type { NodePortConflict } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import type { Clock } from "../../clock.ts";
import type { NodeFacts } from "../../model/nodeports/conflicts.ts";
import { nodeConflicts } from "../../model/nodeports/conflicts.ts";
import { nodePortsOf } from "../../model/nodeports/overview.ts";
import { isPlaceholder } from "../../model/nodeports/placeholders.ts";
import type { Ground } from "../../model/nodeports/placing.ts";
import { nameOf } from "../../model/nodeports/plan.ts";
import { PortBook } from "../../model/nodeports/port-book.ts";
import { inRange, type PortRange } from "../../model/nodeports/port-range.ts";
import { type PortPool, readPortPools } from "../../model/nodeports/pools.ts";
import type { Caches } from "../caches.ts";

export interface LedgerOptions {
	caches: Caches;
	clock: Clock;
	/** The API server's NodePorts. */
	range: PortRange;
	/** Where placeholders live. */
	namespace: string;
	facts: () => Iterable<NodeFacts>;
}

/** How long a port counts as taken, at most, that the API server refused though no Service in the cache holds it. */
const suspectMs = 30_000;

/** What is known of NodePorts: pools, records, who holds what, and what on the nodes clashes. */
export class Ledger {
	readonly book = new PortBook();
	readonly #options: LedgerOptions;
	#pools: PortPool[] = [];
	#conflicts: NodePortConflict[] = [];
	#clashing = new Map<number, NodePortConflict[]>();
	readonly #suspects = new Map<number, { until: number; times: number }>();

	constructor(options: LedgerOptions) {
		this.#options = options;
		this.readPools();
		this.readFacts();
	}

	/** By name. */
	get pools(): readonly PortPool[] {
		return this.#pools;
	}

	pool(name: string): PortPool | undefined {
		return this.#pools.find((pool) => pool.name === name);
	}

	/** What on the nodes clashes with NodePorts of a range; the ephemeral range is told as it overlaps that one. */
	conflictsIn(range: PortRange): NodePortConflict[] {
		return nodeConflicts(this.#options.facts(), range, (port) =>
			this.#isHealthCheck(port),
		);
	}

	/** How many findings of each kind there are in the whole range. */
	get conflicts(): readonly NodePortConflict[] {
		return this.#conflicts;
	}

	readPools(): void {
		const { caches, range } = this.#options;
		const objects = [...caches.nodePortPools.values()].sort((a, b) =>
			a.metadata.name < b.metadata.name ? -1 : 1,
		);
		for (const { name } of this.#pools)
			if (!caches.nodePortPools.has(name)) this.book.forget(name);
		this.#pools = readPortPools(objects, range);
		for (const { metadata, status } of objects)
			this.book.load(metadata.name, status?.assigned ?? []);
	}

	/** Reads what the agents report anew; returns the ports whose clashes changed. */
	readFacts(): number[] {
		const { facts, range } = this.#options;
		this.#conflicts = nodeConflicts(facts(), range, (port) =>
			this.#isHealthCheck(port),
		);
		const before = this.#clashing;
		this.#clashing = new Map();
		for (const conflict of this.#conflicts) {
			if (conflict.kind === "EphemeralRange") continue;
			const known = this.#clashing.get(conflict.port) ?? [];
			this.#clashing.set(conflict.port, [...known, conflict]);
		}
		const changed = new Set([...before.keys(), ...this.#clashing.keys()]);
		return [...changed].filter(
			(port) =>
				JSON.stringify(before.get(port)) !==
				JSON.stringify(this.#clashing.get(port)),
		);
	}

	/** What clashes with the NodePorts a Service has, protocols included. */
	clashesOf(service: Service): NodePortConflict[] {
		if (this.#clashing.size === 0) return [];
		return (service.spec.ports ?? []).flatMap(
			({ nodePort = 0, protocol = "TCP" }) =>
				(this.#clashing.get(nodePort) ?? []).filter(
					(conflict) => conflict.protocol === protocol,
				),
		);
	}

	#isHealthCheck(port: number): boolean {
		return this.#holders(port).some(
			({ spec }) => spec.healthCheckNodePort === port,
		);
	}

	/** Services that hold a port; placeholders are not among them. */
	#holders(port: number): Service[] {
		return this.#options.caches.services
			.byIndex("node port", String(port))
			.filter((service) => !this.isPlaceholder(service));
	}

	isPlaceholder(service: Service): boolean {
		return (
			service.metadata.namespace === this.#options.namespace &&
			isPlaceholder(service)
		);
	}

	/** `namespace/name` of who holds a port, or lives and has it recorded. */
	holder(port: number): string | undefined {
		const [held] = this.#holders(port);
		if (held) return nameOf(held);
		const claim = this.book.claimant(port);
		return claim?.released === undefined ? claim?.service : undefined;
	}

	/**
	 * The API server says somebody has it, and the cache knows nobody. Returns the milliseconds it counts as taken: few at
	 * first, since the API server tells of a deleted Service before it frees the ports of it.
	 */
	suspect(port: number): number {
		const times = (this.#suspects.get(port)?.times ?? 0) + 1;
		const ms = Math.min(500 * 2 ** times, suspectMs);
		const until = this.#options.clock.monotonic() + ms;
		this.#suspects.set(port, { until, times });
		return ms;
	}

	isSuspect(port: number): boolean {
		return this.suspectedMs(port) > 0;
	}

	/** Milliseconds it still counts as taken because the API server said so; 0: it does not. */
	suspectedMs(port: number): number {
		const { until = 0 } = this.#suspects.get(port) ?? {};
		return Math.max(0, until - this.#options.clock.monotonic());
	}

	/** The API server gave it. */
	trust(port: number): void {
		this.#suspects.delete(port);
	}

	readonly ground: Ground = {
		holder: (port) => this.holder(port),
		keptSince: (port) => this.book.claimant(port)?.released,
		blocked: (port) => this.#clashing.has(port) || this.isSuspect(port),
	};

	/** Ports of a range that Services hold. */
	used(range: PortRange): number {
		let used = 0;
		for (let port = range.first; port <= range.last; port++)
			if (this.#holders(port).length > 0) used++;
		return used;
	}

	/** Records of Services that no longer exist, as after a restart: their ports are kept. Returns the changed pools. */
	releaseGone(now: string): string[] {
		const { caches } = this.#options;
		return this.#pools.flatMap(({ name }) =>
			this.book
				.assigned(name)
				.filter(
					({ service, released }) =>
						released === undefined && !caches.services.has(service),
				)
				.flatMap(({ service }) => this.book.release(service, now)),
		);
	}

	/** Whether a pool's range holds one of a Service's ports. */
	touches(pool: PortPool, service: Service): boolean {
		const { range } = pool;
		return (
			range !== undefined &&
			nodePortsOf(service).some((port) => inRange(range, port))
		);
	}

	labelsOf(namespace: string): Record<string, string> {
		return (
			this.#options.caches.namespaces.get(namespace)?.metadata.labels ?? {}
		);
	}

	/** Services that hold ports of a range, each once. */
	servicesIn(range: PortRange): Service[] {
		const found = new Map<string, Service>();
		for (let port = range.first; port <= range.last; port++)
			for (const service of this.#holders(port))
				found.set(objectKey(service), service);
		return [...found.values()];
	}
}

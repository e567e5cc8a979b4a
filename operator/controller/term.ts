import type { Service } from "../api/core.ts";
import { objectKey } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import type { EventRecorder } from "../cluster/events.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";
import type { Fence } from "../cluster/lease.ts";
import { Workqueue } from "../cluster/workqueue.ts";
import type { Log } from "../log.ts";
import type { Announcement } from "../model/next-step.ts";
import type { PortRange } from "../model/nodeports/port-range.ts";
import type { OrphanPolicy } from "../model/orphans/orphans.ts";
import type { Provider } from "../providers/provider.ts";
import { Addresses } from "./addresses.ts";
import type { Agents } from "./agents/agents.ts";
import { ProgrammingWatch } from "./agents/programming-watch.ts";
import { audit } from "./audit.ts";
import type { Caches } from "./caches.ts";
import { ClassGuard } from "./class-guard.ts";
import { ClassStatus } from "./classes/class-status.ts";
import { ExternalIPs } from "./external-ips/external-ips.ts";
import { fencedClient } from "./fenced-client.ts";
import { GoneServices } from "./gone-services.ts";
import type { ControllerMetrics } from "./metrics.ts";
import { KeyLock } from "./key-lock.ts";
import { NodePorts } from "./node-ports/node-ports.ts";
import type { PortUsage } from "./node-ports/usage.ts";
import { OrphanCollector } from "./orphans/orphan-collector.ts";
import { PoolStatus } from "./pool-status.ts";
import { ProviderCalls } from "./provider-calls.ts";
import {
	createProvider,
	ProviderRegistry,
	readToken,
} from "./provider-registry.ts";
import { Repairs } from "./repairs.ts";
import { Reservations } from "./reservations/reservations.ts";
import { ServiceSync } from "./service-sync.ts";
import { Triggers } from "./triggers.ts";

export interface TermOptions {
	client: KubeClient;
	/** Complete. */
	caches: Caches;
	agents: Agents;
	events: EventRecorder;
	metrics: ControllerMetrics;
	clock: Clock;
	random: () => number;
	log: Log;
	clusterId: string;
	workers: number;
	/** Fairlead's own. */
	namespace: string;
	/** The API server's --service-node-port-range. */
	nodePortRange: PortRange;
	orphans: OrphanPolicy;
	/** Throws once the term is over; asked before every write. */
	fence: Fence;
	/** Replaced in tests of the term alone. */
	createProvider?: typeof createProvider;
}

/** What the controller does while it leads: everything it believes beyond the caches begins and ends with the term. */
export class Term {
	readonly #options: TermOptions;
	readonly #queue: Workqueue;
	readonly #classes: Workqueue;
	readonly #calls: ProviderCalls;
	readonly #providers: ProviderRegistry;
	readonly #triggers: Triggers;
	readonly #addresses: Addresses;
	readonly #reservations: Reservations;
	readonly #externalIPs: ExternalIPs;
	readonly #programming: ProgrammingWatch;
	readonly #poolStatus: PoolStatus;
	readonly #classStatus: ClassStatus;
	readonly #repairs: Repairs;
	readonly #nodePorts: NodePorts;
	/** By Service. */
	readonly #writing = new KeyLock();
	readonly #orphans: OrphanCollector;
	/** Throws once the term is over. */
	readonly #provider: (className: string) => Promise<Provider>;
	#auditing: Promise<void> | undefined;
	readonly #ending = new AbortController();

	constructor(options: TermOptions) {
		this.#options = options;
		const { caches, clock, random, log, clusterId, fence, metrics } = options;
		const client = fencedClient(options.client, fence);
		const queueOptions = { clock, random, log };
		this.#queue = new Workqueue({
			...queueOptions,
			workers: options.workers,
			onFinished: (_key, tookMs, outcome) =>
				metrics.syncSeconds.observe({ outcome }, tookMs / 1000),
		});
		this.#classes = new Workqueue({ ...queueOptions, workers: 1 });
		const classStatus = new ClassStatus({
			client,
			caches,
			clock,
			random,
			log,
			checkToken: async ({ spec }) => {
				if (spec.hetznerCloud)
					await readToken(spec.hetznerCloud.tokenSecretRef, client);
			},
		});
		this.#classStatus = classStatus;
		this.#providers = new ProviderRegistry({
			client,
			caches,
			clock,
			random,
			log,
			clusterId,
			create: async (found, made) =>
				classStatus.watching(
					found.metadata.name,
					await (options.createProvider ?? createProvider)(found, made),
				),
		});
		this.#provider = (className) => {
			fence();
			return this.#providers.of(className);
		};
		this.#orphans = new OrphanCollector({
			client,
			clock,
			log,
			metrics,
			clusterId,
			policy: options.orphans,
			provider: this.#provider,
		});
		this.#calls = new ProviderCalls({
			clock,
			random,
			log,
			provider: this.#provider,
			wake: (key) => this.#queue.add(key, "high"),
			failed: (code) => metrics.providerFailures.inc({ code }),
		});
		this.#nodePorts = new NodePorts({
			client,
			caches,
			clock,
			random,
			log,
			namespace: options.namespace,
			range: options.nodePortRange,
			writing: this.#writing,
			facts: {
				values: () => options.agents.reports(),
				onChange: (listener) => options.agents.onReports(listener),
			},
		});
		this.#repairs = new Repairs({
			clock,
			log,
			wake: (key) => {
				this.#queue.add(key, "normal");
				this.#externalIPs.wake(key);
			},
		});
		const addresses = new Addresses({
			caches,
			clock,
			wake: (key) => this.#queue.add(key, "high"),
			wakeExternal: (key) => this.#externalIPs.wake(key),
			changed: () => {
				this.#poolStatus.changed();
				this.#reservations.addressesChanged();
			},
			write: (pool) => this.#poolStatus.written(pool),
		});
		this.#addresses = addresses;
		this.#reservations = new Reservations({
			client,
			caches,
			addresses,
			clock,
			random,
			log,
		});
		this.#externalIPs = new ExternalIPs({
			client,
			caches,
			addresses,
			writing: this.#writing,
			repairs: this.#repairs,
			clock,
			random,
			log,
			announce: (service, event) => this.#announce(service, event),
			leftOutChanged: () => this.#poolStatus.changed(),
		});
		this.#poolStatus = new PoolStatus({
			client,
			caches,
			factsOf: (pool) => {
				const facts = addresses.factsOf(pool);
				return (
					facts && { ...facts, leftOut: this.#externalIPs.isLeftOut(pool) }
				);
			},
			clock,
			random,
			log,
		});
		const gone = new GoneServices({
			calls: this.#calls,
			clusterId,
			classOf: (className) => caches.classes.get(className),
			released: (className) => this.#classes.add(className),
		});
		const guard = new ClassGuard(client, caches, (className) =>
			gone.holds(className),
		);
		this.#triggers = new Triggers({
			caches,
			wake: (key, priority) => this.#queue.add(key, priority),
			gone: (service) => {
				addresses.release(service);
				this.#repairs.drop(objectKey(service));
				const key = gone.add(service);
				if (key) this.#queue.add(key, "high");
			},
			classChanged: (className) => {
				this.#classes.add(className);
				// Who still holds something through it matters only to one that is to go.
				if (caches.classes.get(className)?.metadata.deletionTimestamp)
					classStatus.changed(className);
			},
			classesMeant: () => classStatus.allChanged(),
			poolsChanged: () => {
				addresses.poolsChanged();
				this.#reservations.poolsChanged();
			},
			written: (kind, name) =>
				(kind === "class" ? classStatus : this.#poolStatus).changed(name),
			undone: (key, lost) => this.#repairs.undone(key, lost),
			meant: (key) => this.#repairs.meant(key),
			isOwnWrite: (key) => sync.isOwnWrite(key),
			isPatching: (key) =>
				sync.isPatching(key) ||
				this.#externalIPs.isPatching(key) ||
				this.#nodePorts.isSaying(key),
		});
		this.#programming = new ProgrammingWatch({
			agents: options.agents,
			services: caches.services,
			slices: caches.slices,
			clock,
			wake: (key) => this.#queue.add(key, "high"),
			wakeAll: () => this.#triggers.wakeAll(),
		});
		const sync = new ServiceSync({
			programming: this.#programming,
			client,
			caches,
			calls: this.#calls,
			addresses,
			guard,
			repairs: this.#repairs,
			clock,
			clusterId,
			targets: this.#triggers.targets,
			announce: (service, event) => this.#announce(service, event),
		});
		this.#queue.run((key) =>
			gone.has(key)
				? gone.sync(key)
				: this.#writing.run(key, () => sync.sync(key)),
		);
		this.#classes.run((className) => guard.release(className));
	}

	get depth(): { high: number; normal: number } {
		return this.#queue.depth;
	}

	/** Services that wait for nodes, and those of them whose nodes have had their time. */
	get awaitingNodes(): { waiting: number; overdue: number } {
		const { waiting, overdue } = this.#programming;
		return { waiting, overdue };
	}

	get nodePorts(): PortUsage {
		return this.#nodePorts.usage;
	}

	start(): void {
		this.#addresses.start();
		this.#nodePorts.start();
		this.#reservations.start();
		// Before the triggers: a sync that a change wakes must find what that change asks of nodes.
		this.#programming.start();
		this.#triggers.start();
		this.#triggers.wakeAll();
		for (const { metadata } of this.#options.caches.classes.values())
			this.#classes.add(metadata.name);
		this.#externalIPs.start();
		// All that is held back is by now, and the queues begin in a later turn.
		this.#addresses.restore();
		this.#poolStatus.changed();
		this.#classStatus.allChanged();
	}

	/** Compares what the clouds have with what they should have; never fails, what it cannot read it says. */
	async audit(): Promise<void> {
		// One that takes longer than the schedule's pace is not joined by another.
		this.#auditing ??= this.#audit().finally(() => {
			this.#auditing = undefined;
		});
		await this.#auditing;
	}

	async #audit(): Promise<void> {
		const { caches, log, clusterId } = this.#options;
		await audit(
			{
				caches,
				provider: this.#provider,
				orphans: this.#orphans,
				log,
				clusterId,
				lookAgain: () => {
					for (const key of caches.services.keys()) this.#calls.forget(key);
					this.#triggers.wakeAll();
				},
			},
			this.#ending.signal,
		);
	}

	/** Starts nothing more and waits, for at most `deadlineMs`, for what runs. */
	async end(deadlineMs: number): Promise<void> {
		this.#triggers.stop();
		this.#programming.stop();
		this.#repairs.end();
		this.#addresses.stop();
		this.#ending.abort(new Error("the term is over"));
		await Promise.all([
			this.#queue.drain(deadlineMs),
			this.#classes.drain(deadlineMs),
			this.#poolStatus.stop(deadlineMs),
			this.#nodePorts.stop(deadlineMs),
			this.#externalIPs.stop(deadlineMs),
			this.#reservations.stop(deadlineMs),
			this.#classStatus.stop(deadlineMs),
			this.#calls.end(),
			this.#auditing,
		]);
		await this.#providers.close();
	}

	#announce(service: Service, event: Announcement): void {
		const { events, fence } = this.#options;
		const action = "SyncLoadBalancer";
		events.record(resources.services, service, { ...event, action }, fence);
	}
}

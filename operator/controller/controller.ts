import { schedule, type ScheduledTask, validate } from "node-cron";
import type { Registry } from "prom-client";
import { type Clock, sleep } from "../clock.ts";
import { EventRecorder } from "../cluster/events.ts";
import type { KubeClient } from "../cluster/kube.ts";
import { type Fence, LeaseElector } from "../cluster/lease.ts";
import { FairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
	defaultNodePortRange,
	type PortRange,
} from "../model/nodeports/port-range.ts";
import type { OrphanPolicy } from "../model/orphans/orphans.ts";
import { Agents } from "./agents/agents.ts";
import { aborted, firstOf, sayWhatIsAwaited } from "./awaiting.ts";
import { Caches } from "./caches.ts";
import { clusterId } from "./cluster-id.ts";
import { type ControllerMetrics, controllerMetrics } from "./metrics.ts";
import type { createProvider } from "./provider-registry.ts";
import { Term } from "./term.ts";

export interface ControllerOptions {
	client: KubeClient;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	metrics: Registry;
	/** Unique among all replicas. */
	identity: string;
	/** Fairlead's own, where agents keep their Leases; default fairlead-system. */
	namespace?: string;
	/** Compete for Lease `fairlead-controller` in this namespace; undefined: lead without one. */
	leaseNamespace: string | undefined;
	/** The API server's --service-node-port-range; default 30000-32767. */
	nodePortRange?: PortRange;
	/** Undefined: the UID of namespace kube-system. */
	clusterId: string | undefined;
	workers: number;
	/** Cron expression of the audit. */
	auditSchedule: string;
	/** What is done with balancers no Service has; only reported if not given. */
	orphans?: Omit<OrphanPolicy, "explicitClusterId">;
	/** Replaced in tests of the controller alone. */
	createProvider?: typeof createProvider;
}

const drainMs = 10_000;
/** How long a leader that cannot read what it must know keeps others from leading. */
const patienceMs = 60_000;
const noneWait = { waiting: 0, overdue: 0 };
const reportOrphans = { delete: false, graceMs: 600_000, confirmed: 0 };

/** The controller: caches that are always kept true, and a term of work whenever this replica leads. */
export class Controller {
	readonly #options: ControllerOptions;
	readonly #caches: Caches;
	readonly #agents: Agents;
	readonly #events: EventRecorder;
	readonly #metrics: ControllerMetrics;
	readonly #stopping = new AbortController();
	/** None while this replica stands aside. */
	#elector: LeaseElector | undefined;
	#id: Promise<string | undefined> | undefined;
	#idTrouble = "";
	#term: Term | undefined;
	/** Terms begin and end one after the other. */
	#turns: Promise<void> = Promise.resolve();
	#audits: ScheduledTask | undefined;

	constructor(options: ControllerOptions) {
		const { client, clock, random, log, identity } = options;
		this.#options = options;
		if (!validate(options.auditSchedule))
			throw new FairleadError(
				"FlagInvalid",
				`--audit-schedule ${JSON.stringify(options.auditSchedule)}: must be a cron expression, for instance */10 * * * *`,
			);
		if (options.orphans?.delete && options.clusterId === undefined)
			throw new FairleadError(
				"FlagInvalid",
				"--delete-orphans: needs --cluster-id, so that nobody else's balancers are taken for this cluster's; kubectl get namespace kube-system -o jsonpath={.metadata.uid} prints the one used so far",
			);
		this.#caches = new Caches({
			client,
			namespace: options.namespace ?? "fairlead-system",
			clock,
			random,
			log,
		});
		this.#agents = new Agents({
			leases: this.#caches.agentLeases,
			nodes: this.#caches.nodes,
			ask: () => this.#caches.askForAgentLeases(),
			clock,
			log,
		});
		this.#events = new EventRecorder({
			client,
			clock,
			random,
			log,
			instance: identity,
		});
		this.#metrics = controllerMetrics(options.metrics);
		this.#metrics.watch({
			leading: () => this.#term !== undefined,
			queued: () => this.#term?.depth ?? { high: 0, normal: 0 },
			nodePorts: () => this.#term?.nodePorts,
			services: () => this.#caches.services.size,
			eventsDropped: () => this.#events.dropped,
			agents: () => this.#agents.counts(),
			awaitingNodes: () => this.#term?.awaitingNodes ?? noneWait,
		});
	}

	/** Returns at once; whatever cannot be reached is tried for as long as it takes. */
	start(): void {
		this.#caches.start();
		this.#agents.start();
		this.#audits = schedule(this.#options.auditSchedule, () =>
			this.#term?.audit(),
		);
		const { leaseNamespace } = this.#options;
		if (leaseNamespace === undefined)
			this.#begin(this.#stopping.signal, () => {});
		else this.#compete(leaseNamespace);
	}

	#compete(namespace: string): void {
		const { identity, clock, random, log } = this.#options;
		this.#elector = new LeaseElector({
			client: this.#options.client,
			namespace,
			name: "fairlead-controller",
			identity,
			clock,
			random,
			log,
			onStartedLeading: (signal, fence) => this.#begin(signal, fence),
			onStoppedLeading: () => log.info("leads no more"),
		});
		this.#elector.start();
	}

	/** Why the controller cannot do its work at present, one line a reason; empty when it can. */
	notReady(): string[] {
		return [
			...this.#caches.problems(),
			this.#idTrouble,
			this.#elector?.trouble ?? "",
		].filter(Boolean);
	}

	/** Finishes what runs, gives the Lease up, and ends. */
	async stop(): Promise<void> {
		this.#stopping.abort(new Error("the controller is stopping"));
		await this.#audits?.destroy();
		await this.#turns;
		// While it still leads: who has given the Lease up has no more say.
		await this.#events.flush(2_000);
		await this.#elector?.release();
		await this.#turns;
		this.#agents.stop();
		await this.#caches.stop();
		this.#options.client.close();
	}

	/** Works for as long as `lost` is not aborted. */
	#begin(lost: AbortSignal, fence: Fence): void {
		const over = AbortSignal.any([lost, this.#stopping.signal]);
		this.#turns = this.#turns.then(() => this.#serve(over, fence));
	}

	async #serve(over: AbortSignal, fence: Fence): Promise<void> {
		const { client, clock, random, log, workers } = this.#options;
		const id = await this.#takeOver(over);
		if (id === undefined) return;
		this.#term = new Term({
			client,
			caches: this.#caches,
			agents: this.#agents,
			events: this.#events,
			metrics: this.#metrics,
			clock,
			random,
			log,
			clusterId: id,
			workers,
			namespace: this.#options.namespace ?? "fairlead-system",
			nodePortRange: this.#options.nodePortRange ?? defaultNodePortRange,
			orphans: {
				...(this.#options.orphans ?? reportOrphans),
				explicitClusterId: this.#options.clusterId !== undefined,
			},
			fence,
			...(this.#options.createProvider
				? { createProvider: this.#options.createProvider }
				: {}),
		});
		this.#term.start();
		log.info(
			{ clusterId: id, services: this.#caches.services.size },
			"leads: balancers are being looked after",
		);
		await aborted(over);
		await this.#term.end(drainMs);
		this.#term = undefined;
	}

	/** Reads what must be known before anything is done; the cluster's id, or undefined when the term was over first. */
	async #takeOver(over: AbortSignal): Promise<string | undefined> {
		if (over.aborted) return undefined;
		const { clock, log } = this.#options;
		this.#id ??= this.#clusterId();
		const read = Promise.all([this.#id, this.#caches.refresh()]);
		const stopSaying = sayWhatIsAwaited(() => this.#awaited(), clock, log);
		try {
			const limit = this.#elector && { clock, ms: patienceMs };
			const first = await firstOf(read, over, limit);
			if (first === "Late" && !over.aborted) await this.#standAside(read);
			return over.aborted ? undefined : (await read)[0];
		} finally {
			stopSaying();
		}
	}

	/** Ends the term, for another replica may be able to read what this one cannot; competes again once it could. */
	async #standAside(read: Promise<unknown>): Promise<void> {
		const { log, leaseNamespace } = this.#options;
		log.warn(
			`gives the Lease up until it has read ${this.#awaited().join("; ")}`,
		);
		await this.#elector?.release();
		this.#elector = undefined;
		await firstOf(read, this.#stopping.signal);
		if (this.#stopping.signal.aborted || leaseNamespace === undefined) return;
		log.info("all is read: competes for the Lease again");
		this.#compete(leaseNamespace);
	}

	#awaited(): string[] {
		return [...this.#caches.awaited(), this.#idTrouble].filter(Boolean);
	}

	/** It never changes; undefined when the controller was stopped first. */
	async #clusterId(): Promise<string | undefined> {
		const { client, clock, log } = this.#options;
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			try {
				const id = await clusterId(client, this.#options.clusterId);
				this.#idTrouble = "";
				return id;
			} catch (error) {
				// Whoever stops closes the client under this call: no trouble worth a word.
				if (signal.aborted) return undefined;
				const trouble = `cluster id: ${(error as Error).message}`;
				if (trouble !== this.#idTrouble) log.warn(trouble);
				this.#idTrouble = trouble;
				// Only stopping rejects the pause, and the loop's head sees that.
				await sleep(clock, 1_000, signal).catch(() => {});
			}
		}
		return undefined;
	}
}

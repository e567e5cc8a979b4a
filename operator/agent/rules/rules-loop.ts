import type { EndpointSlice, Node, Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import type { Cancel, Clock } from "../../clock.ts";
import { backoffMs } from "../../cluster/backoff.ts";
import type { Change, Store } from "../../cluster/index.ts";
import type { Log } from "../../log.ts";
import { RulesCompiler } from "../../model/rules/compiler.ts";
import type { RulesBackend } from "../../model/rules/program.ts";
import { isEmpty } from "../../model/rules/program-change.ts";
import { type NodeSettings, rulesNode } from "../../model/rules/rules-node.ts";
import type { AgentMetrics } from "../metrics.ts";
import type { AgentStores } from "../stores.ts";
import { followPolicy } from "./external-ip-policy.ts";
import { type AgentIncident, Incidents } from "./incidents.ts";
import { ProgrammingLatency } from "./programming-latency.ts";
import { RulesWriter } from "./rules-writer.ts";
import { reflects, type Watermark } from "../../model/watermark.ts";

/** Milliseconds. */
export const rulesLoopDefaults = {
	/**
	 * Least time from one sync to the next. The first change after a pause is written at once; of a burst (a rolling update is
	 * hundreds of slices a second) at most a hundred transactions a second are made, each well under a millisecond, while no
	 * client can tell a rule that is 10 ms old from a new one.
	 */
	batchMs: 10,
	/** All rules are written anew this often, as kube-proxy does (pkg/proxy/util, FullSyncPeriod). */
	resyncMs: 3_600_000,
	/** How often it is asked whether somebody else changed the rules: one question to the kernel, a microsecond. */
	driftMs: 250,
	backoffBaseMs: 50,
	backoffCapMs: 30_000,
};

export interface RulesLoopOptions {
	/** Name of this node. */
	node: string;
	stores: AgentStores;
	backend: RulesBackend;
	settings: NodeSettings;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	metrics: AgentMetrics;
	/** Told once when it begins, not again and again. */
	tell: (incident: AgentIncident) => void;
	/** Called after every sync that succeeded. */
	onSynced: () => void;
	tuning?: Partial<typeof rulesLoopDefaults>;
}

/**
 * Keeps this node's rules true to Services, EndpointSlices and its Node. Writes nothing before all three are complete: an
 * agent that starts while a list is late must not take away the rules its predecessor left.
 */
export class RulesLoop {
	/** Resolves when the rules first reflect the cluster; stays pending if the loop is stopped before. */
	readonly synced: Promise<void>;
	readonly #options: RulesLoopOptions;
	readonly #tuning: typeof rulesLoopDefaults;
	readonly #compiler: RulesCompiler;
	readonly #writer: RulesWriter;
	readonly #incidents: Incidents;
	readonly #latency: ProgrammingLatency;
	#resolveSynced: () => void = () => {};
	#unsubscribe: (() => void)[] = [];
	#stopped = false;
	#complete = false;
	/** Why all rules must be written anew; undefined: only what changed. */
	#fullBecause: string | undefined = "start";
	#failures = 0;
	/** Monotonic: when the oldest change came that is not in force yet. */
	#queuedAt: number | undefined;
	#lastSyncAt = Number.NEGATIVE_INFINITY;
	#cancelSync: Cancel | undefined;
	#cancelDrift: Cancel = () => {};
	#cancelResync: Cancel = () => {};
	#watermark: Watermark | undefined;
	#waiting: { asked: Partial<Watermark>; resolve: () => void }[] = [];

	constructor(options: RulesLoopOptions) {
		this.#options = options;
		this.#tuning = { ...rulesLoopDefaults, ...options.tuning };
		const { node, settings, backend, log, tell, clock, metrics } = options;
		this.#compiler = new RulesCompiler(
			rulesNode({ metadata: { name: node } }, settings),
		);
		backend.onTrouble = (error) =>
			log.warn(
				{ err: error },
				"the rules are in force, but flows and clients that they left behind are not all forgotten; the next full write tries again",
			);
		this.#writer = new RulesWriter(backend);
		this.#incidents = new Incidents(log, tell);
		this.#latency = new ProgrammingLatency(clock, metrics.programmingSeconds);
		this.synced = new Promise((resolve) => {
			this.#resolveSynced = resolve;
		});
	}

	start(): void {
		void this.#options.stores.synced.then(() => this.#begin());
	}

	/** What is in force on this node. */
	get program() {
		return this.#writer.inForce;
	}

	/** Milliseconds for which a change has waited; 0 when everything is in force. */
	get lateMs(): number {
		return this.#queuedAt === undefined
			? 0
			: this.#options.clock.monotonic() - this.#queuedAt;
	}

	get pending(): number {
		return this.#compiler.pending;
	}

	get refused(): ReadonlyMap<string, string> {
		return this.#writer.refused;
	}

	/** Why rules cannot be written at present. */
	get trouble(): string | undefined {
		if (!this.#complete) return "rules: nothing is read yet";
		return this.#incidents.trouble;
	}

	/** How far the rules reflect the cluster; undefined before the first sync. */
	get watermark(): Watermark | undefined {
		// With nothing left to do, what the caches say is what the rules say.
		const clean = this.#queuedAt === undefined && this.#watermark !== undefined;
		return clean ? this.#versions() : this.#watermark;
	}

	/** Resolves when the rules reflect these resourceVersions. */
	async reached(asked: Partial<Watermark>): Promise<void> {
		// A cache tells its listeners one after the other: whoever asks may have been told before this loop was.
		await Promise.resolve();
		await new Promise<void>((resolve) => {
			this.#waiting.push({ asked, resolve });
			this.#wake();
		});
	}

	/** The guard of the rules could not be renewed: writing everything sets it, or shows what the matter is. */
	guardFailed(error: Error): void {
		this.#options.log.warn(
			{ err: error },
			"the guard of the rules cannot be renewed; writing all rules anew",
		);
		this.#fullBecause ??= "failure";
		this.#queue();
	}

	problems(serviceKey: string): string[] {
		const refused = this.#writer.refused.get(serviceKey);
		return [
			...this.#compiler.problems(serviceKey),
			...(refused === undefined ? [] : [`the kernel refuses it: ${refused}`]),
		];
	}

	get healthChecks(): RulesCompiler["healthChecks"] {
		return this.#compiler.healthChecks;
	}

	/** Ends without touching the rules: connections go on through an upgrade. */
	stop(): void {
		if (this.#stopped) return;
		this.#stopped = true;
		this.#cancelSync?.();
		this.#cancelDrift();
		this.#cancelResync();
		for (const each of this.#unsubscribe) each();
		this.#writer.close();
	}

	#begin(): void {
		if (this.#stopped) return;
		const { services, endpointSlices, nodes, externalIPs } =
			this.#options.stores;
		const { metrics } = this.#options;
		if (externalIPs)
			this.#unsubscribe.push(
				followPolicy(externalIPs, this.#compiler, () => this.#queue()),
			);
		const follow = <T extends Service | EndpointSlice | Node>(
			store: Store<T>,
			take: (change: Change<T>) => void,
			concerns: (object: T) => boolean = () => true,
		) => {
			const heard = (change: Change<T>) => {
				if (!concerns(change.object)) return;
				take(change);
				this.#queue();
			};
			for (const object of store.values()) heard({ type: "added", object });
			this.#unsubscribe.push(store.onChange(heard));
		};
		follow(
			nodes,
			(change) => this.#takeNode(change),
			({ metadata }) => metadata.name === this.#options.node,
		);
		follow(services, ({ type, object }) => {
			metrics.serviceChanges.inc();
			if (type === "deleted") this.#compiler.removeService(objectKey(object));
			else this.#compiler.setService(object);
		});
		follow(endpointSlices, (change) => {
			metrics.endpointChanges.inc();
			const { type, object } = change;
			if (type === "deleted") this.#compiler.removeSlice(objectKey(object));
			else this.#compiler.setSlice(object);
			if (type === "deleted") this.#latency.gone(object);
			else this.#latency.changed(object);
		});
		this.#complete = true;
		this.#watchDrift();
		this.#scheduleResync();
		this.#queue();
	}

	#takeNode({ type, object }: Change<Node>): void {
		const { settings } = this.#options;
		// A Node that is deleted and made anew keeps its machine; until then it is described as before.
		if (type !== "deleted") this.#compiler.setNode(rulesNode(object, settings));
	}

	#queue(): void {
		const { clock, metrics } = this.#options;
		metrics.lastQueued.set(clock.now() / 1000);
		this.#queuedAt ??= clock.monotonic();
		if (this.#cancelSync) return;
		const since = clock.monotonic() - this.#lastSyncAt;
		this.#syncIn(Math.max(0, this.#tuning.batchMs - since));
	}

	/** Not before what is being told now has been told to the end: a list of thousands of changes is one sync. */
	#syncIn(ms: number): void {
		this.#cancelSync?.();
		this.#cancelSync = this.#options.clock.after(ms, () => {
			this.#cancelSync = undefined;
			this.#sync();
		});
	}

	#sync(): void {
		const { clock, metrics, random, log } = this.#options;
		const began = clock.monotonic();
		const versions = this.#versions();
		const full = this.#fullBecause ?? this.#drifted();
		try {
			const change = this.#compiler.take();
			const { program } = this.#compiler;
			if (full !== undefined) this.#commit(() => this.#writer.replace(program));
			else if (!isEmpty(change))
				this.#commit(() => this.#writer.write(change, program));
		} catch (error) {
			this.#fullBecause = "failure";
			metrics.syncFailures.inc();
			// A change that does not fit is put right by writing everything; only if that fails is it trouble.
			if (full === undefined) {
				log.warn(
					{ err: error },
					"a change does not fit; writing all rules anew",
				);
				return this.#syncIn(0);
			}
			this.#failures++;
			this.#incidents.failed(error as Error);
			const { backoffBaseMs: baseMs, backoffCapMs: capMs } = this.#tuning;
			return this.#syncIn(backoffMs({ baseMs, capMs }, this.#failures, random));
		} finally {
			this.#lastSyncAt = clock.monotonic();
			this.#observe((this.#lastSyncAt - began) / 1000, full !== undefined);
		}
		this.#failures = 0;
		this.#fullBecause = undefined;
		this.#queuedAt = undefined;
		this.#watermark = versions;
		metrics.lastSync.set(clock.now() / 1000);
		this.#incidents.succeeded(this.#writer.refused);
		this.#latency.inForce();
		this.#resolveSynced();
		this.#wake();
		this.#options.onSynced();
	}

	#commit(hand: () => void): void {
		const { clock, metrics } = this.#options;
		const began = clock.monotonic();
		hand();
		metrics.commitSeconds.observe((clock.monotonic() - began) / 1000);
	}

	#observe(seconds: number, full: boolean): void {
		const { metrics } = this.#options;
		metrics.syncSeconds.observe(seconds);
		(full ? metrics.fullSyncSeconds : metrics.partialSyncSeconds).observe(
			seconds,
		);
	}

	#versions(): Watermark {
		const { services, endpointSlices } = this.#options.stores;
		return {
			services: services.resourceVersion ?? "0",
			endpointSlices: endpointSlices.resourceVersion ?? "0",
		};
	}

	#wake(): void {
		const reached = this.watermark;
		this.#waiting = this.#waiting.filter(({ asked, resolve }) => {
			if (!reflects(reached, asked)) return true;
			resolve();
			return false;
		});
	}

	#watchDrift(): void {
		const { clock } = this.#options;
		this.#cancelDrift = clock.after(this.#tuning.driftMs, () => {
			this.#watchDrift();
			const drifted = this.#fullBecause === undefined && this.#drifted();
			// A bookmark moves the watermark, and nobody is told of it.
			this.#wake();
			if (!drifted) return;
			this.#fullBecause = drifted;
			this.#queuedAt ??= clock.monotonic();
			this.#syncIn(0);
		});
	}

	/** Asks whether somebody else changed the rules, and says so. */
	#drifted(): "drift" | "failure" | undefined {
		let what: string | undefined;
		try {
			what = this.#writer.drift();
		} catch (error) {
			this.#options.log.warn(
				{ err: error },
				"it cannot be seen whether somebody changed the rules; writing them anew",
			);
			return "failure";
		}
		if (what === undefined) return undefined;
		this.#options.metrics.drift.inc();
		this.#incidents.drifted(what);
		return "drift";
	}

	#scheduleResync(): void {
		const { clock, random } = this.#options;
		const { resyncMs } = this.#tuning;
		// Nodes that started together need not resync together.
		const ms = resyncMs * (0.9 + 0.2 * random());
		this.#cancelResync = clock.after(ms, () => {
			this.#scheduleResync();
			this.#fullBecause ??= "schedule";
			this.#queue();
		});
	}
}

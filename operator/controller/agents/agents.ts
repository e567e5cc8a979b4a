import type { Lease, Node } from "../../api/core.ts";
import { agentAnnotations, agentLease } from "../../api/names.ts";
import type { Cancel, Clock } from "../../clock.ts";
import type { Change, Store } from "../../cluster/index.ts";
import type { Log } from "../../log.ts";
import type { AgentReport } from "../../model/agent-report.ts";
import {
	agentLeaseSeconds,
	agentOf,
	type Carrier,
	programs,
	takesTraffic,
} from "../../model/agents.ts";
import { compareVersions } from "../../model/resource-version.ts";
import type { Watermark } from "../../model/watermark.ts";

export interface AgentsOptions {
	/** The agents' Leases. */
	leases: Store<Lease>;
	nodes: Store<Node>;
	/** Asks the API server for the agents' Leases anew; rejects when it cannot be asked. */
	ask: () => Promise<Lease[]>;
	clock: Clock;
	log: Log;
}

export interface AgentsListener {
	/** Some agent has got further, or another set of nodes matters. */
	moved: () => void;
	/** `state` is another one. */
	stateChanged: () => void;
	/** Nodes refuse this Service, or do so no more. */
	refusalsChanged: (serviceKey: string) => void;
}

/** Whether anybody's word is to be waited for. */
export type AgentsState =
	| "NoAgents"
	| "AgentsWithoutRules"
	| "NoReadyNodes"
	| "Carrying";

interface Known extends Carrier {
	/** Name of the Lease. */
	lease: string;
	report: AgentReport;
	/** The report as the Lease has it: the same text needs no reading. */
	text: string | undefined;
	renewed: string | undefined;
	durationMs: number;
	/** Monotonic: when it last was seen to be renewed. */
	movedAt: number;
	live: boolean;
}

/** How often silent agents are looked for; milliseconds. */
const sweepMs = 5_000;

/**
 * What the agents say, in a table that answers in O(1) how far the last of them has got. No clock of another machine is
 * trusted: an agent is gone when its Lease was not seen to be renewed for its duration here, and the API server, asked
 * anew, shows nothing else. While that cannot be asked nobody is gone: agents could not renew either.
 */
export class Agents {
	readonly #options: AgentsOptions;
	readonly #known = new Map<string, Known>();
	/** By Service, then by node. */
	readonly #refusals = new Map<string, Map<string, string>>();
	readonly #listeners = new Set<AgentsListener>();
	#undo: (() => void)[] = [];
	#cancelSweep: Cancel = () => {};
	#asking = false;
	/** Monotonic: until then nobody is taken for gone. */
	#graceUntil = 0;
	#membersChanged = true;
	#carriers: Known[] = [];
	#state: AgentsState = "NoAgents";
	#floorChanged = true;
	#floor: Watermark | undefined;
	#flushing = false;
	#toldState: AgentsState = "NoAgents";
	#reportsChanged = false;
	readonly #reportListeners = new Set<() => void>();
	readonly #touched = new Set<string>();

	constructor(options: AgentsOptions) {
		this.#options = options;
	}

	start(): void {
		const { leases, nodes } = this.#options;
		for (const object of leases.values()) this.#take({ type: "added", object });
		this.#undo = [
			leases.onChange((change) => this.#take(change)),
			nodes.onChange((change) => {
				const before =
					change.type !== "added" &&
					takesTraffic(change.type === "updated" ? change.old : change.object);
				const now = change.type !== "deleted" && takesTraffic(change.object);
				if (before !== now) this.#changed({ members: true });
			}),
		];
		this.#sweepLater();
	}

	stop(): void {
		for (const undo of this.#undo) undo();
		this.#cancelSweep();
	}

	/** Returns what takes the listener off again. It is called after what is told together was taken in together. */
	listen(listener: AgentsListener): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	get state(): AgentsState {
		this.#look();
		return this.#state;
	}

	/** Nodes that matter, by name; changed in place. */
	get carriers(): readonly Carrier[] {
		this.#look();
		return this.#carriers;
	}

	/** Every node that matters has got as far; undefined while one has not begun, or none matters. */
	get floor(): Watermark | undefined {
		this.#look();
		return this.#floor;
	}

	/** By node; undefined when none refuses. */
	refusals(serviceKey: string): ReadonlyMap<string, string> | undefined {
		return this.#refusals.get(serviceKey);
	}

	/** Reports as they stand, of agents that are there. */
	*reports(): IterableIterator<AgentReport> {
		for (const { live, report } of this.#known.values()) if (live) yield report;
	}

	/** Calls `listener` when `reports` are others: some agent says something else, falls silent, or is heard again. */
	onReports(listener: () => void): () => void {
		this.#reportListeners.add(listener);
		return () => this.#reportListeners.delete(listener);
	}

	/** For metrics. */
	counts(): Record<"programming" | "idle" | "unready" | "silent", number> {
		const carriers = new Set<Carrier>(this.carriers);
		const counts = { programming: 0, idle: 0, unready: 0, silent: 0 };
		for (const known of this.#known.values())
			if (!known.live) counts.silent++;
			else if (!programs(known.report.rules)) counts.idle++;
			else if (carriers.has(known)) counts.programming++;
			else counts.unready++;
		return counts;
	}

	#take({ type, object }: Change<Lease>): void {
		const { name, annotations } = object.metadata;
		const text = annotations?.[agentAnnotations.report];
		const before = this.#known.get(name);
		const same =
			before?.text === text && object.spec?.holderIdentity === before?.node;
		const report =
			type === "deleted" ? undefined : same ? before?.report : readable(object);
		if (!report) {
			if (before) this.#forget(before);
			return;
		}
		const known: Known = before ?? {
			node: report.node,
			lease: name,
			report: { node: report.node, rules: report.rules },
			reached: undefined,
			text: undefined,
			renewed: undefined,
			durationMs: 0,
			movedAt: 0,
			live: false,
		};
		this.#known.set(name, known);
		this.#renewed(known, object);
		if (text === known.text) return;
		known.text = text;
		this.#reportsChanged = true;
		if (known.report.rules !== report.rules) this.#changed({ members: true });
		this.#refuse(known, report.refused ?? {});
		known.report = report;
		known.reached = report.reached;
		this.#changed({});
	}

	#renewed(known: Known, lease: Lease): void {
		const { leaseDurationSeconds, renewTime } = lease.spec ?? {};
		known.durationMs = (leaseDurationSeconds ?? agentLeaseSeconds) * 1_000;
		if (renewTime === known.renewed) return;
		// The clocks of two machines need not agree: what looks old the first time may still be renewed.
		const live = known.renewed !== undefined || this.#isFresh(lease, known);
		known.renewed = renewTime;
		known.movedAt = this.#options.clock.monotonic();
		if (live === known.live) return;
		known.live = live;
		this.#reportsChanged = true;
		this.#changed({ members: true });
	}

	#isFresh(lease: Lease, { durationMs }: Known): boolean {
		const renewed = Date.parse(lease.spec?.renewTime ?? "");
		return this.#options.clock.now() < renewed + durationMs;
	}

	#forget(known: Known): void {
		this.#known.delete(known.lease);
		this.#reportsChanged = true;
		this.#refuse(known, {});
		this.#changed({ members: true });
	}

	#refuse(known: Known, refused: Record<string, string>): void {
		const { node, report } = known;
		const before = report.refused ?? {};
		for (const key of Object.keys(before)) {
			if (key in refused) continue;
			const nodes = this.#refusals.get(key);
			nodes?.delete(node);
			if (nodes?.size === 0) this.#refusals.delete(key);
			this.#touched.add(key);
		}
		for (const [key, message] of Object.entries(refused)) {
			if (before[key] === message) continue;
			const nodes = this.#refusals.get(key) ?? new Map<string, string>();
			this.#refusals.set(key, nodes.set(node, message));
			this.#touched.add(key);
		}
	}

	#changed({ members = false }: { members?: boolean }): void {
		if (members) this.#membersChanged = true;
		this.#floorChanged = true;
		if (this.#flushing) return;
		this.#flushing = true;
		// What one answer of a watch brings is told one by one, and looked at once.
		queueMicrotask(() => this.#flush());
	}

	#flush(): void {
		this.#flushing = false;
		this.#look();
		const touched = [...this.#touched];
		this.#touched.clear();
		const stateChanged = this.#state !== this.#toldState;
		this.#toldState = this.#state;
		if (this.#reportsChanged)
			for (const listener of this.#reportListeners) listener();
		this.#reportsChanged = false;
		for (const listener of this.#listeners) {
			if (stateChanged) listener.stateChanged();
			listener.moved();
			for (const key of touched) listener.refusalsChanged(key);
		}
	}

	#look(): void {
		if (this.#membersChanged) this.#lookAtMembers();
		if (!this.#floorChanged) return;
		this.#floorChanged = false;
		let services: string | undefined;
		let endpointSlices: string | undefined;
		this.#floor = undefined;
		for (const { reached } of this.#carriers) {
			if (!reached) return;
			if (!services || compareVersions(reached.services, services) < 0)
				services = reached.services;
			if (
				!endpointSlices ||
				compareVersions(reached.endpointSlices, endpointSlices) < 0
			)
				endpointSlices = reached.endpointSlices;
		}
		if (services && endpointSlices) this.#floor = { services, endpointSlices };
	}

	#lookAtMembers(): void {
		this.#membersChanged = false;
		const { nodes } = this.#options;
		const known = [...this.#known.values()];
		const live = known.filter((each) => each.live);
		const programming = live.filter(({ report }) => programs(report.rules));
		const before = new Set(this.#carriers);
		this.#carriers = programming
			.filter(({ node }) => takesTraffic(nodes.get(node)))
			.sort((a, b) => (a.node < b.node ? -1 : 1));
		for (const each of this.#carriers)
			if (!before.delete(each)) this.#touchRefused(each);
		for (const gone of before) this.#touchRefused(gone);
		// Agents that are all silent at once have lost the API server: their rules are where they were.
		const heard = live.length > 0 ? live : known;
		this.#state =
			known.length === 0
				? "NoAgents"
				: !heard.some(({ report }) => programs(report.rules))
					? "AgentsWithoutRules"
					: this.#carriers.length === 0
						? "NoReadyNodes"
						: "Carrying";
	}

	#touchRefused({ report }: Known): void {
		for (const key of Object.keys(report.refused ?? {})) this.#touched.add(key);
	}

	#sweepLater(): void {
		this.#cancelSweep = this.#options.clock.after(sweepMs, () => {
			this.#sweepLater();
			if (this.#silent().length > 0) void this.#sweep();
		});
	}

	#silent(): Known[] {
		const now = this.#options.clock.monotonic();
		return [...this.#known.values()].filter(
			({ live, movedAt, durationMs }) => live && now >= movedAt + durationMs,
		);
	}

	async #sweep(): Promise<void> {
		if (this.#asking) return;
		this.#asking = true;
		const { clock, leases, log, ask } = this.#options;
		try {
			for (const lease of await ask()) leases.apply(lease);
			const now = clock.monotonic();
			if (now < this.#graceUntil) return;
			for (const known of this.#silent()) {
				known.live = false;
				this.#reportsChanged = true;
				log.warn(
					{ node: known.node, lease: known.lease },
					`the agent of node ${known.node} has not renewed its Lease for ${known.durationMs / 1_000} s; it is waited for no more`,
				);
				this.#changed({ members: true });
			}
		} catch (err) {
			this.#graceUntil = clock.monotonic() + agentLeaseSeconds * 1_000;
			log.debug({ err }, "the agents' Leases cannot be read");
		} finally {
			this.#asking = false;
		}
	}
}

/** A Lease must be named after the node it speaks for: nobody reports for another. */
function readable(lease: Lease): AgentReport | undefined {
	const report = agentOf(lease);
	return report && lease.metadata.name === `${agentLease.prefix}${report.node}`
		? report
		: undefined;
}

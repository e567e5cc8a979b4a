import type { Cancel, Clock } from "../../operator/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { Faults } from "../faults/faults.ts";
import type { Change, Store } from "../store/store.ts";
import { EventLog, type Follower } from "./event-log.ts";
import type { LiveCounters, LiveCountersUpdate, LiveState } from "./live.ts";
import { liveAction, liveBalancer, liveServer } from "./live-view.ts";

export interface LiveFeedOptions {
	clock: Clock;
	store: Store;
	engine: Engine;
	faults: Faults;
	projects: string[];
	/** Of the SOCKS5 door, once it is open. */
	door: () => string | null;
	/** Tells this run from others. */
	epoch: string;
}

const actionsShown = 200;
/** Changes of health come in bursts, one per listener and target. */
const gatherMs = 20;
const progressMs = 250;
const countersMs = 1000;

/** Turns what changes in store, engine and faults into the events of live.ts. */
export class LiveFeed {
	readonly #options: LiveFeedOptions;
	readonly #log: EventLog;
	readonly #unsubscribe: () => void;
	readonly #streams = new Set<() => void>();
	#changed = new Set<number>();
	#counted = new Set<number>();
	/** As last sent, by balancer and then by what they count. */
	readonly #sent = new Map<number, Map<string, string>>();
	readonly #timers = new Map<string, Cancel>();

	constructor(options: LiveFeedOptions) {
		this.#options = options;
		this.#log = new EventLog(options.clock, options.epoch);
		this.#unsubscribe = options.store.subscribe((change) =>
			this.#onCommit(change),
		);
	}

	state(): LiveState {
		const { clock, store, engine, faults, projects, door } = this.#options;
		const actions = store.actions().toReversed();
		const running = actions.filter(({ status }) => status === "running");
		const ended = actions.filter(({ status }) => status !== "running");
		return {
			at: new Date(clock.now()).toISOString(),
			lastEventId: this.#log.lastId,
			engine: { kind: engine.kind, reach: engine.reach, door: door() },
			projects,
			balancers: store
				.all("load_balancer")
				.map((balancer) => liveBalancer(balancer, store, engine)),
			servers: store.all("server").map((server) => liveServer(server, store)),
			actions: [
				...running,
				...ended.slice(0, Math.max(0, actionsShown - running.length)),
			]
				.sort((a, b) => b.id - a.id)
				.map((action) => liveAction(action, clock.now())),
			faults: faults.list(),
		};
	}

	/** `ended` is called when the feed ends first. */
	follow(
		lastId: string | undefined,
		follower: Follower,
		ended: () => void,
	): () => void {
		const leave = this.#log.follow(lastId, follower);
		this.#streams.add(ended);
		this.#later("progress", progressMs, () => this.#onProgress());
		return () => {
			this.#streams.delete(ended);
			leave();
		};
	}

	endStreams(): void {
		for (const ended of this.#streams) ended();
	}

	/** The engine's view of a balancer changed: health, or whether a listener is open. */
	onChanged(id: number): void {
		this.#changed.add(id);
		this.#later("changed", gatherMs, () => {
			const ids = this.#changed;
			this.#changed = new Set();
			for (const id of ids) this.#publishBalancer(id);
		});
	}

	/** A counter of a balancer moved. */
	onCounted(id: number): void {
		this.#counted.add(id);
		this.#later("counters", countersMs, () => this.#publishCounters());
	}

	onFaults(): void {
		this.#log.publish("faults", () => this.#options.faults.list());
	}

	close(): void {
		this.#unsubscribe();
		this.#log.close();
		for (const cancel of this.#timers.values()) cancel();
	}

	/** Runs `work` in `ms`, once however often it is asked for until then. */
	#later(name: string, ms: number, work: () => void): void {
		if (this.#timers.has(name)) return;
		const run = () => {
			this.#timers.delete(name);
			work();
		};
		this.#timers.set(name, this.#options.clock.after(ms, run));
	}

	#onCommit({ resources, actions }: Change): void {
		const { clock, store } = this.#options;
		const balancers = new Set<number>();
		const servers = new Set<number>();
		for (const { before, after } of resources) {
			const { id, kind } = (after ?? before) as NonNullable<typeof after>;
			if (kind === "server") servers.add(id);
			if (kind === "load_balancer") balancers.add(id);
		}
		for (const { after } of actions) {
			this.#log.publish("action", () => liveAction(after, clock.now()));
			// Its first resource is locked now, or free again.
			const locked = after.resources[0];
			if (locked?.type === "load_balancer") balancers.add(locked.id);
			if (locked?.type === "server") servers.add(locked.id);
		}
		for (const id of balancers) this.#publishBalancer(id);
		for (const id of servers) {
			const server = store.get("server", id);
			if (server) this.#log.publish("server", () => liveServer(server, store));
			else this.#log.publish("server-removed", () => ({ id }));
		}
		if (actions.length > 0)
			this.#later("progress", progressMs, () => this.#onProgress());
	}

	#onProgress(): void {
		const { clock, store } = this.#options;
		const moving = store
			.runningActions()
			.filter(({ finish }) => finish !== null);
		if (moving.length === 0 || !this.#log.followed) return;
		for (const action of moving)
			this.#log.publish("action", () => liveAction(action, clock.now()));
		this.#later("progress", progressMs, () => this.#onProgress());
	}

	#publishBalancer(id: number): void {
		const { store, engine } = this.#options;
		const balancer = store.get("load_balancer", id);
		if (balancer)
			this.#log.publish("balancer", () =>
				liveBalancer(balancer, store, engine),
			);
		else {
			this.#sent.delete(id);
			this.#log.publish("balancer-removed", () => ({ id }));
		}
	}

	#publishCounters(): void {
		const ids = this.#counted;
		this.#counted = new Set();
		if (!this.#log.followed) return;
		const balancers = [...ids].flatMap((id) => this.#countersOf(id) ?? []);
		if (balancers.length > 0)
			this.#log.publish("counters", () => ({ balancers }));
	}

	#countersOf(id: number): LiveCountersUpdate["balancers"][number] | undefined {
		const report = this.#options.engine.report(id);
		if (!report) return undefined;
		const sent = this.#sent.get(id) ?? new Map<string, string>();
		this.#sent.set(id, sent);
		const moved = (name: string, counters: LiveCounters) => {
			const text = JSON.stringify(counters);
			if (sent.get(name) === text) return false;
			sent.set(name, text);
			return true;
		};
		return {
			id,
			counters: { ...report.counters },
			listeners: report.listeners
				.filter(({ port, transport, counters }) =>
					moved(`${transport}/${port}`, counters),
				)
				.map(({ port, transport, counters }) => ({
					port,
					transport,
					counters: { ...counters },
				})),
			targets: report.targets
				.filter(({ key, counters }) => moved(key, counters))
				.map(({ key, counters }) => ({ key, counters: { ...counters } })),
		};
	}
}

import type { EndpointSlice, Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import { annotations } from "../../api/names.ts";
import type { Cancel, Clock } from "../../clock.ts";
import type { Change, Store } from "../../cluster/index.ts";
import { Timetable } from "../../cluster/timetable.ts";
import {
	type Programming,
	programmingMs,
	programmingOf,
	wasProgrammed,
} from "../../model/agents.ts";
import { compareVersions } from "../../model/resource-version.ts";
import { reflects, type Watermark } from "../../model/watermark.ts";
import type { Agents } from "./agents.ts";
import { WaitingHeap } from "./waiting-heap.ts";

export interface ProgrammingWatchOptions {
	agents: Agents;
	services: Store<Service>;
	/** Index `service` files them under their Service. */
	slices: Store<EndpointSlice>;
	clock: Clock;
	/** What the nodes make of this Service has changed. */
	wake: (serviceKey: string) => void;
	/** Whether anybody's word is waited for has changed: it concerns every Service. */
	wakeAll: () => void;
}

/** A Service whose nodes have not all got as far as its record, or not yet when last looked at. */
interface Entry {
	key: string;
	/** Fixed when it was first asked about: what changes later in endpoints or status asks nobody anew. */
	asked: Watermark;
	/** All have got there; it stays until the Service says so itself, in case that cannot be written at once. */
	done: boolean;
	/** In one of the heaps. */
	queued: boolean;
	overdue: boolean;
	/** What was last answered, as text, once it is overdue. */
	said: string;
}

/** How often what is said of overdue Services is looked at again, if any agent has moved; milliseconds. */
const lookAgainMs = 5_000;

/** So few that wait for nothing any more are not worth a look. */
const spareEntries = 64;

/**
 * Which Services wait for nodes, during one term. A Service is woken once when the last node that matters has got as far,
 * once when its time is up, and then as other nodes are to be named: never for each of a thousand reports, and the work of a
 * report does not grow with the Services that wait for others.
 */
export class ProgrammingWatch {
	readonly #options: ProgrammingWatchOptions;
	readonly #entries = new Map<string, Entry>();
	readonly #forServices = new WaitingHeap<Entry>();
	readonly #forSlices = new WaitingHeap<Entry>();
	readonly #deadlines: Timetable;
	readonly #overdue = new Set<Entry>();
	#moved = false;
	#cancelLook: Cancel | undefined;
	#undo: (() => void)[] = [];

	constructor(options: ProgrammingWatchOptions) {
		this.#options = options;
		this.#deadlines = new Timetable(options.clock, (key) => this.#late(key));
	}

	start(): void {
		const { agents, services, wake, wakeAll } = this.#options;
		this.#undo = [
			agents.listen({
				moved: () => this.#agentsMoved(),
				stateChanged: wakeAll,
				refusalsChanged: wake,
			}),
			services.onChange((change) => this.#serviceChanged(change)),
		];
	}

	stop(): void {
		for (const undo of this.#undo) undo();
		this.#cancelLook?.();
		this.#deadlines.clear();
	}

	/** Services that wait for nodes. */
	get waiting(): number {
		let waiting = 0;
		for (const { done } of this.#entries.values()) if (!done) waiting++;
		return waiting;
	}

	/** Services shown, or held back, without some node that has had its time. */
	get overdue(): number {
		return this.#overdue.size;
	}

	/** What the heaps hold: bounded by the Services asked about. */
	get queued(): number {
		return this.#forServices.size + this.#forSlices.size;
	}

	of(key: string, service: Service): Programming {
		const { agents } = this.#options;
		const { state } = agents;
		const programmed = wasProgrammed(service);
		if (state !== "Carrying") {
			this.#drop(key);
			// Nodes that are all unready at once have mostly lost the API server: their rules are where they were.
			return state === "NoReadyNodes" && programmed
				? this.#answer(key, undefined)
				: { kind: state };
		}
		if (!isRecorded(service)) return { kind: "Unrecorded" };
		let entry = this.#entries.get(key);
		if (entry?.done && programmed) {
			this.#drop(key);
			entry = undefined;
		}
		if (!entry && programmed) return this.#answer(key, undefined);
		entry ??= this.#add(key, service);
		const answer = this.#answer(key, entry);
		entry.said = entry.overdue ? JSON.stringify(answer) : "";
		return answer;
	}

	#answer(key: string, entry: Entry | undefined): Programming {
		const { agents } = this.#options;
		const refusals = agents.refusals(key);
		if (entry && !entry.done) {
			if (!reflects(agents.floor, entry.asked)) {
				this.#queue(entry);
				const { asked, overdue } = entry;
				return programmingOf(asked, agents.carriers, refusals, overdue);
			}
			this.#finish(entry);
		}
		return refusals
			? programmingOf(undefined, agents.carriers, refusals, false)
			: everywhere;
	}

	#add(key: string, service: Service): Entry {
		const entry: Entry = {
			key,
			asked: {
				services: service.metadata.resourceVersion ?? "0",
				endpointSlices: this.#newestSlice(key),
			},
			done: false,
			queued: false,
			overdue: false,
			said: "",
		};
		this.#drop(key);
		this.#entries.set(key, entry);
		this.#queue(entry);
		this.#deadlines.add(key, programmingMs);
		return entry;
	}

	#queue(entry: Entry): void {
		if (entry.queued) return;
		entry.queued = true;
		this.#forServices.add(entry.asked.services, entry);
		if (this.queued > 2 * this.#entries.size + spareEntries) this.#compact();
	}

	/** While one agent is stuck nothing leaves the heaps by itself, and Services come and go. */
	#compact(): void {
		const isWanted = (entry: Entry) => {
			entry.queued = !entry.done;
			return entry.queued;
		};
		this.#forServices.keep(isWanted);
		this.#forSlices.keep(isWanted);
	}

	#newestSlice(key: string): string {
		let newest = "0";
		for (const { metadata } of this.#options.slices.byIndex("service", key))
			if (compareVersions(metadata.resourceVersion, newest) > 0)
				newest = metadata.resourceVersion ?? newest;
		return newest;
	}

	#finish(entry: Entry): void {
		entry.done = true;
		entry.overdue = false;
		this.#overdue.delete(entry);
		this.#deadlines.delete(entry.key);
	}

	#drop(key: string): void {
		const entry = this.#entries.get(key);
		if (!entry) return;
		// The heaps may hold it for a while, and pass over what is done.
		this.#finish(entry);
		this.#entries.delete(key);
	}

	/** A record or spec that is new must be programmed anew; whatever else changes leaves things as they are. */
	#serviceChanged({ type, object, ...rest }: Change<Service>): void {
		const key = objectKey(object);
		if (type === "deleted" || !isRecorded(object)) return this.#drop(key);
		if (this.#options.agents.state !== "Carrying") return;
		const old = "old" in rest ? rest.old : undefined;
		if (old && asks(old) === asks(object)) return;
		if (old || !wasProgrammed(object)) this.#add(key, object);
	}

	#agentsMoved(): void {
		this.#moved = true;
		const { floor } = this.#options.agents;
		if (!floor) return;
		for (const entry of this.#forServices.take(floor.services))
			if (!entry.done) this.#forSlices.add(entry.asked.endpointSlices, entry);
		for (const entry of this.#forSlices.take(floor.endpointSlices)) {
			entry.queued = false;
			if (entry.done) continue;
			// A node that joined meanwhile may be further behind than the others were.
			if (reflects(floor, entry.asked)) this.#options.wake(entry.key);
			else this.#queue(entry);
		}
	}

	#late(key: string): void {
		const entry = this.#entries.get(key);
		if (!entry || entry.done) return;
		entry.overdue = true;
		this.#overdue.add(entry);
		this.#options.wake(key);
		this.#lookLater();
	}

	#lookLater(): void {
		if (this.#cancelLook) return;
		this.#moved = false;
		this.#cancelLook = this.#options.clock.after(lookAgainMs, () => {
			this.#cancelLook = undefined;
			if (this.#moved) this.#lookAtOverdue();
			if (this.#overdue.size > 0) this.#lookLater();
		});
	}

	#lookAtOverdue(): void {
		for (const entry of this.#overdue)
			if (JSON.stringify(this.#answer(entry.key, entry)) !== entry.said)
				this.#options.wake(entry.key);
	}
}

const everywhere: Programming = {
	kind: "Reported",
	behind: [],
	more: false,
	overdue: false,
	refused: [],
	servable: true,
};

function isRecorded({ spec, metadata }: Service): boolean {
	return (
		spec.type === "LoadBalancer" &&
		metadata.annotations?.[annotations.assigned] !== undefined
	);
}

/** What nodes are asked to program, as text. */
function asks({ spec, metadata }: Service): string {
	return `${metadata.annotations?.[annotations.assigned]} ${JSON.stringify(spec)}`;
}

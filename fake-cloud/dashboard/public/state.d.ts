import type {
	LiveAction,
	LiveBalancer,
	LiveCounters,
	LiveEngine,
	LiveEventName,
	LiveEvents,
	LiveFault,
	LiveServer,
	LiveState,
} from "../../api/live.ts";

/** What the page knows of the cloud. Never changed in place: what is the same object is unchanged. */
export interface View {
	engine: LiveEngine;
	projects: readonly string[];
	balancers: ReadonlyMap<number, LiveBalancer>;
	servers: ReadonlyMap<number, LiveServer>;
	/** Newest first. */
	actions: readonly LiveAction[];
	faults: readonly LiveFault[];
	/** What each balancer has carried lately, oldest first, for rates. */
	traffic: ReadonlyMap<number, readonly TrafficSample[]>;
}

/** A balancer's counters as they stood at `at`, milliseconds since the epoch. */
export interface TrafficSample {
	at: number;
	total: number;
	bytes: number;
}

/** One event of the stream and when it came, milliseconds since the epoch; `reset` is the stream's own business. */
export type Received = {
	[Name in Exclude<LiveEventName, "reset">]: {
		name: Name;
		data: LiveEvents[Name];
		at: number;
	};
}[Exclude<LiveEventName, "reset">];

/** The state just read; rates go on from `before`, what was known until then. */
export function fromState(
	state: LiveState,
	at: number,
	before: View | null,
): View;

/** The view after `events`, in their order. */
export function apply(view: View, events: readonly Received[]): View;

/** Everything a set of balancers carries, added up. */
export function sum(counters: Iterable<LiveCounters>): LiveCounters;

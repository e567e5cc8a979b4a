/**
 * @import { LiveAction, LiveBalancer, LiveCountersUpdate } from "../../api/live.ts"
 * @import { Received, TrafficSample, View } from "./state.d.ts"
 */
import { listenerKey } from "./health.js";

/** Ended actions kept besides those that run: as many as the state itself holds. */
const actionsKept = 200;

/** Milliseconds of traffic kept: what a sparkline shows, and one sample before it to count from. */
const trafficKept = 65_000;

/** @type {typeof import("./state.d.ts").fromState} */
export function fromState(state, at, before) {
	/** @type {Map<number, readonly TrafficSample[]>} */
	const traffic = new Map();
	for (const balancer of state.balancers)
		traffic.set(
			balancer.id,
			sampled(before?.traffic.get(balancer.id), balancer, at),
		);
	return {
		engine: state.engine,
		projects: state.projects,
		balancers: new Map(state.balancers.map((one) => [one.id, one])),
		servers: new Map(state.servers.map((one) => [one.id, one])),
		actions: ordered(state.actions),
		faults: state.faults,
		traffic,
	};
}

/** @type {typeof import("./state.d.ts").apply} */
export function apply(view, events) {
	const draft = new Draft(view);
	for (const event of events) take(draft, event);
	return draft.view();
}

/** @param {Draft} draft @param {Received} event */
function take(draft, event) {
	switch (event.name) {
		case "balancer":
			draft.balancers().set(event.data.id, event.data);
			draft.sample(event.data, event.at);
			break;
		case "balancer-removed":
			draft.balancers().delete(event.data.id);
			draft.traffic().delete(event.data.id);
			break;
		case "server":
			draft.servers().set(event.data.id, event.data);
			break;
		case "server-removed":
			draft.servers().delete(event.data.id);
			break;
		case "action":
			draft.actions().set(event.data.id, event.data);
			break;
		case "faults":
			draft.faults = event.data;
			break;
		case "counters":
			for (const update of event.data.balancers) {
				const balancer = draft.balancers().get(update.id);
				// Removed while its last counters were on their way.
				if (balancer === undefined) continue;
				const counted = withCounters(balancer, update);
				draft.balancers().set(update.id, counted);
				draft.sample(counted, event.at);
			}
	}
}

/** Copies a collection the first time it changes, so that a burst of events costs one copy. */
class Draft {
	/** @type {View} */ #before;
	/** @type {Map<number, LiveBalancer> | undefined} */ #balancers;
	/** @type {Map<number, import("../../api/live.ts").LiveServer> | undefined} */ #servers;
	/** @type {Map<number, LiveAction> | undefined} */ #actions;
	/** @type {Map<number, readonly TrafficSample[]> | undefined} */ #traffic;

	/** @param {View} before */
	constructor(before) {
		this.#before = before;
		this.faults = before.faults;
	}

	balancers() {
		return (this.#balancers ??= new Map(this.#before.balancers));
	}

	servers() {
		return (this.#servers ??= new Map(this.#before.servers));
	}

	actions() {
		return (this.#actions ??= new Map(
			this.#before.actions.map((one) => [one.id, one]),
		));
	}

	traffic() {
		return (this.#traffic ??= new Map(this.#before.traffic));
	}

	/** @param {LiveBalancer} balancer @param {number} at */
	sample(balancer, at) {
		const samples = this.traffic().get(balancer.id);
		this.traffic().set(balancer.id, sampled(samples, balancer, at));
	}

	/** @returns {View} */
	view() {
		return {
			...this.#before,
			balancers: this.#balancers ?? this.#before.balancers,
			servers: this.#servers ?? this.#before.servers,
			actions: this.#actions
				? ordered([...this.#actions.values()])
				: this.#before.actions,
			faults: this.faults,
			traffic: this.#traffic ?? this.#before.traffic,
		};
	}
}

/**
 * @param {LiveBalancer} balancer
 * @param {LiveCountersUpdate["balancers"][number]} update
 * @returns {LiveBalancer}
 */
function withCounters(balancer, update) {
	const listeners = new Map(
		update.listeners.map((one) => [listenerKey(one), one]),
	);
	const targets = new Map(update.targets.map((one) => [one.key, one]));
	return {
		...balancer,
		counters: update.counters,
		listeners: balancer.listeners.map((one) => ({
			...one,
			...listeners.get(listenerKey(one)),
		})),
		targets: balancer.targets.map((one) => ({
			...one,
			...targets.get(one.key),
		})),
	};
}

/** @param {readonly LiveAction[]} actions All that run and the last that ended, newest first. */
function ordered(actions) {
	const newest = [...actions].sort((a, b) => b.id - a.id);
	let ended = 0;
	return newest.filter(
		(action) => action.status === "running" || ++ended <= actionsKept,
	);
}

/**
 * @param {readonly TrafficSample[] | undefined} samples
 * @param {LiveBalancer} balancer
 * @param {number} at
 * @returns {readonly TrafficSample[]}
 */
function sampled(samples, { counters }, at) {
	const bytes = counters.bytesIn + counters.bytesOut;
	const last = samples?.at(-1);
	if (last && last.total === counters.total && last.bytes === bytes)
		return samples ?? [];
	return [
		...(samples ?? []).filter((one) => one.at > at - trafficKept),
		{ at, total: counters.total, bytes },
	];
}

/** @type {typeof import("./state.d.ts").sum} */
export function sum(counters) {
	const all = { open: 0, total: 0, failed: 0, bytesIn: 0, bytesOut: 0 };
	for (const one of counters) {
		all.open += one.open;
		all.total += one.total;
		all.failed += one.failed;
		all.bytesIn += one.bytesIn;
		all.bytesOut += one.bytesOut;
	}
	return all;
}

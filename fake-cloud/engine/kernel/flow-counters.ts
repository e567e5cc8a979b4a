import { type ListenerKey, listenerKey } from "../../store/listener-key.ts";
import type { Counters, EngineBalancer } from "../engine.ts";
import { noCounters } from "../userspace/listener.ts";
import type { Flow } from "./flows.ts";

export interface FlowSums {
	all: Counters;
	listeners: Map<ListenerKey, Counters>;
	/** By key. */
	targets: Map<string, Counters>;
}

/**
 * Counts of what the kernel carries, by balancer, made of one look at the flows after another: what was there at the
 * last look and is not now has ended, with what it had carried then. The kernel keeps an ended TCP flow for at least ten
 * seconds and a UDP one for thirty (nf_conntrack_*_timeout_*), so looks a second apart miss none, and its last bytes are seen.
 */
export class FlowCounters {
	/** Of flows that have ended. */
	readonly #ended = new Map<number, FlowSums>();
	#live = new Map<string, { flow: Flow; owner: Owner }>();
	#sums = new Map<number, FlowSums>();

	/** Takes in a look; gives the balancers whose counts moved. */
	look(
		flows: readonly Flow[],
		balancers: ReadonlyMap<number, EngineBalancer>,
	): number[] {
		const owners = ownersOf(balancers);
		const before = this.#live;
		this.#live = new Map();
		for (const flow of flows) {
			// Who owned it at first does still: its listener or target may have been taken away since.
			const known = before.get(flow.id)?.owner;
			const owner = known ?? owners(flow);
			if (owner) this.#live.set(flow.id, { flow, owner });
		}
		for (const [id, { flow, owner }] of before)
			if (!this.#live.has(id))
				add(sumsIn(this.#ended, owner.balancer), owner, flow, false);
		for (const id of this.#ended.keys())
			if (!balancers.has(id)) this.#ended.delete(id);
		const sums = new Map<number, FlowSums>();
		for (const id of balancers.keys()) {
			const ended = this.#ended.get(id);
			if (ended) sums.set(id, copy(ended));
		}
		for (const { flow, owner } of this.#live.values())
			if (balancers.has(owner.balancer))
				add(sumsIn(sums, owner.balancer), owner, flow, flow.open);
		const moved = [...balancers.keys()].filter(
			(id) => !same(this.#sums.get(id)?.all, sums.get(id)?.all),
		);
		this.#sums = sums;
		return moved;
	}

	/** As of the last look; undefined while the kernel has carried nothing. */
	of(id: number): FlowSums | undefined {
		return this.#sums.get(id);
	}
}

interface Owner {
	balancer: number;
	listener: ListenerKey;
	/** Key of the target. */
	target: string | undefined;
}

function ownersOf(
	balancers: ReadonlyMap<number, EngineBalancer>,
): (flow: Flow) => Owner | undefined {
	const byAddress = new Map<string, EngineBalancer>();
	for (const balancer of balancers.values())
		for (const address of balancer.addresses) byAddress.set(address, balancer);
	return ({ address, transport, port, target }) => {
		const balancer = byAddress.get(address);
		const key: ListenerKey = `${transport}/${port}`;
		if (!balancer?.services.some((each) => listenerKey(each) === key))
			return undefined;
		return {
			balancer: balancer.id,
			listener: key,
			target: balancer.targets.find((each) => each.address === target.address)
				?.key,
		};
	};
}

function sumsIn(all: Map<number, FlowSums>, id: number): FlowSums {
	const known = all.get(id) ?? {
		all: noCounters(),
		listeners: new Map<ListenerKey, Counters>(),
		targets: new Map<string, Counters>(),
	};
	all.set(id, known);
	return known;
}

function add(sums: FlowSums, owner: Owner, flow: Flow, open: boolean): void {
	const of = [sums.all, countersIn(sums.listeners, owner.listener)];
	if (owner.target !== undefined)
		of.push(countersIn(sums.targets, owner.target));
	for (const counters of of) {
		counters.total++;
		if (open) counters.open++;
		else if (flow.unanswered) counters.failed++;
		counters.bytesIn += flow.bytesIn;
		counters.bytesOut += flow.bytesOut;
	}
}

function countersIn<K>(map: Map<K, Counters>, key: K): Counters {
	const known = map.get(key) ?? noCounters();
	map.set(key, known);
	return known;
}

function copy({ all, listeners, targets }: FlowSums): FlowSums {
	const copied = <K>(map: Map<K, Counters>) =>
		new Map([...map].map(([key, counters]) => [key, { ...counters }]));
	return {
		all: { ...all },
		listeners: copied(listeners),
		targets: copied(targets),
	};
}

function same(a = noCounters(), b = noCounters()): boolean {
	return (
		a.open === b.open &&
		a.total === b.total &&
		a.failed === b.failed &&
		a.bytesIn === b.bytesIn &&
		a.bytesOut === b.bytesOut
	);
}

/** Both together. */
export function sum(a: Counters, b: Counters | undefined): Counters {
	if (!b) return a;
	return {
		open: a.open + b.open,
		total: a.total + b.total,
		failed: a.failed + b.failed,
		bytesIn: a.bytesIn + b.bytesIn,
		bytesOut: a.bytesOut + b.bytesOut,
	};
}

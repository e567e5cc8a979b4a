import fc from "fast-check";
import type { LiveState } from "../../api/live.ts";
import {
	action,
	balancer,
	counters,
	listener,
	liveState,
	server,
	target,
} from "../../../test/support/live-samples.ts";
import type { Received, View } from "./state.d.ts";
import { apply, fromState, sum } from "./state.js";

const start = (some: Partial<LiveState> = {}) =>
	fromState(liveState(some), 0, null);

/** Traffic is about time, not about what there is. */
const what = ({ traffic: _traffic, ...view }: View) => view;

test("a balancer's event puts the whole of it in the old one's place", () => {
	const view = start({ balancers: [balancer(1, { protected: true })] });
	const after = apply(view, [
		{ name: "balancer", data: balancer(1, { name: "new" }), at: 1 },
	]);
	expect(after.balancers.get(1)).toEqual(balancer(1, { name: "new" }));
	expect(view.balancers.get(1)?.name).toBe("lb-1");
});

test("a removed balancer takes its traffic along", () => {
	const after = apply(start({ balancers: [balancer(1), balancer(2)] }), [
		{ name: "balancer-removed", data: { id: 1 }, at: 1 },
	]);
	expect([...after.balancers.keys()]).toEqual([2]);
	expect([...after.traffic.keys()]).toEqual([2]);
});

test("counters change the listeners and targets they name and nothing else", () => {
	const view = start({
		balancers: [
			balancer(1, {
				listeners: [listener(80), listener(443)],
				targets: [target(1, []), target(2, [])],
			}),
		],
	});
	const moved = counters({ open: 2, total: 5 });
	const after = apply(view, [
		{
			name: "counters",
			data: {
				balancers: [
					{
						id: 1,
						counters: moved,
						listeners: [{ port: 443, transport: "tcp", counters: moved }],
						targets: [{ key: "server:2", counters: moved }],
					},
				],
			},
			at: 1,
		},
	]).balancers.get(1);
	expect(after).toEqual(
		balancer(1, {
			counters: moved,
			listeners: [listener(80), listener(443, { counters: moved })],
			targets: [target(1, []), target(2, [], { counters: moved })],
		}),
	);
});

test("counters of a balancer that is gone are not a balancer", () => {
	const after = apply(start(), [
		{
			name: "counters",
			data: {
				balancers: [
					{ id: 9, counters: counters(), listeners: [], targets: [] },
				],
			},
			at: 1,
		},
	]);
	expect(after.balancers.size).toBe(0);
	expect(after.traffic.size).toBe(0);
});

test("actions stay newest first; ended ones beyond 200 go, running ones never do", () => {
	const view = start({ actions: [action(1, { status: "running" })] });
	const after = apply(
		view,
		Array.from(
			{ length: 250 },
			(_, i): Received => ({ name: "action", data: action(i + 2), at: i }),
		),
	);
	expect(after.actions).toHaveLength(201);
	expect(after.actions[0]?.id).toBe(251);
	expect(after.actions.at(-1)?.id).toBe(1);
});

test("a collection no event is about stays the same object", () => {
	const view = start({ balancers: [balancer(1)], servers: [server(1)] });
	const after = apply(view, [{ name: "faults", data: [], at: 1 }]);
	expect(after.balancers).toBe(view.balancers);
	expect(after.servers).toBe(view.servers);
	expect(after.actions).toBe(view.actions);
	expect(after.traffic).toBe(view.traffic);
});

test("the state read again keeps the traffic known so far", () => {
	const before = start({ balancers: [balancer(1)] });
	const again = fromState(
		liveState({
			balancers: [balancer(1, { counters: counters({ total: 4 }) })],
		}),
		1000,
		before,
	);
	expect(again.traffic.get(1)).toEqual([
		{ at: 0, total: 0, bytes: 0 },
		{ at: 1000, total: 4, bytes: 0 },
	]);
});

test("what a set of balancers carries is their sum", () => {
	expect(
		sum([
			counters({ open: 1, bytesIn: 10, failed: 1 }),
			counters({ open: 2, total: 3, bytesOut: 5 }),
		]),
	).toEqual({ open: 3, total: 3, failed: 1, bytesIn: 10, bytesOut: 5 });
});

const id = fc.integer({ min: 1, max: 4 });
const anEvent: fc.Arbitrary<Received> = fc.oneof(
	fc.record({
		name: fc.constant("balancer" as const),
		data: fc
			.tuple(id, fc.string(), fc.nat())
			.map(([one, name, total]) =>
				balancer(one, { name, counters: counters({ total }) }),
			),
		at: fc.constant(0),
	}),
	fc.record({
		name: fc.constant("balancer-removed" as const),
		data: fc.record({ id }),
		at: fc.constant(0),
	}),
	fc.record({
		name: fc.constant("server" as const),
		data: id.map(server),
		at: fc.constant(0),
	}),
	fc.record({
		name: fc.constant("server-removed" as const),
		data: fc.record({ id }),
		at: fc.constant(0),
	}),
	fc.record({
		name: fc.constant("action" as const),
		data: fc
			.tuple(id, fc.nat(100))
			.map(([one, progress]) =>
				action(one, { progress, status: "running", finished: null }),
			),
		at: fc.constant(0),
	}),
);

test("events in one burst end where the same events one by one do", () => {
	fc.assert(
		fc.property(fc.array(anEvent), fc.nat(), (events, cut) => {
			const view = start({ balancers: [balancer(2)], actions: [action(3)] });
			const at = events.length === 0 ? 0 : cut % events.length;
			const oneByOne = events.reduce(
				(known, event) => apply(known, [event]),
				view,
			);
			const halves = apply(apply(view, events.slice(0, at)), events.slice(at));
			expect(what(apply(view, events))).toEqual(what(oneByOne));
			expect(what(halves)).toEqual(what(oneByOne));
		}),
	);
});

test("events the state already includes, given again in order, change nothing in the end", () => {
	fc.assert(
		fc.property(fc.array(anEvent), (events) => {
			const after = apply(start(), events);
			expect(what(apply(after, events))).toEqual(what(after));
		}),
	);
});

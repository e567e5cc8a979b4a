import fc from "fast-check";
import { balancer, service } from "../../../test/support/engine.ts";
import { FlowCounters } from "./flow-counters.ts";
import type { Flow } from "./flows.ts";

const flow = (id: string, more: Partial<Flow> = {}): Flow => ({
	id,
	transport: "tcp",
	address: "203.0.113.1",
	port: 80,
	target: { address: "192.0.2.1", port: 30080 },
	open: true,
	unanswered: false,
	bytesIn: 10,
	bytesOut: 100,
	...more,
});

const one = balancer([service(30080)], ["192.0.2.1", "192.0.2.2"]);
const world = new Map([[1, one]]);

test("what was there and is not any more has ended, and is counted on", () => {
	const counters = new FlowCounters();
	expect(counters.look([flow("a"), flow("b")], world)).toEqual([1]);
	expect(counters.of(1)?.all).toMatchObject({ open: 2, total: 2, bytesIn: 20 });
	expect(counters.look([flow("b", { bytesIn: 15 })], world)).toEqual([1]);
	expect(counters.of(1)?.all).toMatchObject({ open: 1, total: 2, bytesIn: 25 });
	expect(counters.look([flow("b", { bytesIn: 15 })], world)).toEqual([]);
	expect(counters.look([], world)).toEqual([1]);
	expect(counters.of(1)?.all).toEqual({
		open: 0,
		total: 2,
		failed: 0,
		bytesIn: 25,
		bytesOut: 200,
	});
});

test("each listener and target has its own share", () => {
	const counters = new FlowCounters();
	counters.look(
		[
			flow("a"),
			flow("b", { target: { address: "192.0.2.2", port: 30080 } }),
			flow("c", { target: { address: "192.0.2.9", port: 30080 } }),
		],
		world,
	);
	expect(counters.of(1)?.listeners.get("tcp/80")?.total).toBe(3);
	expect(counters.of(1)?.targets.get("ip:192.0.2.1")?.total).toBe(1);
	expect(counters.of(1)?.targets.get("ip:192.0.2.2")?.total).toBe(1);
});

test("a flow that ended without an answer has failed; one that waits for it has not", () => {
	const counters = new FlowCounters();
	const silent = flow("a", { unanswered: true, bytesOut: 0 });
	counters.look([silent], world);
	expect(counters.of(1)?.all).toMatchObject({ open: 1, failed: 0 });
	counters.look([{ ...silent, open: false }], world);
	expect(counters.of(1)?.all).toMatchObject({ open: 0, failed: 1 });
	counters.look([], world);
	expect(counters.of(1)?.all).toMatchObject({ total: 1, failed: 1 });
});

test("flows of other addresses and ports are nobody's", () => {
	const counters = new FlowCounters();
	expect(
		counters.look(
			[
				flow("a", { address: "203.0.113.2" }),
				flow("b", { port: 81 }),
				flow("c", { transport: "udp" }),
			],
			world,
		),
	).toEqual([]);
	expect(counters.of(1)).toBeUndefined();
});

test("a flow stays its listener's and its target's when they are taken away, and a balancer's counts go with it", () => {
	const counters = new FlowCounters();
	counters.look([flow("a")], world);
	const bare = new Map([[1, balancer([], [])]]);
	counters.look([flow("a", { bytesIn: 30 })], bare);
	expect(counters.of(1)?.all).toMatchObject({ total: 1, bytesIn: 30 });
	counters.look([], new Map());
	counters.look([], world);
	expect(counters.of(1)).toBeUndefined();
});

test("whatever comes and goes between looks, nothing is counted twice and nothing is lost", () => {
	const looks = fc.array(
		fc.uniqueArray(fc.nat(8), { maxLength: 8 }).map((ids) => new Set(ids)),
		{ maxLength: 20 },
	);
	fc.assert(
		fc.property(looks, (all) => {
			const counters = new FlowCounters();
			let total = 0;
			let bytes = 0;
			const present = new Map<number, number>();
			for (const [at, ids] of all.entries()) {
				for (const id of ids) {
					if (!present.has(id)) total++;
					bytes += at - (present.get(id) ?? 0);
					present.set(id, at);
				}
				for (const id of [...present.keys()])
					if (!ids.has(id)) present.delete(id);
				counters.look(
					[...ids].map((id) => flow(String(id), { bytesIn: at, bytesOut: 0 })),
					world,
				);
				const now = counters.of(1)?.all;
				expect(now?.total ?? 0).toBe(total);
				expect(now?.bytesIn ?? 0).toBe(bytes);
				expect(now?.open ?? 0).toBe(ids.size);
			}
		}),
	);
});

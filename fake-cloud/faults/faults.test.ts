import type { Fault } from "../api/live.ts";
import { Faults } from "./faults.ts";

const request = { method: "POST", path: "/v1/load_balancers", project: "p" };

function faults(...list: Fault[]) {
	const faults = new Faults(1, () => {});
	faults.replace(list);
	return faults;
}

const error: Fault["effect"] = { kind: "error", status: 500 };

test.each<[string, Fault["match"], boolean]>([
	["no match", undefined, true],
	["the method in any case", { method: "post" }, true],
	["another method", { method: "GET" }, false],
	["part of the path", { path: "balancers$" }, true],
	["another path", { path: "^/v1/servers" }, false],
	["the project", { project: "p" }, true],
	["another project", { project: "q" }, false],
	["all of them", { method: "POST", path: "load", project: "p" }, true],
])("a fault with %s in its match meets the request: %#", (_, match, meets) => {
	const verdict = faults({ ...(match && { match }), effect: error }).judge(
		request,
	);
	expect(verdict.instead).toEqual(meets ? error : undefined);
});

test("a fault skips `after` matches and then strikes `count` times", () => {
	const some = faults({ after: 2, count: 3, effect: error });
	const struck = Array.from(
		{ length: 7 },
		() => some.judge(request).instead !== undefined,
	);
	expect(struck).toEqual([false, false, true, true, true, false, false]);
	expect(some.list()[0]?.hits).toBe(3);
});

test("the same seed strikes the same requests, and about as often as the probability says", () => {
	const draw = (seed: number) => {
		const some = faults();
		some.replace([{ probability: 0.3, effect: error }], seed);
		return Array.from(
			{ length: 2000 },
			() => some.judge(request).instead !== undefined,
		);
	};
	expect(draw(7)).toEqual(draw(7));
	expect(draw(7)).not.toEqual(draw(8));
	expect(draw(7).filter(Boolean).length / 2000).toBeCloseTo(0.3, 1);
});

test("latencies add up, and of the others the first wins", () => {
	const some = faults(
		{ effect: { kind: "latency", ms: 10 } },
		{ effect: { kind: "drop-response" } },
		{ effect: { kind: "latency", ms: 5 } },
		{ effect: error },
		{ effect: { kind: "action-failed", code: "x", message: "y" } },
	);
	expect(some.judge(request)).toEqual({
		delay: 15,
		instead: { kind: "drop-response" },
		heldBy: null,
		doomed: { code: "x", message: "y" },
	});
	expect(some.list().map(({ hits }) => hits)).toEqual([1, 1, 1, 0, 1]);
});

test("the lowest quota of a project counts", () => {
	const some = faults(
		{ effect: { kind: "quota", resource: "load_balancer", limit: 5 } },
		{
			effect: { kind: "quota", resource: "load_balancer", limit: 2 },
			match: { project: "q" },
		},
	);
	expect([
		some.quota("load_balancer", "p"),
		some.quota("load_balancer", "q"),
		some.quota("server", "p"),
	]).toEqual([5, 2, undefined]);
});

test("every change and every hit is told", () => {
	let told = 0;
	const some = new Faults(1, () => told++);
	some.replace([{ id: "a", effect: error }]);
	some.judge(request);
	expect([some.remove("b"), some.remove("a")]).toEqual([false, true]);
	some.judge(request);
	expect(told).toBe(3);
});

test("a fault put again as it was goes on counting; a changed or new one begins anew", () => {
	const kept: Fault = { id: "a", count: 2, effect: error };
	const some = faults(kept, { id: "b", effect: { kind: "latency", ms: 1 } });
	some.judge(request);
	some.replace([
		{ id: "b", effect: { kind: "latency", ms: 2 } },
		{ ...kept, effect: { ...error } },
		{ effect: { kind: "latency", ms: 3 } },
	]);
	expect(some.list().map(({ id, hits }) => [id, hits])).toEqual([
		["b", 0],
		["a", 1],
		["fault-1", 0],
	]);
	some.judge(request);
	expect(some.judge(request).instead).toBeUndefined();
	some.replace(
		some.list().map((each): Fault => {
			const { hits: _hits, ...fault } = each;
			return fault;
		}),
	);
	expect(some.list().map(({ hits }) => hits)).toEqual([2, 2, 2]);
});

test("the dice go on while a fault stays, and start again with a seed or when none stays", () => {
	const dice: Fault = { id: "a", probability: 0.5, effect: error };
	const draw = (of: Faults) =>
		Array.from({ length: 20 }, () => of.judge(request).instead !== undefined);
	const whole = faults(dice);
	const reference = [...draw(whole), ...draw(whole)];
	const some = faults(dice);
	draw(some);
	some.replace([dice]);
	expect(draw(some)).toEqual(reference.slice(20));
	some.replace([dice], 1);
	expect(draw(some)).toEqual(reference.slice(0, 20));
	some.replace([]);
	some.replace([dice]);
	expect(draw(some)).toEqual(reference.slice(0, 20));
});

import type { LiveState } from "../../api/live.ts";
import {
	action,
	balancer,
	counters,
	health,
	listener,
	liveState,
	target,
} from "../../../test/support/live-samples.ts";
import { changes, digest } from "./changes.js";
import { fromState } from "./state.js";

const view = (some: Partial<LiveState>) => fromState(liveState(some), 0, null);
const withHealth = (status: "healthy" | "unhealthy") =>
	view({
		balancers: [balancer(1, { targets: [target(3, [health(80, status)])] })],
	});

test.each([
	[
		"a target that fails its checks",
		withHealth("healthy"),
		withHealth("unhealthy"),
		["lb-1: node-3 is unhealthy on port 80"],
	],
	[
		"a target that is well again",
		withHealth("unhealthy"),
		withHealth("healthy"),
		["lb-1: node-3 is healthy on port 80"],
	],
	[
		"a new target",
		view({ balancers: [balancer(1)] }),
		withHealth("healthy"),
		[],
	],
	[
		"a new balancer",
		view({}),
		view({ balancers: [balancer(1)] }),
		["Balancer lb-1 was added"],
	],
	[
		"a balancer that is gone",
		view({ balancers: [balancer(1)] }),
		view({}),
		["Balancer lb-1 was removed"],
	],
	[
		"a listener that fails",
		view({ balancers: [balancer(1)] }),
		view({
			balancers: [
				balancer(1, { listeners: [listener(80, { state: "failed" })] }),
			],
		}),
		["lb-1: the listener on port 80 failed"],
	],
	[
		"an action that fails",
		view({ actions: [action(1, { status: "running" })] }),
		view({
			actions: [
				action(1, {
					status: "error",
					error: { code: "x", message: "no room" },
				}),
			],
		}),
		["Action add target failed: no room"],
	],
	[
		"an action that gets on",
		view({ actions: [action(1, { status: "running", progress: 1 })] }),
		view({ actions: [action(1, { status: "running", progress: 50 })] }),
		[],
	],
	[
		"traffic",
		view({ balancers: [balancer(1)] }),
		view({ balancers: [balancer(1, { counters: counters({ total: 9 }) })] }),
		[],
	],
	[
		"the first fault",
		view({}),
		view({ faults: [{ id: "f", hits: 0, effect: { kind: "rate-limit" } }] }),
		["1 fault is set"],
	],
	[
		"a fault that hits",
		view({ faults: [{ id: "f", hits: 0, effect: { kind: "rate-limit" } }] }),
		view({ faults: [{ id: "f", hits: 1, effect: { kind: "rate-limit" } }] }),
		[],
	],
])("%s is told as it should be", (_, before, after, told) => {
	expect(changes(before, after)).toEqual(told);
});

test("a flood is told in three sentences and a number", () => {
	expect(digest(["a", "b"])).toBe("a. b.");
	expect(digest(["a", "b", "c", "d", "e"])).toBe(
		"a. b. c. And 2 more changes.",
	);
});

import type { LiveBalancer } from "../../api/live.ts";
import {
	balancer,
	health,
	listener,
	target,
} from "../../../test/support/live-samples.ts";
import { pathSentence, pathThrough } from "./path.js";

const through = (some: Partial<LiveBalancer>, port = 80) => {
	const one = balancer(1, some);
	const chosen = one.listeners.find((each) => each.port === port);
	if (chosen === undefined) throw new Error(`no listener ${port}`);
	const path = pathThrough(one, chosen);
	return {
		carrying: path.hops
			.filter((hop: { carries: boolean }) => hop.carries)
			.map((hop: { name: string }) => hop.name),
		first: path.hops[0],
		sentence: pathSentence(one, path),
	};
};

const [up, down, new_] = [
	[health(80, "healthy")],
	[health(80, "unhealthy")],
	[health(80, "unknown")],
];

test.each([
	["all healthy", [up, up], ["node-1", "node-2"], "all 2 targets, in turn"],
	["one unhealthy", [down, up], ["node-2"], "node-2, the only one of 2"],
	[
		"one healthy and one not checked yet",
		[new_, up],
		["node-2"],
		"node-2, the only one of 2",
	],
	[
		"none healthy, one not checked yet",
		[down, new_],
		["node-2"],
		"node-2, the only one of 2",
	],
	[
		"none checked yet",
		[new_, new_],
		["node-1", "node-2"],
		"in turn, none checked yet",
	],
	["all unhealthy", [down, down], [], "No target can serve port 80"],
	["a single one, healthy", [up], ["node-1"], "node-1, the only target"],
	["none at all", [], [], "No target yet"],
])(
	"with targets %s, new connections go where the sentence says",
	(_, checks, carrying, words) => {
		const path = through({
			targets: checks.map((check, i) => target(i + 1, check)),
		});
		expect(path.carrying).toEqual(carrying);
		expect(path.sentence).toContain(words);
	},
);

test("health on another listener's port does not count", () => {
	const path = through({
		listeners: [listener(80), listener(443)],
		targets: [
			target(1, [health(80, "unhealthy"), health(443, "healthy")]),
			target(2, [health(80, "healthy"), health(443, "unhealthy")]),
		],
	});
	expect(path.carrying).toEqual(["node-2"]);
});

test("a UDP listener is named, and judged by its own health, beside a TCP one on its port", () => {
	const udp = { ...health(53, "healthy"), transport: "udp" as const };
	const one = balancer(1, {
		listeners: [
			listener(53, { transport: "udp", protocol: "udp", engine: "kernel" }),
			listener(53),
		],
		targets: [
			target(1, [udp, health(53, "unhealthy")]),
			target(2, [udp, health(53, "unhealthy")]),
		],
	});
	const [first] = one.listeners;
	if (first === undefined) throw new Error("no listener");
	expect(pathSentence(one, pathThrough(one, first))).toBe(
		"New connections to port 53/udp go to all 2 targets, by lot.",
	);
});

test("a target without an address never carries, and says why", () => {
	const path = through({
		targets: [target(1, up, { address: null, problem: "not in the network" })],
	});
	expect(path.carrying).toEqual([]);
	expect(path.first).toMatchObject({ to: null, problem: "not in the network" });
});

test("a listener that could not be opened carries nothing, and says why", () => {
	const path = through({
		listeners: [listener(80, { state: "failed", reason: "port 80 is taken" })],
		targets: [target(1, up)],
	});
	expect(path.carrying).toEqual([]);
	expect(path.sentence).toContain("port 80 is taken");
});

test("a balancer without any address says so", () => {
	expect(through({ addresses: [], targets: [target(1, up)] }).sentence).toMatch(
		/no address/,
	);
});

test("an IPv6 target stands in brackets", () => {
	const path = through({
		targets: [target(1, up, { address: "2001:db8::7" })],
	});
	expect(path.first?.to).toBe("[2001:db8::7]:30080");
});

import {
	balancer,
	health,
	listener,
	target,
} from "../../../test/support/live-samples.ts";
import { healthyTargets, overall } from "./health.js";

const two = (...each: ("healthy" | "unhealthy" | "unknown")[][]) =>
	balancer(1, {
		listeners: [listener(80), listener(443)],
		targets: each.map(([http = "unknown", https = "unknown"], i) =>
			target(i, [health(80, http), health(443, https)]),
		),
	});

test.each([
	["all well", two(["healthy", "healthy"]), "healthy", 1],
	[
		"one of two unwell",
		two(["healthy", "healthy"], ["unhealthy", "unhealthy"]),
		"degraded",
		1,
	],
	[
		"each listener served by another",
		two(["healthy", "unhealthy"], ["unhealthy", "healthy"]),
		"degraded",
		0,
	],
	[
		"one listener served by nobody",
		two(["healthy", "unhealthy"]),
		"unhealthy",
		0,
	],
	["nothing checked yet", two(["unknown", "unknown"]), "unknown", 0],
	["no target", two(), "unknown", 0],
	[
		"a listener that failed",
		balancer(1, {
			listeners: [listener(80, { state: "failed" })],
			targets: [target(1, [health(80, "healthy")])],
		}),
		"unhealthy",
		1,
	],
])(
	"with %s, a balancer has one word for its health",
	(_, one, word, healthy) => {
		expect(overall(one)).toBe(word);
		expect(healthyTargets(one)).toEqual({ healthy, all: one.targets.length });
	},
);

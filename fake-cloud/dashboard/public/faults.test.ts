import type { Fault } from "../../api/live.ts";
import { asPut, effectText, matchText, scheduleText } from "./faults.js";

test.each<[Fault, string]>([
	[
		{ effect: { kind: "latency", ms: 5, jitterMs: 3 } },
		"Wait 5 ms and up to 3 ms more; for every request",
	],
	[
		{
			effect: {
				kind: "error",
				status: 503,
				code: "busy",
				retryAfterSeconds: 0,
			},
			match: { method: "post", path: "/x" },
		},
		"Answer 503 busy, retry after 0 s; for POST request matching /x",
	],
	[
		{ effect: { kind: "action-failed", code: "no" }, match: { project: "p" } },
		"The action fails with no; actions started by every request of project p",
	],
	[
		{
			effect: { kind: "quota", resource: "load_balancer", limit: 2 },
			after: 1,
			count: 1,
			probability: 0.25,
		},
		"At most 2 × load balancer per project; for every request; after the first 1, for 1 time, with a chance of 25 %",
	],
	[
		{ effect: { kind: "drop-response" }, probability: 1 },
		"Do it, but cut the answer off; for every request",
	],
])("%j reads as a sentence", (fault, text) => {
	expect(
		[effectText(fault.effect), matchText(fault), scheduleText(fault)]
			.filter(Boolean)
			.join("; "),
	).toBe(text);
});

test("a fault put again leaves out what became of it", () => {
	expect(asPut({ id: "a", hits: 3, effect: { kind: "rate-limit" } })).toEqual({
		id: "a",
		effect: { kind: "rate-limit" },
	});
});

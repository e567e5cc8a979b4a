import { initialVerdicts, type ProbeTally, tallied } from "./probe-tally.ts";

function verdicts(
	kind: keyof typeof initialVerdicts,
	results: string,
	thresholds = {},
) {
	let tally: ProbeTally = {
		verdict: initialVerdicts[kind],
		last: undefined,
		run: 0,
	};
	return results
		.split("")
		.map((each) => {
			tally = tallied(tally, each === "+", thresholds);
			return { success: "+", failure: "-", unknown: "?" }[tally.verdict];
		})
		.join("");
}

it.each<[string, Parameters<typeof verdicts>, string]>([
	["readiness: ready with the first success", ["readiness", "-+"], "-+"],
	[
		"readiness: unready after three failures in a row",
		["readiness", "+--+---+"],
		"++++++-+",
	],
	[
		"readiness: a success in between starts the count anew",
		["readiness", "+--+--+"],
		"+++++++",
	],
	[
		"readiness: two successes if two are asked for",
		["readiness", "+-++", { successThreshold: 2 }],
		"---+",
	],
	["liveness: alive until proven otherwise", ["liveness", "---"], "++-"],
	[
		"liveness: one failure if one is enough",
		["liveness", "-", { failureThreshold: 1 }],
		"-",
	],
	["startup: unknown until either", ["startup", "--+"], "??+"],
	[
		"startup: failed after as many as it says",
		["startup", "--", { failureThreshold: 2 }],
		"?-",
	],
])("%s", (_what, [kind, results, thresholds], expected) => {
	expect(verdicts(kind, results, thresholds)).toBe(expected);
});

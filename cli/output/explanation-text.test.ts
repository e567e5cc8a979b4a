import type { Explanation } from "../../operator/model/explain/explanation.ts";
import { explanationText, waitingText } from "./explanation-text.ts";
import { styleOf, wantsColour } from "./style.ts";

const told: Explanation = {
	service: "shop/web",
	state: "Waiting",
	headline: "shop/web waits: \u001b[31mred\u001b[0m\nnext line",
	reason: "PoolFull",
	step: "Address",
	wanted: {
		type: "LoadBalancer",
		families: ["IPv4"],
		ipFamilyPolicy: "SingleStack",
		addresses: [],
		ports: [],
		sourceRanges: [],
		externalTrafficPolicy: "Cluster",
		sessionAffinity: "None",
		externalIPs: [],
	},
	present: {
		finalizers: [],
		ingress: [],
		conditions: [],
		endpoints: { ready: 0, total: 0 },
	},
	steps: [
		{
			step: "Ownership",
			state: "Done",
			reason: "ClassFound",
			message: "class a",
		},
		{ step: "Address", state: "Blocked", reason: "PoolFull", message: "full" },
	],
	pools: [
		{
			pool: "a",
			verdict: "Refuses",
			reason: "PoolFull",
			why: "full (1 of 1)",
			ipv4: { capacity: "1", assigned: "1", available: "0" },
			ipv6: { capacity: "0", assigned: "0", available: "0" },
		},
	],
	classes: [],
	advice: ["Add addresses."],
	blind: [],
};
const escape = "\u001b";

describe("an explanation for people", () => {
	it("is lines in columns, marks first, without what has nothing to say", () => {
		expect(explanationText(told, styleOf(false))).toEqual([
			"shop/web waits: [31mred [0m next line",
			"",
			"✓  Ownership  ClassFound  class a",
			"✗  Address    PoolFull    full",
			"",
			"Pools",
			"  a  1 of 1  Refuses  full (1 of 1)",
			"",
			"What to do",
			"  Add addresses.",
		]);
	});

	it("never holds a control character that somebody wrote into an object", () => {
		const lines = [
			...explanationText(told, styleOf(false)),
			...waitingText([told], 1, styleOf(false)),
		];
		expect(lines.join("")).not.toContain(escape);
		expect(lines.every((line) => !line.includes("\n"))).toBe(true);
	});

	it("has the same text in colour, and lines up the same", () => {
		const stripped = explanationText(told, styleOf(true)).map((line) =>
			line.replaceAll(new RegExp(`${escape}\\[\\d+m`, "g"), "").trimEnd(),
		);
		expect(stripped).toEqual(explanationText(told, styleOf(false)));
	});

	it.each<[string, Parameters<typeof wantsColour>, boolean]>([
		["a terminal gets colour", ["auto", true, {}], true],
		["a pipe gets none", ["auto", false, {}], false],
		["NO_COLOR takes it away", ["auto", true, { NO_COLOR: "1" }], false],
		["a dumb terminal gets none", ["auto", true, { TERM: "dumb" }], false],
		["who asks for it gets it in a pipe", ["always", false, {}], true],
		["who wants none gets none", ["never", true, {}], false],
	])("%s", (_row, [when, isTTY, env], expected) => {
		expect(wantsColour(when, isTTY, env)).toBe(expected);
	});

	it("says in one line that nobody waits", () => {
		expect(waitingText([], 7, styleOf(false))).toEqual([
			"No Service waits (7 of type LoadBalancer).",
		]);
	});
});

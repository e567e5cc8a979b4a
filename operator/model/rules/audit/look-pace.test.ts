import { nextLookAt } from "./look-pace.ts";

it.each([
	["the first look is not held up", 500, undefined, 500],
	[
		"a look that took nothing holds nobody up",
		510,
		{ endedAt: 500, tookMs: 0 },
		510,
	],
	[
		"a quick look leaves the pause that was wished for",
		10_500,
		{ endedAt: 500, tookMs: 100 },
		10_500,
	],
	[
		"after a slow look there is nine times as long a pause",
		20_000,
		{ endedAt: 10_000, tookMs: 8_000 },
		82_000,
	],
])("%s", (_, wanted, last, expected) => {
	expect(nextLookAt(wanted, last)).toBe(expected);
});

import {
	afterRestart,
	type CrashLoop,
	goSeconds,
	restartAt,
} from "./crash-loop.ts";

/** Restarts a container that ends `livesMs` after each start, as soon as it may; gives the pauses before each restart. */
function pauses(lives: number[]): number[] {
	let loop: CrashLoop | undefined;
	let now = 0;
	return lives.map((livesMs) => {
		const endedAt = now + livesMs;
		const at = restartAt(loop, endedAt);
		loop = afterRestart(loop, endedAt, at);
		now = at;
		return at - endedAt;
	});
}

const minute = 60_000;

it("restarts at once, then after 10 s, doubling to 5 minutes", () => {
	expect(pauses(Array.from({ length: 8 }, () => 100))).toEqual([
		0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000,
	]);
});

it("forgets everything once a container has run for more than 10 minutes", () => {
	expect(pauses([1, 1, 1, 10 * minute + 1, 1, 1])).toEqual([
		0, 10_000, 20_000, 0, 10_000, 20_000,
	]);
});

it("does not forget after less", () => {
	expect(pauses([1, 1, 10 * minute - 1])).toEqual([0, 10_000, 20_000]);
});

it.each([
	[10_000, "10s"],
	[80_000, "1m20s"],
	[300_000, "5m0s"],
])("says %d ms as Go does: %s", (ms, text) => {
	expect(goSeconds(ms)).toBe(text);
});

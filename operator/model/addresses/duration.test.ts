import { parseDuration } from "./duration.ts";

test.each([
	["0", 0],
	["0s", 0],
	["10m", 600_000],
	["1h30m", 5_400_000],
	["1.5h", 5_400_000],
	["250ms", 250],
	["1s500ms", 1500],
	["2000us", 2],
	["2000µs", 2],
])("%s is %d milliseconds", (text, value) => {
	expect(parseDuration(text)).toEqual({ ok: true, value });
});

test.each([
	"",
	"10",
	"m",
	"-1m",
	"+1m",
	"1 m",
	"1d",
	"1m 2s",
	"1.m",
	"ten minutes",
])("%j is no duration", (text) => {
	expect(parseDuration(text)).toEqual({
		ok: false,
		reason: expect.stringContaining(
			`${JSON.stringify(text)} is not a duration`,
		),
	});
});

import { type Parsed, parsed, refused } from "./parsed.ts";

const millisecondsIn: Record<string, number> = {
	ns: 1e-6,
	us: 1e-3,
	µs: 1e-3,
	ms: 1,
	s: 1000,
	m: 60_000,
	h: 3_600_000,
};

/** Milliseconds of a Go duration ("1h30m", "10m", "0.5s"; "0" alone needs no unit). Negative ones are refused. */
export function parseDuration(text: string): Parsed<number> {
	if (text === "0") return parsed(0);
	const part = /([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)/gy;
	let total = 0;
	let end = 0;
	for (const match of text.matchAll(part)) {
		total += Number(match[1]) * (millisecondsIn[match[2] as string] as number);
		end = match.index + match[0].length;
	}
	return end > 0 && end === text.length
		? parsed(total)
		: refused(
				`${JSON.stringify(text)} is not a duration; write it like "10m" or "1h30m"`,
			);
}

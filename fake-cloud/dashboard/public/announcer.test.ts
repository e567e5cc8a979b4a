import { announcer } from "./announcer.js";

test("says the first thing at once, what comes meanwhile as one, and nothing twice", () => {
	const said: string[] = [];
	const timers: (() => void)[] = [];
	const announce = announcer(
		(_ms: number, run: () => void) => timers.push(run),
		(text: string) => said.push(text),
	);
	announce([]);
	expect(timers).toHaveLength(0);
	announce(["one"]);
	announce(["two"]);
	announce(["three"]);
	expect(said).toEqual(["one."]);
	timers.shift()?.();
	expect(said).toEqual(["one.", "two. three."]);
	timers.shift()?.();
	expect(timers).toHaveLength(0);
	announce(["four"]);
	expect(said).toEqual(["one.", "two. three.", "four."]);
});

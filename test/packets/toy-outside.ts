// An outer process for a test to kill.
import { systemClock } from "../../operator/clock.ts";
import { startInside } from "../../sandbox/network/outside.ts";

const inside = startInside({
	command: [
		process.execPath,
		new URL("./toy-inside.ts", import.meta.url).pathname,
	],
	env: {},
	listeners: {},
	start: () => Promise.resolve({}),
	onReport: (report) => process.send?.({ pid: inside.pid, report }),
	stdout: process.stdout,
	stderr: process.stderr,
	clock: systemClock,
});
await inside.started;

import { homedir } from "node:os";
import { text } from "node:stream/consumers";
import { type Clock, systemClock } from "../operator/clock.ts";
import type { Log } from "../operator/log.ts";
import { createLog } from "./log.ts";

/** What a command gets from the process it runs in; cli/ is the only room that reads environment and signals. */
export interface Runtime {
	clock: Clock;
	random: () => number;
	env: NodeJS.ProcessEnv;
	home: string;
	stdout: (line: string) => void;
	/** For remarks beside what a command prints. */
	stderr: (line: string) => void;
	/** Whether a person reads standard output, and how many characters a line of theirs holds. */
	terminal: { isTTY: boolean; columns: number | undefined };
	/** All of standard input. */
	stdin: () => Promise<string>;
	/** Aborted by SIGINT or SIGTERM: drain and end. A second signal ends the process at once. */
	stop: AbortSignal;
	createLog(level: Parameters<typeof createLog>[0]): Promise<Log>;
}

/** One Ctrl-C arrives several times: from the terminal, and passed on by npm and by bin/run.js. */
const sameSignalMs = 1_000;

export function processRuntime(): Runtime {
	const stop = new AbortController();
	let asked = 0;
	for (const signal of ["SIGINT", "SIGTERM"] as const)
		process.on(signal, () => {
			const now = systemClock.monotonic();
			if (!stop.signal.aborted) {
				asked = now;
				stop.abort(new Error(signal));
			} else if (now - asked > sameSignalMs) process.exit(130);
		});
	const { env } = process;
	// Nobody tells a process that its parent was killed; bin/run.js stands for this one, and its end is asking to stop.
	const launcher = Number(env["FAIRLEAD_LAUNCHER"]);
	if (process.ppid === launcher)
		setInterval(() => {
			if (process.ppid !== launcher) stop.abort(new Error("launcher killed"));
		}, 500).unref();
	return {
		clock: systemClock,
		random: Math.random,
		env,
		home: homedir(),
		stdout: (line) => process.stdout.write(`${line}\n`),
		stderr: (line) => process.stderr.write(`${line}\n`),
		terminal: {
			isTTY: process.stdout.isTTY === true,
			columns: process.stdout.columns,
		},
		stdin: () => text(process.stdin),
		stop: stop.signal,
		createLog: (level) =>
			createLog(
				level,
				process.stderr.isTTY === true,
				process.stderr.isTTY === true && !env.NO_COLOR,
			),
	};
}

/** Resolves when the process was asked to stop. */
export function stopped(runtime: Runtime): Promise<void> {
	return new Promise((resolve) => {
		if (runtime.stop.aborted) return resolve();
		// A timer with no end keeps the process alive while everything it does is wait for others.
		const alive = setInterval(() => {}, 2 ** 30);
		runtime.stop.addEventListener(
			"abort",
			() => {
				clearInterval(alive);
				resolve();
			},
			{ once: true },
		);
	});
}

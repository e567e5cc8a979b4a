import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

export interface LogRecord {
	level: string;
	msg: string;
	[field: string]: unknown;
}

/** The fairlead command as a process of its own. */
export class Fairlead {
	readonly child: ChildProcess;
	/** What it logged, parsed; what is no JSON stands as `msg`. */
	readonly log: LogRecord[] = [];
	readonly out: string[] = [];
	/** Resolves when it has ended and everything it said was read. */
	readonly ended: Promise<{ code: number | null; signal: string | null }>;
	readonly #watchers = new Set<() => void>();

	/** `through` is a command that runs the command it is given. */
	constructor(
		args: string[],
		env: NodeJS.ProcessEnv = {},
		through: readonly string[] = [],
	) {
		const [program = "", ...rest] = [
			...through,
			process.execPath,
			"--disable-warning=ExperimentalWarning",
			main,
			...args,
		];
		this.child = spawn(program, rest, {
			stdio: ["ignore", "pipe", "pipe"],
			env: { PATH: process.env.PATH, HOME: "/nonexistent", ...env },
		});
		const closed = once(this.child, "close");
		this.ended = closed.then(([code, signal]) => ({
			code: code as number | null,
			signal: signal as string | null,
		}));
		if (this.child.stderr)
			createInterface({ input: this.child.stderr }).on("line", (line) => {
				this.log.push(parse(line));
				for (const watcher of this.#watchers) watcher();
			});
		if (this.child.stdout)
			createInterface({ input: this.child.stdout }).on("line", (line) => {
				this.out.push(line);
				for (const watcher of this.#watchers) watcher();
			});
	}

	/** Resolves with the first log record for which `wanted` holds, those of the past included. */
	logged(wanted: (record: LogRecord) => boolean): Promise<LogRecord> {
		return this.#until(() => this.log.find(wanted));
	}

	/** Resolves with the first line of standard output that matches. */
	printed(pattern: RegExp): Promise<RegExpExecArray> {
		return this.#until(() => {
			for (const line of this.out) {
				const match = pattern.exec(line);
				if (match) return match;
			}
			return undefined;
		});
	}

	/** Sends the signal and resolves when the process has ended. */
	async kill(
		signal: NodeJS.Signals,
	): Promise<{ code: number | null; signal: string | null }> {
		this.child.kill(signal);
		return this.ended;
	}

	async #until<T>(read: () => T | undefined): Promise<T> {
		const waiting = new Promise<T>((resolve) => {
			const look = () => {
				const found = read();
				if (found === undefined) return;
				this.#watchers.delete(look);
				resolve(found);
			};
			this.#watchers.add(look);
			look();
		});
		const over = this.ended.then(({ code, signal }) => {
			const found = read();
			if (found !== undefined) return found;
			throw new Error(
				`fairlead ended (code ${code}, signal ${signal}) before what was awaited:\n${this.log.map((record) => JSON.stringify(record)).join("\n")}`,
			);
		});
		return Promise.race([waiting, over]);
	}
}

function parse(line: string): LogRecord {
	try {
		return JSON.parse(line) as LogRecord;
	} catch {
		return { level: "none", msg: line };
	}
}

import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reply, Report, Request } from "./cluster-supervisor.ts";

/** `Request` without its id, for each kind of request by itself. */
type Asked = Request extends infer R
	? R extends Request
		? Omit<R, "id">
		: never
	: never;

const startLimit = 60_000;

/** This process's end of a supervisor: the processes of one cluster, their folder and their port. */
export class ClusterProcesses {
	readonly folder: string;
	readonly port: number;
	readonly #supervisor: ChildProcess;
	readonly #pending = new Map<number, (reply: Reply) => void>();
	readonly #deaths = new Map<string, string>();
	readonly #exited: Promise<void>;
	#lastId = 0;
	#ending = false;

	private constructor(
		supervisor: ChildProcess,
		{ folder, port }: { folder: string; port: number },
	) {
		this.folder = folder;
		this.port = port;
		this.#supervisor = supervisor;
		supervisor.on("message", (report: Report) => this.#heard(report));
		this.#exited = new Promise((resolve) => {
			supervisor.on("exit", (code, signal) => {
				if (code !== 0 || !this.#ending)
					this.#lost(signal ?? `exit code ${code}`);
				resolve();
			});
		});
		this.#mayExit(true);
	}

	/** Starts a supervisor with a folder of its own and a port on `address` that stays free for it. */
	static async start(address: string): Promise<ClusterProcesses> {
		const supervisor = fork(
			join(import.meta.dirname, "cluster-supervisor.ts"),
			[address],
			{
				// Its own session: a signal to the test's process group must not reach it before it can clean up.
				detached: true,
				execArgv: ["--disable-warning=ExperimentalWarning"],
				stdio: ["ignore", "ignore", "inherit", "ipc"],
			},
		);
		const report = await new Promise<Report>((resolve, reject) => {
			supervisor.once("message", resolve);
			supervisor.once("error", reject);
			supervisor.once("exit", (code) =>
				reject(new Error(`the cluster's supervisor ended with code ${code}`)),
			);
		});
		supervisor.removeAllListeners();
		if ("ready" in report)
			return new ClusterProcesses(supervisor, report.ready);
		throw new Error("unready" in report ? report.unready : "unexpected report");
	}

	/** Components that ended though nobody had asked them to, and how. */
	get deaths(): ReadonlyMap<string, string> {
		return this.#deaths;
	}

	/**
	 * Starts a component and resolves with its process id once `probe` resolves with nothing; until then `probe` says
	 * what is missing. Rejects with the component's last log lines when it ends or is not ready within 60 s.
	 */
	async start(
		component: string,
		command: string,
		args: string[],
		probe: () => Promise<string | undefined>,
	): Promise<number> {
		const { pid } = await this.#ask({ do: "start", component, command, args });
		const deadline = performance.now() + startLimit;
		for (;;) {
			const missing = await probe();
			if (missing === undefined) return pid as number;
			const death = this.#deaths.get(component);
			const problem = death
				? `ended (${death})`
				: performance.now() > deadline
					? `was not ready after ${startLimit / 1000} s: ${missing}`
					: undefined;
			if (problem)
				throw new Error(
					`${component} ${problem}\n${this.#lastLines(component)}`,
				);
			await sleep(10);
		}
	}

	/** Resolves when the component has ended; at once if it does not run. */
	async stop(component: string, signal: NodeJS.Signals): Promise<void> {
		await this.#ask({ do: "stop", component, signal });
	}

	/**
	 * Kills everything and removes the folder. Resolves with the folder of the kept logs: they are kept if asked, or if a
	 * component had died by itself; `deaths` is complete then.
	 */
	async end(keepLogs: boolean): Promise<string | undefined> {
		this.#ending = true;
		this.#mayExit(false);
		let logs: string | undefined;
		if (this.#supervisor.connected) {
			({ logs } = await this.#ask({ do: "end", keepLogs }));
			this.#mayExit(false);
			if (this.#supervisor.connected) this.#supervisor.disconnect();
		}
		await this.#exited;
		return logs;
	}

	async #ask(asked: Asked): Promise<Reply> {
		if (!this.#supervisor.connected)
			throw new Error("the cluster's supervisor is gone");
		const id = ++this.#lastId;
		this.#mayExit(false);
		const reply = await new Promise<Reply>((resolve) => {
			this.#pending.set(id, resolve);
			// A request that cannot be sent any more is answered by #lost, as soon as the supervisor's end is known.
			this.#supervisor.send({ ...asked, id }, () => {});
		});
		if (this.#pending.size === 0) this.#mayExit(true);
		if (reply.error) throw new Error(reply.error);
		return reply;
	}

	#heard(report: Report): void {
		if ("died" in report) this.#deaths.set(report.died, report.how);
		if (!("id" in report)) return;
		const resolve = this.#pending.get(report.id);
		this.#pending.delete(report.id);
		resolve?.(report);
	}

	/** The supervisor ended without having taken everything down. */
	#lost(how: string): void {
		this.#deaths.set("the cluster's supervisor", how);
		rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
		for (const id of this.#pending.keys())
			this.#heard({ id, error: `the cluster's supervisor ended (${how})` });
	}

	/** An idle cluster does not keep the test process alive: one that was forgotten is taken down when the process ends. */
	#mayExit(yes: boolean): void {
		const change = yes ? "unref" : "ref";
		this.#supervisor[change]();
		this.#supervisor.channel?.[change]();
	}

	#lastLines(component: string): string {
		const log = join(this.folder, "logs", `${component}.log`);
		if (!existsSync(log)) return "(it has logged nothing)";
		return readFileSync(log, "utf8")
			.trimEnd()
			.split("\n")
			.slice(-15)
			.join("\n");
	}
}

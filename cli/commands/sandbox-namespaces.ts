import { closeSync } from "node:fs";
import {
	FairleadError,
	type ErrorCode,
	errors,
} from "../../operator/errors.ts";
import { openListeners } from "../../sandbox/listeners.ts";
import { stateFile } from "../../sandbox/folder.ts";
import { writeState } from "../../sandbox/network/exec.ts";
import { openListener, startInside } from "../../sandbox/network/outside.ts";
import {
	type InsideReport,
	type InsideStart,
	insideReport,
} from "./sandbox-messages.ts";
import type { RunningSandbox, RunOptions } from "./sandbox-run.ts";

/**
 * The sandbox in a process of its own, in namespaces of its own; this one keeps the way in open and sees to the end.
 * Throws NetworkUnavailable or Kernel… where this machine does not have what that needs.
 */
export async function runInNamespaces(
	options: RunOptions,
): Promise<RunningSandbox> {
	const { runtime, nodes, folder, dataDir } = options;
	const { clock, env } = runtime;
	const told = new Told();
	const terminal = process.stderr.isTTY === true;
	const start: InsideStart = {
		nodes,
		folder,
		path: env["PATH"] ?? "",
		...(dataDir !== undefined && { dataDir }),
		log: {
			level: options.logLevel,
			pretty: terminal,
			colour: terminal && !env["NO_COLOR"],
		},
	};
	const inside = startInside({
		command: [
			process.execPath,
			...process.execArgv,
			process.argv[1] ?? "",
			"sandbox-inside",
		],
		env: pass(env, "HOME", "NODE_COMPILE_CACHE", "PATH", "TMPDIR"),
		listeners: await openListeners(
			options.ports,
			(port) => openListener("127.0.0.1", port),
			({ fd }) => closeSync(fd),
		),
		start,
		onReport: (words) => told.take(insideReport.parse(words)),
		stdout: process.stdout,
		stderr: process.stderr,
		clock,
	});
	const failed = inside.ended.then(({ code, signal }) => {
		throw new FairleadError(
			"NetworkUnavailable",
			`the sandbox's process ended (${signal ?? `exit code ${code}`}); its last words are above`,
		);
	});
	failed.catch(() => {});
	const close = async () => void (await inside.stop());
	const asked = new Promise<never>((_, reject) => {
		const leave = () =>
			reject(new FairleadError("NetworkUnavailable", "stopped while starting"));
		if (runtime.stop.aborted) leave();
		runtime.stop.addEventListener("abort", leave, { once: true });
	});
	asked.catch(() => {});
	try {
		await Promise.race([inside.started, asked]);
		const ready = await Promise.race([told.ready, failed, asked]);
		await writeState(stateFile(folder), inside.pid, ready.places);
		return { ...ready, address: told.address, failed, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/** What the inner process has said so far. */
class Told {
	readonly #ready =
		Promise.withResolvers<Extract<InsideReport, { ready: unknown }>["ready"]>();
	readonly #address = Promise.withResolvers<string>();

	get ready() {
		return this.#ready.promise;
	}

	get address() {
		return this.#address.promise;
	}

	take(report: InsideReport): void {
		if ("ready" in report) this.#ready.resolve(report.ready);
		else if ("address" in report) this.#address.resolve(report.address);
		else {
			const { code, message } = report.failed;
			this.#ready.reject(
				new FairleadError(
					Object.hasOwn(errors, code)
						? (code as ErrorCode)
						: "NetworkUnavailable",
					message,
				),
			);
		}
	}
}

function pass(env: NodeJS.ProcessEnv, ...names: string[]) {
	return Object.fromEntries(
		names.flatMap((name) => {
			const value = env[name];
			return value === undefined ? [] : [[name, value]];
		}),
	);
}

import { closeSync } from "node:fs";
import {
	FairleadError,
	type ErrorCode,
	errors,
	isFairleadError,
} from "../../operator/errors.ts";
import { openListeners } from "../../sandbox/listeners.ts";
import { stateFile } from "../../sandbox/folder.ts";
import { writeState } from "../../sandbox/network/exec.ts";
import { programPath } from "../../sandbox/network/programs.ts";
import { openListener, startInside } from "../../sandbox/network/outside.ts";
import {
	type InsideReport,
	type InsideStart,
	insideReport,
} from "./sandbox-messages.ts";
import type { RunningSandbox, RunOptions } from "./sandbox-run.ts";

/** The sandbox runs; or it cannot on this machine, and why; or it was asked to stop before it was ready. */
export type InNamespaces =
	| { running: RunningSandbox }
	| { missing: FairleadError }
	| "stopped";

/**
 * The sandbox in a process of its own, in namespaces of its own; this one keeps the way in open and sees to the end.
 * Throws ListenFailed, SandboxEnded, and whatever else would be the same without namespaces.
 */
export async function runInNamespaces(
	options: RunOptions,
): Promise<InNamespaces> {
	const missing = whatIsMissing();
	if (missing) return { missing };
	const { runtime, nodes, folder, dataDir } = options;
	const { clock, env } = runtime;
	const told = new Told();
	const terminal = process.stderr.isTTY === true;
	const start = async (): Promise<InsideStart> => ({
		nodes,
		folder,
		path: env["PATH"] ?? "",
		...(dataDir !== undefined && { dataDir }),
		log: {
			level: options.logLevel,
			pretty: terminal,
			colour: terminal && !env["NO_COLOR"],
		},
		// Loaded only now, while the other process loads everything else.
		bundled: await (await import("../../sandbox/bundled.ts")).readBundled(),
	});
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
	const close = async () => void (await inside.stop());
	const asked = aborted(runtime.stop);
	const begun = await Promise.race([
		inside.started.then(() => undefined, asError),
		asked,
	]);
	if (begun !== undefined) {
		await close();
		return begun === "stopped" ? begun : { missing: begun };
	}
	const failed = inside.ended.then(({ code, signal }) => {
		throw new FairleadError(
			"SandboxEnded",
			`the sandbox's process ended (${signal ?? `exit code ${code}`})`,
		);
	});
	failed.catch(() => {});
	try {
		const ready = await Promise.race([told.ready, failed, asked]);
		if (ready === "stopped" || ready instanceof FairleadError) {
			await close();
			if (ready === "stopped") return ready;
			if (isNoNamespaces(ready)) return { missing: ready };
			throw ready;
		}
		await writeState(stateFile(folder), inside.pid, ready.places);
		return { running: { ...ready, address: told.address, failed, close } };
	} catch (error) {
		await close();
		throw error;
	}
}

/** What can be seen to be missing before anything is opened. */
function whatIsMissing(): FairleadError | undefined {
	if (process.platform !== "linux")
		return new FairleadError(
			"NetworkUnavailable",
			`namespaces need Linux, and this is ${process.platform}`,
		);
	try {
		for (const name of ["unshare", "nsenter", "mount"]) programPath(name);
	} catch (error) {
		return asError(error);
	}
	return undefined;
}

/** Whether it failed for want of what namespaces need, not for a reason that userspace would meet as well. */
function isNoNamespaces(error: FairleadError): boolean {
	return isFairleadError(
		error,
		"NetworkUnavailable",
		"KernelDenied",
		"KernelUnsupported",
		"KernelFailed",
	);
}

function asError(error: unknown): FairleadError {
	if (!isFairleadError(error)) throw error;
	return error;
}

function aborted(signal: AbortSignal): Promise<"stopped"> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve("stopped");
		signal.addEventListener("abort", () => resolve("stopped"), { once: true });
	});
}

/** What the inner process has said so far. */
class Told {
	/** What is ready, or why nothing is. */
	readonly #ready = Promise.withResolvers<
		Extract<InsideReport, { ready: unknown }>["ready"] | FairleadError
	>();
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
			this.#ready.resolve(
				new FairleadError(
					Object.hasOwn(errors, code) ? (code as ErrorCode) : "SandboxEnded",
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

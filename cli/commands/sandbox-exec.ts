import { spawn } from "node:child_process";
import { once } from "node:events";
import { FairleadError, isFairleadError } from "../../operator/errors.ts";
import { runningFolders, stateFile } from "../../sandbox/folder.ts";
import {
	commandIn,
	type ExecTarget,
	readState,
	type SandboxState,
} from "../../sandbox/network/exec.ts";
import type { Runtime } from "../runtime.ts";

const usage =
	"fairlead sandbox exec client|cloud|node-N|POD|NAMESPACE/POD -- COMMAND [ARGS]";

/** Runs a command inside the newest sandbox that runs, with this terminal; ends with the command's exit code. */
export async function sandboxExec(
	args: string[],
	runtime: Runtime,
): Promise<number> {
	const [where, dashes, ...command] = args;
	if (where === undefined || dashes !== "--" || command.length === 0)
		throw new FairleadError("FlagInvalid", `usage: ${usage}`);
	const { folder, state } = await newestSandbox();
	const target: ExecTarget = Object.hasOwn(state.places, where)
		? { place: where }
		: await podTarget(where, folder, runtime);
	const [program = "", ...rest] = commandIn(
		state,
		target,
		command,
		process.cwd(),
	);
	const child = spawn(program, rest, { stdio: "inherit" });
	// The terminal signals the command as well; what becomes of it is told by its end.
	runtime.stop.addEventListener("abort", () => child.kill("SIGTERM"));
	const [code] = (await once(child, "exit")) as [number | null];
	return code ?? 1;
}

/** The newest one that has namespaces to run in. */
async function newestSandbox(): Promise<{
	folder: string;
	state: SandboxState;
}> {
	let problem: unknown;
	for (const folder of await runningFolders())
		try {
			return { folder, state: await readState(stateFile(folder)) };
		} catch (error) {
			if (!isFairleadError(error, "NetworkUnavailable")) throw error;
			problem ??= error;
		}
	throw (
		problem ??
		new FairleadError(
			"NetworkUnavailable",
			"no sandbox runs; start one with fairlead sandbox",
		)
	);
}

/** Loaded only then: talking to the API server takes longer to load than everything else here. */
async function podTarget(
	where: string,
	folder: string,
	runtime: Runtime,
): Promise<ExecTarget> {
	const { processOf } = await import("./sandbox-pod-process.ts");
	return { process: await processOf(where, folder, runtime) };
}

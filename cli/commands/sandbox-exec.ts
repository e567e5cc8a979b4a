import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Pod } from "../../operator/api/core.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { runningFolders, stateFile } from "../../sandbox/folder.ts";
import {
	commandIn,
	type ExecTarget,
	readState,
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
	const [folder] = await runningFolders();
	if (folder === undefined)
		throw new FairleadError(
			"NetworkUnavailable",
			"no sandbox runs; start one with fairlead sandbox",
		);
	const state = await readState(stateFile(folder));
	const target: ExecTarget = Object.hasOwn(state.places, where)
		? { place: where }
		: { process: await processOf(where, folder, runtime) };
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

/** The main process of a pod's first container that runs, as numbered inside. */
async function processOf(
	where: string,
	folder: string,
	runtime: Runtime,
): Promise<number> {
	const { clock } = runtime;
	const [first = "", second] = where.split("/");
	const [namespace, name] =
		second === undefined ? ["default", first] : [first, second];
	const log = await runtime.createLog("error");
	const client = createKubeClient(
		await loadConnection({ path: join(folder, "kubeconfig"), clock, log }),
		{ clock, log, userAgent: "fairlead-sandbox-exec" },
	);
	try {
		const pod = await client.get<Pod>(resources.pods, { namespace, name });
		for (const { state, containerID } of pod.status?.containerStatuses ?? []) {
			const [, number] = /^process:\/\/(\d+)$/.exec(containerID ?? "") ?? [];
			if (state?.running && number !== undefined) return Number(number);
		}
	} finally {
		client.close();
	}
	throw new FairleadError(
		"NetworkUnavailable",
		`pod ${namespace}/${name} has no container that runs`,
	);
}

import { rm } from "node:fs/promises";
import { dataFolder, runFolder } from "../../sandbox/folder.ts";
import type { sandboxFlags } from "../config.ts";
import type { FlagValues } from "../flags.ts";
import { type Runtime, stopped } from "../runtime.ts";
import type { RunningSandbox, RunOptions } from "./sandbox-run.ts";

export async function sandbox(
	flags: FlagValues<typeof sandboxFlags>,
	runtime: Runtime,
): Promise<void> {
	const { clock, stdout } = runtime;
	const began = clock.monotonic();
	const seconds = () => ((clock.monotonic() - began) / 1000).toFixed(1);
	if (flags.data !== undefined) await dataFolder(flags.data);
	const folder = await runFolder(process.pid);
	try {
		const started = await start(flags, runtime, folder);
		if (!started) return;
		const { running, mode } = started;
		if (runtime.stop.aborted) return await running.close();
		stdout(
			`Fairlead's sandbox is ready after ${seconds()} s; network: ${mode}`,
		);
		stdout("");
		stdout(`  dashboard   ${running.dashboard}`);
		stdout(`  kubeconfig  ${running.kubeconfigPath}`);
		stdout(`  door        socks5h://${running.door}`);
		stdout("");
		if (flags.nodes === 0)
			stdout(
				"Without nodes every pod stays Pending; the API server and the cloud work. Ctrl-C ends it.",
			);
		const ended = stopped(runtime);
		const over = Promise.race([ended, running.failed]);
		const address = await Promise.race([running.address, over]);
		if (typeof address === "string" && !runtime.stop.aborted) {
			stdout(
				`Service default/hello is served after ${seconds()} s; from here:`,
			);
			stdout("");
			stdout(`  curl -x socks5h://${running.door} http://${address}/`);
			stdout("");
			stdout("Ctrl-C ends it and leaves nothing behind.");
		}
		try {
			await over;
		} finally {
			await running.close();
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

/** In the mode asked for; `auto` takes namespaces where it can, and says what is missing where it cannot. */
async function start(
	flags: FlagValues<typeof sandboxFlags>,
	runtime: Runtime,
	folder: string,
): Promise<{ running: RunningSandbox; mode: string } | undefined> {
	const options: RunOptions = {
		nodes: flags.nodes,
		ports: {
			api: flags.port,
			cloud: flags["cloud-port"],
			door: flags["door-port"],
		},
		folder,
		dataDir: flags.data,
		logLevel: flags["log-level"],
		runtime,
	};
	if (flags.network === "userspace")
		return {
			running: await runHere(options),
			mode: "userspace, as asked for",
		};
	const { runInNamespaces } = await import("./sandbox-namespaces.ts");
	const answer = await runInNamespaces(options);
	if (answer === "stopped") return undefined;
	if ("running" in answer)
		return {
			running: answer.running,
			mode: "netns, each node and pod in a network namespace of its own",
		};
	if (flags.network === "netns") throw answer.missing;
	return {
		running: await runHere(options),
		mode: `userspace, since ${answer.missing.message}`,
	};
}

async function runHere(options: RunOptions): Promise<RunningSandbox> {
	const { runInProcess } = await import("./sandbox-process.ts");
	return runInProcess(options);
}

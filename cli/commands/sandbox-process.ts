import { randomBytes } from "node:crypto";
import { readBundled } from "../../sandbox/bundled.ts";
import { openServers } from "../../sandbox/listeners.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import { startSandbox } from "../../sandbox/sandbox.ts";
import type { RunningSandbox, RunOptions } from "./sandbox-run.ts";

/** The sandbox in this process, packets carried by it instead of the kernel. */
export async function runInProcess(
	options: RunOptions,
): Promise<RunningSandbox> {
	const { runtime, folder, nodes, dataDir } = options;
	const { clock, random, env } = runtime;
	const sandbox = await startSandbox({
		nodes,
		network: createNetwork({ mode: "userspace" }),
		listeners: await openServers(options.ports),
		folder,
		dataDir,
		bundled: await readBundled(),
		path: env["PATH"] ?? "",
		nodeBinary: process.execPath,
		clock,
		random,
		randomBytes,
		log: await runtime.createLog(options.logLevel),
	});
	await sandbox.ready;
	return { ...sandbox, failed: new Promise(() => {}) };
}

import { randomBytes } from "node:crypto";
import { flushCompileCache } from "node:module";
import { isFairleadError } from "../../operator/errors.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import { placesOf } from "../../sandbox/network/exec.ts";
import type { Network } from "../../sandbox/network/network.ts";
import { receiveStart, serverOn } from "../../sandbox/network/inside.ts";
import { type Sandbox, startSandbox } from "../../sandbox/sandbox.ts";
import { createLog } from "../log.ts";
import type { Runtime } from "../runtime.ts";
import { type InsideReport, insideStart } from "./sandbox-messages.ts";

/** The sandbox in the namespaces that `fairlead sandbox` has made for it; not for people to call. */
export async function sandboxInside(
	_flags: unknown,
	{ clock, random }: Runtime,
): Promise<void> {
	const { start, listeners, report, stopAsked } = await receiveStart(process);
	const { nodes, folder, dataDir, bundled, path, log } =
		insideStart.parse(start);
	const say = (words: InsideReport) => report(words);
	const opened = (name: string) => serverOn(listeners[name] ?? -1);
	let sandbox: Sandbox;
	let network: Network;
	try {
		network = createNetwork({ mode: "netns", folder });
		sandbox = await startSandbox({
			nodes,
			network,
			listeners: {
				api: opened("api"),
				cloud: opened("cloud"),
				door: opened("door"),
			},
			folder,
			dataDir,
			bundled,
			path,
			nodeBinary: process.execPath,
			clock,
			random,
			randomBytes,
			log: await createLog(log.level, log.pretty, log.colour),
		});
		await sandbox.ready;
	} catch (error) {
		if (!isFairleadError(error)) throw error;
		say({ failed: { code: error.code, message: error.message } });
		await stopAsked;
		process.exit(1);
	}
	const { dashboard, kubeconfigPath, door, nodes: machines } = sandbox;
	const places = placesOf(network, machines);
	say({ ready: { dashboard, kubeconfigPath, door, places } });
	void sandbox.address.then((address) => {
		say({ address });
		// Now, since a sandbox that is killed flushes nothing, and the next start wants it.
		flushCompileCache();
	});
	await stopAsked;
	await sandbox.close();
	// It is process 1 of its namespaces: the kernel ends with it whatever is left.
	process.exit(0);
}

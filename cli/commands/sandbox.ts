import { randomBytes } from "node:crypto";
import { startSandbox } from "../../sandbox/sandbox.ts";
import type { sandboxFlags } from "../config.ts";
import type { FlagValues } from "../flags.ts";
import { type Runtime, stopped } from "../runtime.ts";

export async function sandbox(
	flags: FlagValues<typeof sandboxFlags>,
	runtime: Runtime,
): Promise<void> {
	const { clock, random, stdout, stop } = runtime;
	const began = clock.monotonic();
	const log = await runtime.createLog(flags["log-level"]);
	const running = await startSandbox({
		nodes: flags.nodes,
		port: flags.port,
		cloudPort: flags["cloud-port"],
		clock,
		random,
		randomBytes,
		log,
	});
	const seconds = () => ((clock.monotonic() - began) / 1000).toFixed(1);
	stdout(`Fairlead's sandbox is ready after ${seconds()} s.`);
	stdout("");
	stdout(`  dashboard   ${running.dashboard}`);
	stdout(`  kubeconfig  ${running.kubeconfigPath}`);
	stdout("");
	const ended = stopped(runtime);
	const address = await Promise.race([running.address, ended]);
	if (address !== undefined && !stop.aborted) {
		stdout(
			`Service default/hello has its address after ${seconds()} s; from outside the cluster:`,
		);
		stdout("");
		stdout(`  curl -x socks5h://${running.door} http://${address}/`);
		stdout("");
		stdout("Ctrl-C ends it and leaves nothing behind.");
	}
	await ended;
	await running.close();
}

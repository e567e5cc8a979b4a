import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Fairlead } from "../../test/support/fairlead.ts";

/** Clock ticks of /proc/PID/stat; every Linux that Node runs on has 100. */
const ticksPerSecond = 100;

/** What bin/fairlead.js gives the role, without the launcher's own process in between. */
const launched = {
	NODE_OPTIONS: "--max-semi-space-size=4",
	NODE_COMPILE_CACHE: fileURLToPath(
		new URL("../../node_modules/.cache/fairlead", import.meta.url),
	),
};

/**
 * Loads the program once, with no cluster to work for, as whoever runs it a second time has it: Node keeps what it compiled of
 * TypeScript, where a package that is installed comes compiled.
 */
export async function compiledOnce(): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), "fairlead-bench-"));
	try {
		const kubeconfig = join(folder, "kubeconfig");
		await writeFile(kubeconfig, JSON.stringify(nobody));
		const controller = new ControllerProcess(kubeconfig);
		await controller.metric("fairlead_controller_services");
		await controller.stop();
	} finally {
		await rm(folder, { recursive: true });
	}
}

/** A cluster on a port that nobody listens on: 9 is that of the discard protocol. */
const nobody = {
	"current-context": "nobody",
	contexts: [
		{ name: "nobody", context: { cluster: "nobody", user: "nobody" } },
	],
	clusters: [{ name: "nobody", cluster: { server: "http://127.0.0.1:9" } }],
	users: [{ name: "nobody", user: {} }],
};

/** The controller as users run it, with leader election. */
export class ControllerProcess {
	readonly #fairlead: Fairlead;

	constructor(kubeconfigPath: string, args: string[] = []) {
		this.#fairlead = new Fairlead(
			[
				"controller",
				"--kubeconfig",
				kubeconfigPath,
				"--metrics-port",
				"0",
				"--log-level",
				"info",
				...args,
			],
			launched,
		);
	}

	/** Seconds of CPU since it was started, and megabytes it had at most. */
	used(): { cpuSeconds: number; peakMb: number } {
		const { pid } = this.#fairlead.child;
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		const [, peak = "0"] =
			/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
		return {
			cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
			peakMb: Number(peak) / 1024,
		};
	}

	/** Sum of a metric over its labels. */
	async metric(name: string): Promise<number> {
		const { probes } = await this.#fairlead.logged(
			(record) => typeof record["probes"] === "number",
		);
		const answer = await fetch(`http://127.0.0.1:${probes as number}/metrics`);
		const text = await answer.text();
		return [...text.matchAll(new RegExp(`^${name}(?:{.*?})? (\\S+)$`, "gm"))]
			.map(([, value]) => Number(value))
			.reduce((sum, value) => sum + value, 0);
	}

	/** Resolves when it leads: from here on it may write. */
	async leads(): Promise<void> {
		await this.#fairlead.logged(({ msg }) => msg.startsWith("leads"));
	}

	async stop(): Promise<void> {
		await this.#fairlead.kill("SIGTERM");
	}
}

import type { Socket } from "node:net";
import type { Probe } from "../../operator/api/core.ts";
import type { Clock } from "../../operator/clock.ts";
import type { ContainerProcess } from "./container-process.ts";
import { look, type ProbeTarget } from "./probe-look.ts";
import { type ProbeKind, Prober } from "./prober.ts";

export interface ProbesOptions {
	podIP: string;
	/** From the node. */
	connect: (target: { host: string; port: number }) => Socket;
	clock: Clock;
	/** The startup probe has succeeded. */
	onStarted(): void;
	onReady(ready: boolean): void;
	/** The container is to be stopped, for this reason and perhaps with a grace of its own. */
	onUnwell(message: string, graceMs: number | undefined): void;
	/** A note for the event Unhealthy. */
	onFailure(note: string): void;
}

export interface Probes {
	/** The container is being stopped: only whether it is ready is still of interest. */
	ending(): void;
	stop(): void;
}

/** What an exec probe may say in an event. */
const longestOutput = 10 * 1024;

const names: Record<ProbeKind, string> = {
	liveness: "Liveness",
	readiness: "Readiness",
	startup: "Startup",
};

/** Probes one instance of a container: first whether it has started, then whether it lives and is ready. */
export function probe(
	process: ContainerProcess,
	options: ProbesOptions,
): Probes {
	const { container } = process;
	const { clock, podIP, connect } = options;
	const target: ProbeTarget = {
		container,
		podIP,
		connect,
		clock,
		exec: (command, signal) => run(process, command, signal),
	};
	const probers: Prober[] = [];
	let over = false;
	const begin = (kind: ProbeKind, spec: Probe | undefined) => {
		if (!spec || over) return;
		const prober = new Prober({
			kind,
			probe: spec,
			clock,
			look: () => look(spec, target),
			onVerdict: (verdict) => {
				if (kind === "readiness") options.onReady(verdict === "success");
				else if (verdict === "failure") {
					prober.stop();
					const seconds = spec.terminationGracePeriodSeconds;
					options.onUnwell(
						`Container ${container.name} failed ${kind} probe, will be restarted`,
						seconds === undefined ? undefined : seconds * 1000,
					);
				} else if (kind === "startup") {
					prober.stop();
					options.onStarted();
					begin("liveness", container.livenessProbe);
					begin("readiness", container.readinessProbe);
				}
			},
			onFailure: (message) =>
				options.onFailure(`${names[kind]} probe failed: ${message}`),
			onProblem: (message) =>
				options.onFailure(
					`${names[kind]} probe errored and resulted in unknown state: ${message}`,
				),
		});
		probers.push(prober);
	};
	if (container.startupProbe) begin("startup", container.startupProbe);
	else {
		begin("liveness", container.livenessProbe);
		begin("readiness", container.readinessProbe);
	}
	return {
		ending() {
			for (const prober of probers)
				if (prober.kind !== "readiness") prober.stop();
		},
		stop() {
			over = true;
			for (const prober of probers) prober.stop();
		},
	};
}

async function run(
	process: ContainerProcess,
	command: readonly string[],
	signal: AbortSignal,
): Promise<{ exitCode: number; output: string } | { problem: string }> {
	let output = "";
	try {
		const { child, ended, kill } = process.exec(command, { stdin: false });
		signal.addEventListener("abort", kill, { once: true });
		for (const stream of [child.stdout, child.stderr])
			stream?.on("data", (chunk: Buffer) => {
				output = (output + chunk.toString()).slice(0, longestOutput);
			});
		const closed = new Promise((resolve) => child.once("close", resolve));
		const end = await ended;
		if ("problem" in end) return end;
		// What it left running must not hold the probe up.
		kill();
		await closed;
		return { exitCode: end.exitCode, output };
	} catch (error) {
		return { problem: (error as Error).message };
	}
}

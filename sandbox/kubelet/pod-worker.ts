import type { Container, Pod } from "../../operator/api/core.ts";
import type { Cancel, Clock } from "../../operator/clock.ts";
import type { EventFacts } from "../../operator/cluster/event-object.ts";
import type { Log } from "../../operator/log.ts";
import type { Program } from "../images/images.ts";
import type { NodeNetwork, PodNetwork } from "../network/network.ts";
import { ContainerConfigError } from "./container-env.ts";
import type { ContainerLog } from "./container-log.ts";
import type {
	ContainerProcess,
	End,
	Surroundings,
} from "./container-process.ts";
import { afterRestart } from "./crash-loop.ts";
import { launch } from "./launch.ts";
import { type Action, nextStep } from "./next-step.ts";
import {
	type ContainerRuntime,
	isEnding,
	newRuntime,
	type PodRuntime,
	runtimeOf,
} from "./pod-runtime.ts";
import { PodNotes } from "./pod-notes.ts";
import { podStatus } from "./pod-status.ts";
import { probe, type Probes } from "./probes.ts";
import { imageProblem, type Refusal } from "./refusal.ts";

/** What a worker needs of its kubelet. */
export interface WorkerHost {
	node: NodeNetwork;
	clock: Clock;
	log: Log;
	/** Program and environment of a container. Throws ContainerConfigError. */
	prepare(
		pod: Pod,
		container: Container,
		podIP: string,
	):
		| { problem: string }
		| {
				program: Program;
				env: Record<string, string>;
				files: Record<string, string>;
		  };
	event(pod: Pod, facts: EventFacts): void;
	/** Its status may have changed, or it is over. */
	changed(worker: PodWorker): void;
}

/** The pause after a start that failed before there was a process (kubelet's backOffPeriod). */
const retryMs = 10_000;
/** No timer can be longer than 24 days. */
const longestSleepMs = 86_400_000;

/** Runs one pod: does what `nextStep` says and keeps note of what came of it. */
export class PodWorker {
	readonly uid: string;
	readonly #host: WorkerHost;
	readonly #runtime: PodRuntime;
	readonly #notes: PodNotes;
	readonly #processes = new Map<string, ContainerProcess>();
	readonly #probes = new Map<string, Probes>();
	readonly #logs = new Map<string, ContainerLog[]>();
	#pod: Pod;
	#network: PodNetwork | undefined;
	#cancel: Cancel = () => {};
	#over = false;
	#stopped = false;

	constructor(host: WorkerHost, pod: Pod) {
		const { clock } = host;
		this.#host = host;
		this.#pod = pod;
		this.#notes = new PodNotes(host, () => this.#pod);
		this.uid = pod.metadata.uid ?? "";
		this.#runtime = newRuntime(pod, {
			wall: clock.now(),
			monotonic: clock.monotonic(),
		});
	}

	get pod(): Pod {
		return this.#pod;
	}

	/** Nothing of it is left on the node, and nothing will be started. */
	get over(): boolean {
		return this.#over;
	}

	/** The object is gone from the API server. */
	get removed(): boolean {
		return this.#runtime.removed;
	}

	/** The pod's object has changed, or `undefined`: it is gone. */
	update(pod: Pod | undefined): void {
		if (pod) this.#pod = pod;
		else this.#runtime.removed = true;
		this.step();
	}

	/** A ConfigMap or Secret of its namespace has changed: what failed for want of it may work now. */
	retry(): void {
		let waits = false;
		for (const { state } of this.#runtime.containers.values())
			if (
				state.is === "waiting" &&
				state.reason === "CreateContainerConfigError"
			) {
				state.retryAt = 0;
				waits = true;
			}
		if (waits) this.step();
	}

	/** Does all that is to be done now, and sees to it that it is called when there is more. */
	step(): void {
		if (this.#stopped) return;
		const { clock } = this.#host;
		this.#cancel();
		if (isEnding(this.#pod, this.#runtime))
			this.#runtime.endingAt ??= clock.monotonic();
		for (;;) {
			const now = clock.monotonic();
			const { actions, wakeAt, over } = nextStep(this.#pod, this.#runtime, now);
			this.#over = over;
			if (actions.length === 0) {
				if (wakeAt !== undefined)
					this.#cancel = clock.after(
						Math.min(wakeAt - now, longestSleepMs),
						() => this.step(),
					);
				break;
			}
			for (const action of actions) this.#do(action);
		}
		this.#host.changed(this);
	}

	status() {
		const { clock, node } = this.#host;
		return podStatus(this.#pod, this.#runtime, node, {
			wall: clock.now(),
			monotonic: clock.monotonic(),
		});
	}

	process(container: string): ContainerProcess | undefined {
		return this.#processes.get(container);
	}

	/** Of the present or last instance, and of the one before. */
	logs(container: string): { current?: ContainerLog; previous?: ContainerLog } {
		const [current, previous] = this.#logs.get(container) ?? [];
		return { ...(current && { current }), ...(previous && { previous }) };
	}

	/** A connection to one of its ports, from the node. Undefined while it has no address. */
	connect(port: number) {
		const { network } = this.#runtime;
		if (network.is !== "up") return undefined;
		return this.#host.node.connect({ host: network.ip, port });
	}

	/** Kills what runs and lets go of everything; the object stays as it is. Resolves when no process is left. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#cancel();
		for (const probes of this.#probes.values()) probes.stop();
		const processes = [...this.#processes.values()];
		for (const each of processes) each.signal("SIGKILL");
		await Promise.all(processes.map(({ ended }) => ended));
		this.#network?.remove();
	}

	#do(action: Action): void {
		switch (action.do) {
			case "connect":
				return this.#connect();
			case "start":
				return this.#start(action.container, action.init);
			case "stop":
				return this.#stop(action);
			case "kill":
				return this.#kill(action.container);
			case "disconnect":
				return this.#disconnect();
		}
	}

	#connect(): void {
		const { node, clock } = this.#host;
		try {
			this.#network = node.addPod({
				hostNetwork: this.#pod.spec.hostNetwork ?? false,
			});
			this.#runtime.network = { is: "up", ip: this.#network.address };
		} catch (error) {
			this.#runtime.network = {
				is: "none",
				retryAt: clock.monotonic() + retryMs,
			};
			this.#notes.warn(
				"FailedCreatePodSandBox",
				`Failed to create pod sandbox: ${messageOf(error)}`,
			);
		}
	}

	#disconnect(): void {
		const network = this.#network;
		this.#network = undefined;
		this.#runtime.network = { is: "released", ip: network?.address };
		network?.remove();
	}

	#start(container: Container, init: boolean): void {
		const { clock } = this.#host;
		const known = runtimeOf(this.#runtime, container.name);
		const network = this.#network as PodNetwork;
		let command: string[];
		let surroundings: Surroundings;
		try {
			const made = this.#host.prepare(this.#pod, container, network.address);
			if ("problem" in made)
				return this.#refuse(
					container,
					known,
					imageProblem(container, known, made.problem),
				);
			const { program, env, files } = made;
			command = program.command;
			const { workingDir: cwd } = container;
			surroundings = { env, files, ...(cwd && { cwd }) };
			this.#notes.found(container, program.note);
		} catch (error) {
			const expected = error instanceof ContainerConfigError;
			if (!expected)
				this.#host.log.error({ err: error }, "a container cannot be made");
			return this.#refuse(container, known, {
				reason: expected
					? "CreateContainerConfigError"
					: "CreateContainerError",
				message: messageOf(error),
			});
		}
		known.refusals = 0;
		if (known.state.is === "ended") {
			const { endedAt, ended } = known.state;
			known.last = ended;
			known.loop = afterRestart(known.loop, endedAt, clock.monotonic());
		}
		known.starts++;
		if (!init) this.#runtime.begun = true;
		const started = launch(network, container, command, surroundings, () =>
			clock.now(),
		);
		if ("problem" in started)
			return this.#failed(container, known, started.problem);
		const { log } = started;
		const [before] = this.#logs.get(container.name) ?? [];
		this.#logs.set(container.name, before ? [log, before] : [log]);
		this.#processes.set(container.name, started);
		known.state = {
			is: "running",
			id: started.id,
			image: container.image ?? "",
			startedAt: clock.now(),
			started: container.startupProbe === undefined,
			ready: container.readinessProbe === undefined,
		};
		this.#notes.started(container);
		this.#watch(container, started, known);
		void started.ended.then((end) => this.#ended(started, known, end));
	}

	#watch(
		container: Container,
		started: ContainerProcess,
		known: ContainerRuntime,
	): void {
		const state = known.state;
		if (state.is !== "running" || !this.#network) return;
		this.#probes.set(
			container.name,
			probe(started, {
				podIP: this.#network.address,
				connect: (target) => this.#host.node.connect(target),
				clock: this.#host.clock,
				onStarted: () => {
					state.started = true;
					this.step();
				},
				onReady: (ready) => {
					state.ready = ready;
					this.step();
				},
				onUnwell: (message, graceMs) => {
					state.unwell = {
						message,
						...(graceMs !== undefined && { graceMs }),
					};
					this.step();
				},
				onFailure: (note) => this.#notes.warn("Unhealthy", note, "Probing"),
			}),
		);
	}

	#ended(process: ContainerProcess, known: ContainerRuntime, end: End): void {
		const { clock } = this.#host;
		const { name } = process.container;
		this.#probes.get(name)?.stop();
		this.#probes.delete(name);
		this.#processes.delete(name);
		if (known.state.is !== "running") return;
		const { startedAt, id } = known.state;
		if ("problem" in end) this.#failed(process.container, known, end.problem);
		else {
			const { exitCode } = end;
			known.state = {
				is: "ended",
				ended: {
					exitCode,
					reason: exitCode === 0 ? "Completed" : "Error",
					startedAt,
					finishedAt: clock.now(),
					id,
				},
				endedAt: clock.monotonic(),
			};
			this.#sayBackOff(process.container, known);
		}
		this.step();
	}

	/** It never was a process. */
	#failed(container: Container, known: ContainerRuntime, why: string): void {
		const { clock } = this.#host;
		const message = `failed to start container ${JSON.stringify(container.name)}: ${why}`;
		const now = clock.now();
		known.state = {
			is: "ended",
			ended: {
				exitCode: 128,
				reason: "StartError",
				message,
				startedAt: now,
				finishedAt: now,
			},
			endedAt: clock.monotonic(),
		};
		this.#notes.warn("Failed", `Error: ${message}`, "Starting");
		this.#sayBackOff(container, known);
	}

	/** It cannot be started now; perhaps later. */
	#refuse(
		container: Container,
		known: ContainerRuntime,
		refusal: Refusal,
	): void {
		known.refusals++;
		if (known.state.is === "ended") known.last = known.state.ended;
		known.state = {
			is: "waiting",
			...refusal,
			retryAt: this.#host.clock.monotonic() + retryMs,
		};
		this.#notes.refused(container, refusal);
	}

	#sayBackOff(container: Container, known: ContainerRuntime): void {
		if (!isEnding(this.#pod, this.#runtime))
			this.#notes.backOff(container, known);
	}

	#stop({ container, killAt, note }: Extract<Action, { do: "stop" }>): void {
		const { state } = runtimeOf(this.#runtime, container);
		if (state.is !== "running") return;
		const first = !state.stop;
		state.stop = { killAt, killed: false };
		if (!first) return;
		this.#probes.get(container)?.ending();
		this.#notes.tell("Killing", "Stopping", note);
		this.#processes.get(container)?.signal("SIGTERM");
	}

	#kill(container: string): void {
		const { state } = runtimeOf(this.#runtime, container);
		if (state.is === "running" && state.stop) state.stop.killed = true;
		this.#processes.get(container)?.signal("SIGKILL");
	}
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

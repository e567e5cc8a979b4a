import type { Container, Pod } from "../../operator/api/core.ts";
import { restartAt } from "./crash-loop.ts";
import { isPrepared, phaseOf } from "./pod-phase.ts";
import {
	type ContainerState,
	isEnding,
	isIdle,
	isSidecar,
	isTerminal,
	type PodRuntime,
	restarts,
	runtimeOf,
} from "./pod-runtime.ts";

export type Action =
	/** Give the pod its network. */
	| { do: "connect" }
	| { do: "start"; container: Container; init: boolean }
	/** SIGTERM, and the moment (monotonic milliseconds) from which it may be killed; again if that comes nearer. */
	| { do: "stop"; container: string; killAt: number; note: string }
	/** SIGKILL. */
	| { do: "kill"; container: string }
	/** Take the pod's network away. */
	| { do: "disconnect" };

export interface Step {
	actions: Action[];
	/** Monotonic milliseconds from which there may be more to do, if nothing happens before. */
	wakeAt: number | undefined;
	/** Nothing of the pod is left on the node and nothing will be started. */
	over: boolean;
}

/** pkg/kubelet/kuberuntime: what even a forced deletion leaves a container, and what sidecars get after the others. */
const leastGraceMs = 1000;
const leastSidecarGraceMs = 2000;

type Running = Extract<ContainerState, { is: "running" }>;

/**
 * What the kubelet does next about a pod, given what it knows of it. Every action is one that has not been taken yet:
 * asking again at once, with the actions done, gives none.
 *
 * @param now Monotonic milliseconds.
 */
export function nextStep(pod: Pod, runtime: PodRuntime, now: number): Step {
	const plan = new Plan(pod, runtime, now);
	if (isEnding(pod, runtime)) plan.end(graceMs(pod));
	else if (isTerminal(phaseOf(pod, runtime))) plan.end(graceMs(pod));
	else plan.run();
	return {
		actions: plan.actions,
		wakeAt: plan.wakeAt,
		over: plan.actions.length === 0 && plan.over,
	};
}

function graceMs(pod: Pod): number {
	const { deletionGracePeriodSeconds } = pod.metadata;
	const seconds =
		deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
	return Math.max(leastGraceMs, seconds * 1000);
}

class Plan {
	readonly actions: Action[] = [];
	wakeAt: number | undefined;
	over = false;
	readonly #pod: Pod;
	readonly #runtime: PodRuntime;
	readonly #now: number;

	constructor(pod: Pod, runtime: PodRuntime, now: number) {
		this.#pod = pod;
		this.#runtime = runtime;
		this.#now = now;
	}

	/** Stops what runs, sidecars after the others and the last of them first, then lets go of the network. */
	end(grace: number): void {
		const { containers, initContainers = [] } = this.#pod.spec;
		const sidecars = initContainers.filter(isSidecar).toReversed();
		const others = [
			...containers,
			...initContainers.filter((each) => !isSidecar(each)),
		];
		const deadline = (this.#runtime.endingAt ?? this.#now) + grace;
		const busy = others.filter(({ name }) => this.#running(name));
		for (const { name } of busy) this.#stop(name, deadline);
		const last = sidecars.find(({ name }) => this.#running(name));
		if (last && busy.length === 0) {
			const stop = this.#running(last.name)?.stop;
			const least = this.#now + leastSidecarGraceMs;
			this.#stop(last.name, stop?.killAt ?? Math.max(deadline, least));
		}
		if (!isIdle(this.#runtime)) return;
		if (this.#runtime.network.is === "up")
			this.actions.push({ do: "disconnect" });
		else this.over = true;
	}

	/** Brings everything up in its order and keeps it up. */
	run(): void {
		const { network } = this.#runtime;
		if (network.is !== "up") {
			const retryAt = network.is === "none" ? network.retryAt : 0;
			if (this.#due(retryAt)) this.actions.push({ do: "connect" });
			return;
		}
		const { initContainers = [], containers } = this.#pod.spec;
		for (const container of initContainers) {
			const done = isPrepared(this.#pod, this.#runtime, container.name);
			if (!done || isSidecar(container)) this.#keep(container, true);
			if (!done && !this.#runtime.begun) return;
		}
		for (const container of containers) this.#keep(container, false);
	}

	#keep(container: Container, init: boolean): void {
		const { state, loop } = runtimeOf(this.#runtime, container.name);
		if (state.is === "running") return this.#watch(container, state);
		if (state.is === "waiting") {
			if (this.#due(state.retryAt))
				this.actions.push({ do: "start", container, init });
			return;
		}
		const policy = isSidecar(container)
			? "Always"
			: this.#pod.spec.restartPolicy;
		if (!restarts(policy, state.ended.exitCode)) return;
		if (this.#due(restartAt(loop, state.endedAt)))
			this.actions.push({ do: "start", container, init });
	}

	#watch(container: Container, state: Running): void {
		const { name, image } = container;
		const deadline = this.#now + (state.unwell?.graceMs ?? graceMs(this.#pod));
		if (state.stop) this.#stop(name, state.stop.killAt);
		else if (state.unwell) this.#stop(name, deadline, state.unwell.message);
		else if (state.image !== image)
			this.#stop(
				name,
				deadline,
				`Container ${name} definition changed, will be restarted`,
			);
	}

	#stop(
		container: string,
		killAt: number,
		note = `Stopping container ${container}`,
	): void {
		const stop = this.#running(container)?.stop;
		if (!stop || killAt < stop.killAt)
			this.actions.push({ do: "stop", container, killAt, note });
		else if (!stop.killed && this.#due(stop.killAt))
			this.actions.push({ do: "kill", container });
	}

	#running(name: string): Running | undefined {
		const { state } = runtimeOf(this.#runtime, name);
		return state.is === "running" ? state : undefined;
	}

	/** True at or after `at`; before, it makes sure to look again then. */
	#due(at: number): boolean {
		if (at <= this.#now) return true;
		this.wakeAt = Math.min(this.wakeAt ?? at, at);
		return false;
	}
}

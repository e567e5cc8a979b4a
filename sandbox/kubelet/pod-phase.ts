import type { Pod, PodStatus } from "../../operator/api/core.ts";
import {
	isEnding,
	isIdle,
	isSidecar,
	isTerminal,
	type PodRuntime,
	runtimeOf,
} from "./pod-runtime.ts";

/** Whether an init container has done its part, for the next to begin. */
export function isPrepared(
	pod: Pod,
	runtime: PodRuntime,
	name: string,
): boolean {
	const container = pod.spec.initContainers?.find((one) => one.name === name);
	const { state } = runtimeOf(runtime, name);
	if (container && isSidecar(container))
		return state.is === "running" && state.started;
	return state.is === "ended" && state.ended.exitCode === 0;
}

/** Names of the init containers that have not done their part. */
export function unprepared(pod: Pod, runtime: PodRuntime): string[] {
	const { initContainers = [] } = pod.spec;
	if (runtime.begun) return [];
	return initContainers
		.map(({ name }) => name)
		.filter((name) => !isPrepared(pod, runtime, name));
}

/** pkg/kubelet/kubelet_pods.go, getPhase; what the API server has as Succeeded or Failed stays. */
export function phaseOf(
	pod: Pod,
	runtime: PodRuntime,
): NonNullable<PodStatus["phase"]> {
	const known = pod.status?.phase;
	if (known && isTerminal(known)) return known;
	const { restartPolicy = "Always", initContainers = [] } = pod.spec;
	let preparing = false;
	for (const container of initContainers) {
		const { state } = runtimeOf(runtime, container.name);
		if (isPrepared(pod, runtime, container.name)) continue;
		if (
			state.is === "ended" &&
			restartPolicy === "Never" &&
			!isSidecar(container) &&
			!runtime.begun
		)
			return "Failed";
		preparing = true;
	}
	let running = 0;
	let waiting = 0;
	let stopped = 0;
	let succeeded = 0;
	for (const { name } of pod.spec.containers) {
		const { state, last } = runtimeOf(runtime, name);
		if (state.is === "running") running++;
		else if (state.is === "ended") {
			stopped++;
			if (state.ended.exitCode === 0) succeeded++;
		} else if (last) stopped++;
		else waiting++;
	}
	if ((preparing && !runtime.begun) || waiting > 0) return "Pending";
	if (running > 0) return "Running";
	const over =
		restartPolicy === "Never" ||
		(restartPolicy === "OnFailure" && stopped === succeeded) ||
		(isEnding(pod, runtime) && isIdle(runtime));
	if (!over) return "Running";
	return stopped === succeeded ? "Succeeded" : "Failed";
}

import type {
	Container,
	ContainerStatus,
	Pod,
	PodSpec,
} from "../../operator/api/core.ts";
import type { CrashLoop } from "./crash-loop.ts";

/** An instance of a container that has ended; times in wall milliseconds. */
export interface Ended {
	exitCode: number;
	reason: string;
	message?: string;
	startedAt: number;
	finishedAt: number;
	id?: string;
}

/** Deadlines are monotonic milliseconds. */
export type ContainerState =
	| { is: "waiting"; reason?: string; message?: string; retryAt: number }
	| {
			is: "running";
			id: string;
			/** The image it was started for. */
			image: string;
			/** Wall milliseconds. */
			startedAt: number;
			/** Its startup probe has succeeded, or it has none. */
			started: boolean;
			/** Its readiness probe says so, or it has none. */
			ready: boolean;
			/** A probe gave it up. */
			unwell?: { message: string; graceMs?: number };
			stop?: { killAt: number; killed: boolean };
	  }
	| { is: "ended"; ended: Ended; endedAt: number };

export interface ContainerRuntime {
	starts: number;
	state: ContainerState;
	/** The instance before the present one. */
	last?: Ended;
	loop?: CrashLoop;
	/** Starts in a row that failed before there was a process. */
	refusals: number;
}

/** What the kubelet knows of a pod beside the API server's object. */
export interface PodRuntime {
	/** Wall milliseconds. */
	acceptedAt: number;
	/** By name, init containers among them: names are unique in a pod. */
	containers: Map<string, ContainerRuntime>;
	network:
		| { is: "none"; retryAt: number }
		| { is: "up"; ip: string }
		| { is: "released"; ip: string | undefined };
	/** A container proper has been started on this network: preparation is over, whatever becomes of a sidecar. */
	begun: boolean;
	/** The object is gone from the API server. */
	removed: boolean;
	/** Monotonic milliseconds of when its end was first seen. */
	endingAt?: number;
}

/** A pod without processes: a new one, or one whose processes ended while no kubelet ran (then they count as lost). */
export function newRuntime(
	pod: Pod,
	now: { wall: number; monotonic: number },
): PodRuntime {
	const { status, spec } = pod;
	const containers = new Map<string, ContainerRuntime>();
	const known = (list: ContainerStatus[] | undefined, name: string) =>
		list?.find((each) => each.name === name);
	for (const { name } of spec.initContainers ?? []) {
		const before = known(status?.initContainerStatuses, name);
		// With a new network everything that prepares it happens again.
		const over = isTerminal(status?.phase);
		containers.set(name, seeded(before, now, !over));
	}
	for (const { name } of spec.containers)
		containers.set(
			name,
			seeded(known(status?.containerStatuses, name), now, false),
		);
	const ip = status?.podIP;
	return {
		acceptedAt: now.wall,
		containers,
		network: isTerminal(status?.phase)
			? { is: "released", ip }
			: { is: "none", retryAt: 0 },
		begun: false,
		removed: false,
	};
}

function seeded(
	status: ContainerStatus | undefined,
	now: { wall: number; monotonic: number },
	again: boolean,
): ContainerRuntime {
	const fresh: ContainerRuntime = {
		starts: 0,
		state: { is: "waiting", retryAt: 0 },
		refusals: 0,
	};
	if (!status) return fresh;
	const ended = lastOf(status, now.wall);
	if (!ended) return fresh;
	const starts = status.restartCount + 1;
	if (again) return { ...fresh, starts, last: ended };
	return {
		...fresh,
		starts,
		state: { is: "ended", ended, endedAt: now.monotonic },
	};
}

function lastOf(status: ContainerStatus, now: number): Ended | undefined {
	const { state, lastState, containerID } = status;
	if (state?.running)
		return {
			exitCode: 137,
			reason: "ContainerStatusUnknown",
			message: "The container could not be located when the pod was terminated",
			startedAt: Date.parse(state.running.startedAt ?? "") || now,
			finishedAt: now,
			...(containerID && { id: containerID }),
		};
	const terminated = state?.terminated ?? lastState?.terminated;
	if (!terminated) return undefined;
	const { exitCode, reason, message, startedAt, finishedAt } = terminated;
	return {
		exitCode,
		reason: reason ?? (exitCode === 0 ? "Completed" : "Error"),
		...(message && { message }),
		startedAt: Date.parse(startedAt ?? "") || now,
		finishedAt: Date.parse(finishedAt ?? "") || now,
		...(terminated.containerID && { id: terminated.containerID }),
	};
}

/** What is known of a container of the pod's spec. Throws for one that is not in it. */
export function runtimeOf(runtime: PodRuntime, name: string): ContainerRuntime {
	const found = runtime.containers.get(name);
	if (!found) throw new Error(`the pod has no container ${name}`);
	return found;
}

export function isTerminal(phase: string | undefined): boolean {
	return phase === "Succeeded" || phase === "Failed";
}

/** An init container that goes on running beside the others. */
export function isSidecar(container: Container): boolean {
	return container.restartPolicy === "Always";
}

/** Whether a container that ended like this is to run again. */
export function restarts(
	policy: PodSpec["restartPolicy"],
	exitCode: number,
): boolean {
	return policy === "OnFailure" ? exitCode !== 0 : policy !== "Never";
}

/** Why and since when the pod must end, from its object or for lack of one. */
export function isEnding(pod: Pod, runtime: PodRuntime): boolean {
	return runtime.removed || pod.metadata.deletionTimestamp !== undefined;
}

/** True when no process of the pod is left. */
export function isIdle(runtime: PodRuntime): boolean {
	for (const { state } of runtime.containers.values())
		if (state.is === "running") return false;
	return true;
}

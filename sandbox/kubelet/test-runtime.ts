import type { Container, Pod, PodSpec } from "../../operator/api/core.ts";
import type { Action } from "./next-step.ts";
import {
	type ContainerState,
	newRuntime,
	type PodRuntime,
	runtimeOf,
} from "./pod-runtime.ts";

/** Pods and what a kubelet knows of them, for tests of its decisions. */

export const container = (
	name: string,
	more: Partial<Container> = {},
): Container => ({
	name,
	image: "busybox",
	...more,
});
export const podOf = (spec: Partial<PodSpec> = {}): Pod => ({
	metadata: { name: "web", namespace: "default", uid: "u" },
	spec: { containers: [container("main")], ...spec },
});

export type Situation = Partial<PodRuntime> & {
	/** The states of its containers, by name. */
	now?: Record<string, Partial<ContainerState> & { is: ContainerState["is"] }>;
};

export const defaults = {
	waiting: { retryAt: 0 },
	running: {
		id: "process://1",
		image: "busybox",
		startedAt: 0,
		started: true,
		ready: true,
	},
	ended: {
		ended: { exitCode: 0, reason: "Completed", startedAt: 0, finishedAt: 0 },
		endedAt: 0,
	},
};
export const failed = { ...defaults.ended.ended, exitCode: 1, reason: "Error" };

export function runtimeIn(
	pod: Pod,
	{ now = {}, ...more }: Situation,
): PodRuntime {
	const runtime = newRuntime(pod, { wall: 0, monotonic: 0 });
	runtime.network = { is: "up", ip: "10.244.1.2" };
	for (const [name, state] of Object.entries(now)) {
		const known = runtimeOf(runtime, name);
		known.state = { ...defaults[state.is], ...state } as ContainerState;
		known.starts = state.is === "waiting" ? 0 : 1;
	}
	return Object.assign(runtime, more);
}

/** An action in a few words. */
export const said = (action: Action) =>
	action.do === "start"
		? `start ${action.container.name}`
		: "container" in action
			? `${action.do} ${action.container}${action.do === "stop" ? ` within ${(action.killAt - 1000) / 1000}s` : ""}`
			: action.do;

export const deleted = (seconds: number): Partial<Pod["metadata"]> => ({
	deletionTimestamp: "2026-01-01T00:00:00Z",
	deletionGracePeriodSeconds: seconds,
});

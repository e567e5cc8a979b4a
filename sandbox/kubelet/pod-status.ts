import type {
	Container,
	ContainerState,
	ContainerStatus,
	Pod,
	PodStatus,
} from "../../operator/api/core.ts";
import { goSeconds, restartAt } from "./crash-loop.ts";
import { phaseOf, unprepared } from "./pod-phase.ts";
import {
	type ContainerRuntime,
	type Ended,
	isEnding,
	isSidecar,
	isTerminal,
	type PodRuntime,
	restarts,
	runtimeOf,
} from "./pod-runtime.ts";

type Conditions = NonNullable<PodStatus["conditions"]>;
type Condition = Conditions[number];

/** The status a kubelet reports; what others own (conditions of other types, qosClass) stays as it is in `pod`. */
export function podStatus(
	pod: Pod,
	runtime: PodRuntime,
	node: { address: string },
	now: { wall: number; monotonic: number },
): PodStatus {
	const phase = phaseOf(pod, runtime);
	const { network } = runtime;
	const ip = network.is === "none" ? undefined : network.ip;
	const lacking = unprepared(pod, runtime);
	const { initContainers = [], containers } = pod.spec;
	const describe = (container: Container, init: boolean) =>
		containerStatus(pod, runtime, container, {
			init,
			initializing: initContainers.length > 0 && lacking.length > 0,
			phase,
			now: now.monotonic,
		});
	const statuses = containers.map((each) => describe(each, false));
	const before = pod.status ?? {};
	return {
		phase,
		conditions: conditions(
			pod,
			{ phase, connected: network.is === "up", lacking, statuses },
			now.wall,
		),
		hostIP: node.address,
		hostIPs: [{ ip: node.address }],
		...(ip !== undefined && { podIP: ip, podIPs: [{ ip }] }),
		startTime: before.startTime ?? stamp(runtime.acceptedAt),
		...(initContainers.length > 0 && {
			initContainerStatuses: initContainers.map((each) => describe(each, true)),
		}),
		containerStatuses: statuses,
	};
}

function containerStatus(
	pod: Pod,
	runtime: PodRuntime,
	container: Container,
	about: { init: boolean; initializing: boolean; phase: string; now: number },
): ContainerStatus {
	const known = runtimeOf(runtime, container.name);
	const { state, last, starts } = known;
	const shown = stateOf(pod, runtime, container, known, about);
	const previous = state.is === "ended" && shown.waiting ? state.ended : last;
	const running = state.is === "running" ? state : undefined;
	const id = running?.id ?? (state.is === "ended" ? state.ended.id : last?.id);
	const done =
		about.init &&
		!isSidecar(container) &&
		state.is === "ended" &&
		state.ended.exitCode === 0;
	return {
		name: container.name,
		state: shown,
		lastState: previous ? { terminated: terminated(previous) } : {},
		ready: done || (running !== undefined && running.started && running.ready),
		restartCount: Math.max(0, starts - 1),
		image: container.image ?? "",
		imageID: "",
		...(id !== undefined && { containerID: id }),
		started: running?.started ?? false,
	};
}

function stateOf(
	pod: Pod,
	runtime: PodRuntime,
	container: Container,
	{ state, loop }: ContainerRuntime,
	about: { init: boolean; initializing: boolean; phase: string; now: number },
): ContainerState {
	if (state.is === "running")
		return { running: { startedAt: stamp(state.startedAt) } };
	if (state.is === "waiting")
		return {
			waiting: {
				reason:
					state.reason ??
					(about.init || about.initializing
						? "PodInitializing"
						: "ContainerCreating"),
				...(state.message && { message: state.message }),
			},
		};
	const policy = isSidecar(container) ? "Always" : pod.spec.restartPolicy;
	const prepared = about.init && state.ended.exitCode === 0;
	const due = restartAt(loop, state.endedAt);
	if (
		loop &&
		due > about.now &&
		restarts(policy, state.ended.exitCode) &&
		(!prepared || isSidecar(container)) &&
		!isEnding(pod, runtime) &&
		!isTerminal(about.phase)
	) {
		const { name, namespace = "default", uid = "" } = pod.metadata;
		return {
			waiting: {
				reason: "CrashLoopBackOff",
				message: `back-off ${goSeconds(loop.delayMs)} restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`,
			},
		};
	}
	return { terminated: terminated(state.ended) };
}

function terminated(ended: Ended): NonNullable<ContainerState["terminated"]> {
	const { exitCode, reason, message, startedAt, finishedAt, id } = ended;
	return {
		exitCode,
		reason,
		...(message && { message }),
		startedAt: stamp(startedAt),
		finishedAt: stamp(finishedAt),
		...(id !== undefined && { containerID: id }),
	};
}

/** pkg/kubelet/status/generate.go: one condition by another. */
function conditions(
	pod: Pod,
	facts: {
		phase: string;
		connected: boolean;
		lacking: string[];
		statuses: ContainerStatus[];
	},
	now: number,
): Conditions {
	const { phase, connected, lacking, statuses } = facts;
	const containersReady = readiness(phase, statuses);
	const own: Condition[] = [
		{ type: "PodReadyToStartContainers", status: connected ? "True" : "False" },
		initialized(phase, lacking),
		{ type: "Ready", ...(gates(pod, containersReady) ?? containersReady) },
		{ type: "ContainersReady", ...containersReady },
		{ type: "PodScheduled", status: "True" },
	];
	const before = pod.status?.conditions ?? [];
	const made = own.map((condition) => {
		const known = before.find((each) => each.type === condition.type);
		const lastTransitionTime =
			known?.status === condition.status && known.lastTransitionTime
				? known.lastTransitionTime
				: stamp(now);
		// The scheduler has said this one first, perhaps with more.
		if (condition.type === "PodScheduled" && known?.status === "True")
			return known;
		return { ...condition, lastProbeTime: null, lastTransitionTime };
	});
	const types = new Set(own.map(({ type }) => type));
	return [...made, ...before.filter(({ type }) => !types.has(type))];
}

type Verdict = Pick<Condition, "status" | "reason" | "message">;

function initialized(phase: string, lacking: string[]): Condition {
	const type = "Initialized";
	if (phase === "Succeeded")
		return { type, status: "True", reason: "PodCompleted" };
	if (lacking.length === 0) return { type, status: "True" };
	return {
		type,
		status: "False",
		reason: "ContainersNotInitialized",
		message: `containers with incomplete status: [${lacking.join(" ")}]`,
	};
}

function readiness(phase: string, statuses: ContainerStatus[]): Verdict {
	if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
	if (phase === "Failed") return { status: "False", reason: "PodFailed" };
	const unready = statuses.filter(({ ready }) => !ready);
	if (unready.length === 0) return { status: "True" };
	return {
		status: "False",
		reason: "ContainersNotReady",
		message: `containers with unready status: [${unready.map(({ name }) => name).join(" ")}]`,
	};
}

/** What a readiness gate holds against a pod whose containers are ready. */
function gates(pod: Pod, containers: Verdict): Verdict | undefined {
	if (containers.status !== "True") return undefined;
	const found = pod.status?.conditions ?? [];
	const messages: string[] = [];
	for (const { conditionType } of pod.spec.readinessGates ?? []) {
		const condition = found.find(({ type }) => type === conditionType);
		if (!condition)
			messages.push(
				`corresponding condition of pod readiness gate ${JSON.stringify(conditionType)} does not exist.`,
			);
		else if (condition.status !== "True")
			messages.push(
				`the status of pod readiness gate ${JSON.stringify(conditionType)} is not "True", but ${condition.status}`,
			);
	}
	if (messages.length === 0) return undefined;
	return {
		status: "False",
		reason: "ReadinessGatesNotReady",
		message: messages.join(", "),
	};
}

/** metav1.Time: seconds. */
export function stamp(wall: number): string {
	return `${new Date(wall).toISOString().slice(0, 19)}Z`;
}

import type { Container, Pod, PodSpec } from "../../operator/api/core.ts";
import {
	type ContainerState,
	newRuntime,
	type PodRuntime,
	runtimeOf,
} from "./pod-runtime.ts";
import { podStatus } from "./pod-status.ts";

const wall = Date.UTC(2026, 0, 1, 12);
const time = "2026-01-01T12:00:00Z";
const container = (name: string, more: Partial<Container> = {}): Container => ({
	name,
	image: "busybox",
	...more,
});
const podOf = (
	spec: Partial<PodSpec> = {},
	status: Pod["status"] = { phase: "Pending" },
): Pod => ({
	metadata: { name: "web", namespace: "default", uid: "u" },
	spec: { containers: [container("main")], ...spec },
	...(status && { status }),
});
const running = (more = {}): ContainerState => ({
	is: "running",
	id: "process://7",
	image: "busybox",
	startedAt: wall,
	started: true,
	ready: true,
	...more,
});
const ended = (exitCode: number, endedAt = 0): ContainerState => ({
	is: "ended",
	ended: {
		exitCode,
		reason: exitCode === 0 ? "Completed" : "Error",
		startedAt: wall,
		finishedAt: wall,
		id: "process://7",
	},
	endedAt,
});
const waiting = (reason?: string): ContainerState => ({
	is: "waiting",
	retryAt: 0,
	...(reason && { reason, message: "m" }),
});

function runtimeIn(
	pod: Pod,
	states: Record<string, ContainerState>,
	more: Partial<PodRuntime> = {},
): PodRuntime {
	const runtime = newRuntime(pod, { wall, monotonic: 0 });
	runtime.network = { is: "up", ip: "10.244.1.2" };
	for (const [name, state] of Object.entries(states)) {
		runtimeOf(runtime, name).state = state;
		runtimeOf(runtime, name).starts = state.is === "waiting" ? 0 : 1;
	}
	return Object.assign(runtime, more);
}
const statusOf = (pod: Pod, runtime: PodRuntime) =>
	podStatus(pod, runtime, { address: "172.30.1.1" }, { wall, monotonic: 1000 });

/** `Type=Status(Reason)` of every condition, in order. */
const inShort = (status: ReturnType<typeof statusOf>) =>
	status.conditions?.map(
		(each) =>
			`${each.type}=${each.status}${each.reason ? `(${each.reason})` : ""}`,
	);

it("says all there is to say of a pod that runs", () => {
	const pod = podOf();
	expect(statusOf(pod, runtimeIn(pod, { main: running() }))).toEqual({
		phase: "Running",
		conditions: [
			"PodReadyToStartContainers",
			"Initialized",
			"Ready",
			"ContainersReady",
			"PodScheduled",
		].map((type) => ({
			type,
			status: "True",
			lastProbeTime: null,
			lastTransitionTime: time,
		})),
		hostIP: "172.30.1.1",
		hostIPs: [{ ip: "172.30.1.1" }],
		podIP: "10.244.1.2",
		podIPs: [{ ip: "10.244.1.2" }],
		startTime: time,
		containerStatuses: [
			{
				name: "main",
				state: { running: { startedAt: time } },
				lastState: {},
				ready: true,
				restartCount: 0,
				image: "busybox",
				imageID: "",
				containerID: "process://7",
				started: true,
			},
		],
	});
});

const two = { containers: [container("a"), container("b")] };
const init = { initContainers: [container("first")] };
const begun = { begun: true };
it.each<
	[
		string,
		Partial<PodSpec>,
		Record<string, ContainerState>,
		Partial<PodRuntime>,
		string,
		string[],
	]
>([
	[
		"Pending until something runs",
		{},
		{ main: waiting() },
		{},
		"Pending",
		["ContainersReady=False(ContainersNotReady)", "Initialized=True"],
	],
	[
		"Pending while an init container runs",
		init,
		{ first: running() },
		{},
		"Pending",
		["Initialized=False(ContainersNotInitialized)"],
	],
	[
		"Pending while one of two waits for its image",
		two,
		{ a: running(), b: waiting("ErrImagePull") },
		begun,
		"Pending",
		["Ready=False(ContainersNotReady)"],
	],
	[
		"Running and unready while a readiness probe fails",
		{},
		{ main: running({ ready: false }) },
		begun,
		"Running",
		[
			"Ready=False(ContainersNotReady)",
			"ContainersReady=False(ContainersNotReady)",
		],
	],
	[
		"Running and unready until it has started",
		{},
		{ main: running({ started: false }) },
		begun,
		"Running",
		["Ready=False(ContainersNotReady)"],
	],
	[
		"Running while it is to start again",
		{},
		{ main: ended(1) },
		begun,
		"Running",
		["Ready=False(ContainersNotReady)"],
	],
	[
		"Running while one of two runs",
		{ ...two, restartPolicy: "Never" },
		{ a: ended(1), b: running() },
		begun,
		"Running",
		["Ready=False(ContainersNotReady)"],
	],
	[
		"Succeeded when all ended well under Never",
		{ ...two, restartPolicy: "Never" },
		{ a: ended(0), b: ended(0) },
		begun,
		"Succeeded",
		[
			"Initialized=True(PodCompleted)",
			"Ready=False(PodCompleted)",
			"ContainersReady=False(PodCompleted)",
		],
	],
	[
		"Failed when one did not",
		{ ...two, restartPolicy: "Never" },
		{ a: ended(0), b: ended(1) },
		begun,
		"Failed",
		["Ready=False(PodFailed)"],
	],
	[
		"Failed when an init container failed under Never",
		{ ...init, restartPolicy: "Never" },
		{ first: ended(1) },
		{},
		"Failed",
		["Initialized=False(ContainersNotInitialized)"],
	],
	[
		"Succeeded under OnFailure",
		{ restartPolicy: "OnFailure" },
		{ main: ended(0) },
		begun,
		"Succeeded",
		[],
	],
	[
		"Running under OnFailure after a failure",
		{ restartPolicy: "OnFailure" },
		{ main: ended(1) },
		begun,
		"Running",
		[],
	],
	[
		"Failed at the end of a deletion, if its containers were killed",
		{},
		{ main: ended(137) },
		{ ...begun, removed: true },
		"Failed",
		[],
	],
	[
		"Succeeded at the end of a deletion, if they ended well",
		{},
		{ main: ended(0) },
		{ ...begun, removed: true },
		"Succeeded",
		[],
	],
	[
		"without a network for its containers until it has one",
		{},
		{},
		{ network: { is: "none", retryAt: 0 } },
		"Pending",
		["PodReadyToStartContainers=False"],
	],
])("a pod is %s", (_what, spec, states, more, phase, conditions) => {
	const pod = podOf(spec);
	const status = statusOf(pod, runtimeIn(pod, states, more));
	expect(status.phase).toBe(phase);
	expect(inShort(status)).toEqual(expect.arrayContaining(conditions));
});

it("keeps an end that was reported, whatever it sees later", () => {
	const pod = podOf({ restartPolicy: "Never" }, { phase: "Failed" });
	expect(statusOf(pod, runtimeIn(pod, { main: ended(0) })).phase).toBe(
		"Failed",
	);
});

describe("a container's state", () => {
	it.each<[string, Partial<PodSpec>, Record<string, ContainerState>, string]>([
		[
			"ContainerCreating before it starts",
			{},
			{ main: waiting() },
			"ContainerCreating",
		],
		[
			"PodInitializing while init containers run",
			init,
			{ first: running() },
			"PodInitializing",
		],
		[
			"what holds it up",
			{},
			{ main: waiting("CreateContainerConfigError") },
			"CreateContainerConfigError",
		],
	])("is %s", (_what, spec, states, reason) => {
		const pod = podOf(spec);
		const [main] =
			statusOf(pod, runtimeIn(pod, states)).containerStatuses ?? [];
		expect(main?.state?.waiting?.reason).toBe(reason);
	});

	it("is CrashLoopBackOff between crash and restart, with the crash as last state", () => {
		const pod = podOf();
		const runtime = runtimeIn(pod, { main: ended(3, 900) }, begun);
		Object.assign(runtimeOf(runtime, "main"), {
			starts: 3,
			loop: { delayMs: 20_000, startedAt: 0 },
		});
		expect(statusOf(pod, runtime).containerStatuses?.[0]).toMatchObject({
			restartCount: 2,
			ready: false,
			started: false,
			containerID: "process://7",
			state: {
				waiting: {
					reason: "CrashLoopBackOff",
					message:
						"back-off 20s restarting failed container=main pod=web_default(u)",
				},
			},
			lastState: {
				terminated: {
					exitCode: 3,
					reason: "Error",
					startedAt: time,
					finishedAt: time,
					containerID: "process://7",
				},
			},
		});
	});

	it("is terminated when it will not start again", () => {
		const pod = podOf({ restartPolicy: "Never" });
		expect(
			statusOf(pod, runtimeIn(pod, { main: ended(3) }, begun))
				.containerStatuses?.[0],
		).toMatchObject({
			state: { terminated: { exitCode: 3, reason: "Error" } },
			lastState: {},
		});
	});

	it("is ready for an init container that did its part", () => {
		const pod = podOf(init);
		expect(
			statusOf(pod, runtimeIn(pod, { first: ended(0) }))
				.initContainerStatuses?.[0],
		).toMatchObject({ ready: true, started: false });
	});
});

describe("conditions", () => {
	it("keep the time of their last change", () => {
		const early = "2025-01-01T00:00:00Z";
		const pod = podOf(
			{},
			{
				conditions: [
					{ type: "Ready", status: "True", lastTransitionTime: early },
					{ type: "Initialized", status: "False", lastTransitionTime: early },
				],
			},
		);
		const times = Object.fromEntries(
			statusOf(pod, runtimeIn(pod, { main: running() })).conditions?.map(
				(each) => [each.type, each.lastTransitionTime],
			) ?? [],
		);
		expect(times).toMatchObject({ Ready: early, Initialized: time });
	});

	it("of others stay", () => {
		const theirs = { type: "example.org/gate", status: "True" as const };
		const scheduled = {
			type: "PodScheduled",
			status: "True" as const,
			lastTransitionTime: "2025-01-01T00:00:00Z",
		};
		const pod = podOf({}, { conditions: [theirs, scheduled] });
		expect(
			statusOf(pod, runtimeIn(pod, { main: running() })).conditions,
		).toEqual(expect.arrayContaining([theirs, scheduled]));
	});

	it.each<["True" | "False" | undefined, string]>([
		["True", "Ready=True"],
		["False", "Ready=False(ReadinessGatesNotReady)"],
		[undefined, "Ready=False(ReadinessGatesNotReady)"],
	])("make a pod wait for its readiness gate: %s gives %s", (status, ready) => {
		const type = "example.org/gate";
		const pod = podOf(
			{ readinessGates: [{ conditionType: type }] },
			status ? { conditions: [{ type, status }] } : {},
		);
		const short = inShort(statusOf(pod, runtimeIn(pod, { main: running() })));
		expect(short).toContain(ready);
		expect(short).toContain("ContainersReady=True");
	});
});

import type { Pod, PodSpec } from "../../operator/api/core.ts";
import { afterRestart } from "./crash-loop.ts";
import { nextStep } from "./next-step.ts";
import { newRuntime, runtimeOf } from "./pod-runtime.ts";
import {
	container,
	deleted,
	failed,
	podOf,
	runtimeIn,
	said,
	type Situation,
} from "./test-runtime.ts";

const init = { initContainers: [container("first"), container("second")] };
const sidecar = {
	initContainers: [container("proxy", { restartPolicy: "Always" })],
};
describe("a pod", () => {
	it.each<[string, Partial<PodSpec>, Situation, string[]]>([
		[
			"gets its network first",
			{},
			{ network: { is: "none", retryAt: 0 } },
			["connect"],
		],
		["then its container", {}, {}, ["start main"]],
		[
			"starts all its containers together",
			{ containers: [container("a"), container("b")] },
			{},
			["start a", "start b"],
		],
		["runs its init containers first", init, {}, ["start first"]],
		[
			"runs the second when the first has succeeded",
			init,
			{ now: { first: { is: "ended" } } },
			["start second"],
		],
		[
			"waits for the one that runs",
			init,
			{ now: { first: { is: "running" } } },
			[],
		],
		[
			"starts the containers proper when all have succeeded",
			init,
			{ now: { first: { is: "ended" }, second: { is: "ended" } } },
			["start main"],
		],
		[
			"runs a failed init container again",
			init,
			{ now: { first: { is: "ended", ended: failed } } },
			["start first"],
		],
		[
			"gives up with a failed init container under Never",
			{ ...init, restartPolicy: "Never" },
			{ now: { first: { is: "ended", ended: failed } } },
			["disconnect"],
		],
		[
			"waits for a sidecar that has not started",
			sidecar,
			{ now: { proxy: { is: "running", started: false } } },
			[],
		],
		[
			"goes on beside a sidecar that has",
			sidecar,
			{ now: { proxy: { is: "running" } } },
			["start main"],
		],
		[
			"restarts a sidecar that ended well, even under Never",
			{ ...sidecar, restartPolicy: "Never" },
			{ begun: true, now: { proxy: { is: "ended" }, main: { is: "running" } } },
			["start proxy"],
		],
		[
			"restarts what failed",
			{},
			{ begun: true, now: { main: { is: "ended", ended: failed } } },
			["start main"],
		],
		[
			"restarts what ended well, under Always",
			{},
			{ begun: true, now: { main: { is: "ended" } } },
			["start main"],
		],
		[
			"restarts what failed under OnFailure",
			{ restartPolicy: "OnFailure" },
			{ begun: true, now: { main: { is: "ended", ended: failed } } },
			["start main"],
		],
		[
			"is over with what ended well under OnFailure",
			{ restartPolicy: "OnFailure" },
			{ begun: true, now: { main: { is: "ended" } } },
			["disconnect"],
		],
		[
			"is over with what failed under Never",
			{ restartPolicy: "Never" },
			{ begun: true, now: { main: { is: "ended", ended: failed } } },
			["disconnect"],
		],
		[
			"goes on while another container runs",
			{ restartPolicy: "Never", containers: [container("a"), container("b")] },
			{
				begun: true,
				now: { a: { is: "ended", ended: failed }, b: { is: "running" } },
			},
			[],
		],
		[
			"stops its sidecar when the others are over",
			{ ...sidecar, restartPolicy: "Never" },
			{ begun: true, now: { proxy: { is: "running" }, main: { is: "ended" } } },
			["stop proxy within 30s"],
		],
		[
			"stops a container that a probe gave up",
			{},
			{
				begun: true,
				now: { main: { is: "running", unwell: { message: "m" } } },
			},
			["stop main within 30s"],
		],
		[
			"within the probe's own grace",
			{},
			{
				begun: true,
				now: {
					main: { is: "running", unwell: { message: "m", graceMs: 5000 } },
				},
			},
			["stop main within 5s"],
		],
		[
			"stops a container whose image was changed",
			{},
			{ begun: true, now: { main: { is: "running", image: "other" } } },
			["stop main within 30s"],
		],
		[
			"lets well alone",
			{},
			{ begun: true, now: { main: { is: "running" } } },
			[],
		],
	])("%s", (_what, spec, situation, actions) => {
		const pod = podOf(spec);
		const step = nextStep(pod, runtimeIn(pod, situation), 1000);
		expect(step.actions.map(said)).toEqual(actions);
	});

	it.each<[string, Situation, number]>([
		[
			"the pause of a crash loop",
			{
				begun: true,
				now: { main: { is: "ended", ended: failed, endedAt: 500 } },
			},
			10_500,
		],
		[
			"the next try to get a network",
			{ network: { is: "none", retryAt: 3000 } },
			3000,
		],
		[
			"the next try to start",
			{
				now: { main: { is: "waiting", reason: "ErrImagePull", retryAt: 4000 } },
			},
			4000,
		],
		[
			"the end of a container's grace",
			{
				begun: true,
				now: {
					main: {
						is: "running",
						stop: { killAt: 5000, killed: false },
					},
				},
			},
			5000,
		],
	])("sleeps until %s is over", (_what, situation, wakeAt) => {
		const pod = podOf();
		const runtime = runtimeIn(pod, situation);
		const known = runtimeOf(runtime, "main");
		if (known.state.is === "ended") known.loop = afterRestart(undefined, 0, 0);
		const before = nextStep(pod, runtime, 1000);
		expect(before).toMatchObject({ actions: [], wakeAt });
		expect(nextStep(pod, runtime, wakeAt).actions).toHaveLength(1);
	});
});

describe("a pod that is deleted", () => {
	const two = { containers: [container("a"), container("b")] };
	const stopping = (killAt: number) => ({
		is: "running" as const,
		stop: { killAt, killed: false },
	});
	it.each<[string, Partial<PodSpec>, Situation, number, string[]]>([
		[
			"stops all that runs within its grace",
			two,
			{ now: { a: { is: "running" }, b: { is: "running" } } },
			5,
			["stop a within 5s", "stop b within 5s"],
		],
		[
			"waits for what is being stopped",
			{},
			{ now: { main: stopping(31_000) } },
			30,
			[],
		],
		[
			"kills what overstays",
			{},
			{ now: { main: stopping(1000) } },
			30,
			["kill main"],
		],
		[
			"kills only once",
			{},
			{
				now: {
					main: {
						is: "running",
						stop: { killAt: 1000, killed: true },
					},
				},
			},
			30,
			[],
		],
		[
			"kills sooner when asked again with less grace",
			{},
			{ now: { main: stopping(31_000) } },
			2,
			["stop main within 2s"],
		],
		[
			"leaves a second even when forced",
			{},
			{ now: { main: { is: "running" } } },
			0,
			["stop main within 1s"],
		],
		[
			"leaves sidecars to the last",
			{ ...sidecar },
			{ now: { proxy: { is: "running" }, main: { is: "running" } } },
			30,
			["stop main within 30s"],
		],
		[
			"and gives them what is left",
			{ ...sidecar },
			{
				endingAt: -9000,
				now: { proxy: { is: "running" }, main: { is: "ended" } },
			},
			30,
			["stop proxy within 20s"],
		],
		[
			"or two seconds",
			{ ...sidecar },
			{
				endingAt: -60_000,
				now: { proxy: { is: "running" }, main: { is: "ended" } },
			},
			30,
			["stop proxy within 2s"],
		],
		[
			"lets go of its network when nothing runs",
			{},
			{ now: { main: { is: "ended" } } },
			30,
			["disconnect"],
		],
		[
			"starts nothing more",
			init,
			{ now: { first: { is: "ended" } } },
			30,
			["disconnect"],
		],
		[
			"does not even get a network",
			{},
			{ network: { is: "none", retryAt: 0 } },
			30,
			[],
		],
	])("%s", (_what, spec, situation, seconds, actions) => {
		const pod = podOf(spec);
		Object.assign(pod.metadata, deleted(seconds));
		const step = nextStep(pod, runtimeIn(pod, situation), 1000);
		expect(step.actions.map(said)).toEqual(actions);
	});

	it("ends just the same when its object is gone", () => {
		const pod = podOf({ terminationGracePeriodSeconds: 7 });
		const runtime = runtimeIn(pod, {
			removed: true,
			now: { main: { is: "running" } },
		});
		expect(nextStep(pod, runtime, 1000).actions.map(said)).toEqual([
			"stop main within 7s",
		]);
	});
});

describe("a kubelet that comes back", () => {
	const before: Pod = {
		...podOf(),
		status: {
			phase: "Running",
			podIP: "10.244.1.9",
			containerStatuses: [
				{
					name: "main",
					ready: true,
					restartCount: 2,
					image: "busybox",
					imageID: "",
					containerID: "process://7",
					state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
				},
			],
		},
	};

	it("counts what ran before as lost and starts it again", () => {
		const runtime = newRuntime(before, { wall: 0, monotonic: 0 });
		expect(runtimeOf(runtime, "main")).toMatchObject({
			starts: 3,
			state: {
				is: "ended",
				ended: { exitCode: 137, reason: "ContainerStatusUnknown" },
			},
		});
		expect(nextStep(before, runtime, 0).actions.map(said)).toEqual(["connect"]);
	});

	it("leaves a pod alone that had ended", () => {
		const pod: Pod = { ...before, status: { phase: "Succeeded" } };
		const step = nextStep(pod, newRuntime(pod, { wall: 0, monotonic: 0 }), 0);
		expect(step).toEqual({ actions: [], wakeAt: undefined, over: true });
	});
});

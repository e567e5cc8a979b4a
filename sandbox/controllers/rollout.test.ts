import type { Deployment, ReplicaSet } from "../objects.ts";
import { planRollout } from "./rollout.ts";
import { at, deployment, pod, replicaSet, start } from "./test-samples.ts";

const now = start + 60_000;

function plan(
	given: Deployment,
	sets: ReplicaSet[],
	pods: ReturnType<typeof pod>[] = [],
) {
	const { create, changes, cleanUp, status, revision } = planRollout({
		deployment: given,
		sets,
		pods,
		now,
	});
	return {
		create: create?.spec.replicas,
		sizes: changes.map(
			({ next }) => `${next.metadata.name}: ${next.spec.replicas}`,
		),
		cleanUp: cleanUp.map(({ metadata }) => metadata.name),
		progress: status.conditions?.find(({ type }) => type === "Progressing")
			?.reason,
		revision,
	};
}

const condition = (reason: string, seconds = 0) => ({
	type: "Progressing",
	status: "True" as const,
	reason,
	message: "",
	lastUpdateTime: at(seconds),
	lastTransitionTime: at(seconds),
});

const complete = {
	observedGeneration: 1,
	replicas: 4,
	updatedReplicas: 4,
	readyReplicas: 4,
	availableReplicas: 4,
	conditions: [condition("NewReplicaSetAvailable")],
};

const nothing = {
	create: undefined,
	sizes: [],
	cleanUp: [],
	progress: "NewReplicaSetAvailable",
};

describe("a rolling update", () => {
	test("begins with a ReplicaSet for the template", () => {
		expect(plan(deployment(), [])).toEqual({
			...nothing,
			create: 4,
			progress: "NewReplicaSetCreated",
			revision: "1",
		});
	});

	test("changes nothing when everything is as it shall be", () => {
		expect(
			plan(deployment({}, { status: complete }), [replicaSet(1, 4)]),
		).toEqual({ ...nothing, revision: "1" });
	});

	test("makes the next ReplicaSet and shrinks the last in one go", () => {
		const given = deployment({}, { image: "i:2", status: complete });
		expect(plan(given, [replicaSet(1, 4)])).toMatchObject({
			create: 1,
			sizes: ["web-1: 3"],
			progress: "NewReplicaSetCreated",
			revision: "2",
		});
	});

	test("grows before it shrinks, one step at a time", () => {
		const given = deployment({}, { image: "i:2", status: complete });
		expect(
			plan(given, [replicaSet(1, 3), replicaSet(2, 1, { available: 0 })]),
		).toMatchObject({ sizes: ["web-2: 2"] });
		expect(
			plan(given, [replicaSet(1, 3), replicaSet(2, 2, { available: 1 })]),
		).toMatchObject({ sizes: ["web-1: 2"] });
	});

	test("waits while too few pods are available", () => {
		const given = deployment({}, { image: "i:2", status: complete });
		expect(
			plan(given, [replicaSet(1, 3), replicaSet(2, 2, { available: 0 })]),
		).toMatchObject({ sizes: [] });
	});

	test("comes back to an old template under a new revision, whose history stays", () => {
		const given = deployment({}, { status: complete });
		const back = planRollout({
			deployment: given,
			sets: [replicaSet(1, 0), replicaSet(2, 4)],
			pods: [],
			now,
		}).changes[0];
		expect(back?.set.metadata.name).toBe("web-1");
		expect(back?.next.metadata.annotations).toMatchObject({
			"deployment.kubernetes.io/revision": "3",
			"deployment.kubernetes.io/revision-history": "1",
		});
	});

	test("forgets old ReplicaSets only when it is complete", () => {
		const limited = { revisionHistoryLimit: 1 };
		const sets = [replicaSet(1, 0), replicaSet(2, 0), replicaSet(3, 4)];
		const image = "i:3";
		expect(
			plan(deployment(limited, { image, status: complete }), sets).cleanUp,
		).toEqual(["web-1"]);
		expect(plan(deployment(limited, { image }), sets).cleanUp).toEqual([]);
	});

	test("does not forget a ReplicaSet that still has pods", () => {
		const given = deployment(
			{ revisionHistoryLimit: 0 },
			{ image: "i:2", status: complete },
		);
		const sets = [replicaSet(1, 0, { pods: 1 }), replicaSet(2, 4)];
		expect(plan(given, sets).cleanUp).toEqual([]);
	});
});

describe("scaling", () => {
	test("goes to the only ReplicaSet that has pods", () => {
		const given = deployment({ replicas: 6 }, { status: complete });
		expect(plan(given, [replicaSet(1, 4)]).sizes).toEqual(["web-1: 6"]);
	});

	test("in the middle of a rollout is shared out", () => {
		const given = deployment({ replicas: 8 }, { image: "i:2" });
		expect(plan(given, [replicaSet(1, 3), replicaSet(2, 2)]).sizes).toEqual([
			"web-1: 6",
			"web-2: 4",
		]);
	});

	test("of a paused Deployment makes no ReplicaSet for its new template", () => {
		const given = deployment(
			{ replicas: 5, paused: true },
			{ image: "i:2", status: complete },
		);
		expect(plan(given, [replicaSet(1, 4)])).toMatchObject({
			create: undefined,
			sizes: ["web-1: 5"],
			progress: "DeploymentPaused",
		});
	});
});

test("a resumed Deployment has its deadline before it", () => {
	const status = {
		...complete,
		conditions: [
			{ ...condition("DeploymentPaused"), status: "Unknown" as const },
		],
	};
	const given = deployment(
		{ progressDeadlineSeconds: 1 },
		{ image: "i:2", status: { ...status, updatedReplicas: 1 } },
	);
	const sets = [replicaSet(1, 3), replicaSet(2, 2, { available: 0, pods: 1 })];
	expect(plan(given, sets).progress).toBe("DeploymentResumed");
});

describe("Recreate", () => {
	const strategy = { type: "Recreate" as const };
	const given = deployment({ strategy }, { image: "i:2", status: complete });

	test("lets all old pods go before it makes a ReplicaSet", () => {
		expect(plan(given, [replicaSet(1, 4, { max: 4 })])).toMatchObject({
			create: undefined,
			sizes: ["web-1: 0"],
		});
	});

	test("waits for a pod that is still on its way out", () => {
		const leaving = pod("old", { owner: "web-1", leaving: true });
		expect(plan(given, [replicaSet(1, 0)], [leaving]).create).toBeUndefined();
	});

	test("goes on when the old pods have ended", () => {
		const ended = pod("old", { owner: "web-1", phase: "Failed" });
		expect(plan(given, [replicaSet(1, 0)], [ended]).create).toBe(4);
	});
});

test("a Deployment that is being deleted changes no ReplicaSet", () => {
	const given = deployment({ replicas: 9 }, { image: "i:2", leaving: true });
	expect(plan(given, [replicaSet(1, 4)])).toMatchObject({
		create: undefined,
		sizes: [],
	});
});

describe("progress", () => {
	const stuck = [replicaSet(1, 3), replicaSet(2, 2, { available: 0, pods: 1 })];
	const halfWay = (reason: string, seconds: number) => ({
		observedGeneration: 1,
		replicas: 4,
		updatedReplicas: 1,
		readyReplicas: 3,
		availableReplicas: 3,
		conditions: [condition(reason, seconds)],
	});

	test.each([
		["within the deadline is not judged", 600, "ReplicaSetUpdated"],
		["past the deadline is none", 30, "ProgressDeadlineExceeded"],
	])("%s", (_, progressDeadlineSeconds, expected) => {
		const given = deployment(
			{ progressDeadlineSeconds },
			{ image: "i:2", status: halfWay("ReplicaSetUpdated", 0) },
		);
		expect(plan(given, stuck).progress).toBe(expected);
	});

	test("of any kind renews the deadline", () => {
		const given = deployment(
			{ progressDeadlineSeconds: 30 },
			{
				image: "i:2",
				status: { ...halfWay("ReplicaSetUpdated", 0), readyReplicas: 2 },
			},
		);
		const { status } = planRollout({
			deployment: given,
			sets: stuck,
			pods: [],
			now,
		});
		expect(
			status.conditions?.find(({ type }) => type === "Progressing"),
		).toMatchObject({
			reason: "ReplicaSetUpdated",
			lastUpdateTime: at(60),
			lastTransitionTime: at(0),
		});
	});
});

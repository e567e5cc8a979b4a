import { pod, type Scenario } from "./controllers-service-scenarios.ts";
import type { Snapshot } from "./controllers-snapshot.ts";
import type { TwoWorlds } from "./controllers-world.ts";

function deployment(more: object = {}, image = "i:1") {
	return {
		metadata: { name: "web", annotations: { note: "kept" } },
		spec: {
			replicas: 3,
			selector: { matchLabels: { app: "web" } },
			template: template(image),
			...more,
		},
	};
}

const template = (image: string) => ({
	metadata: { labels: { app: "web" } },
	spec: { containers: [{ name: "c", image }] },
});

const statusOf = ({ deployments }: Snapshot) => deployments[0]?.status;

const reasons = (seen: Snapshot) =>
	(statusOf(seen)?.conditions ?? []).map(({ reason }) => reason as string);

/** The last rollout has ended well, with as many pods. */
const settled = (replicas: number) => (seen: Snapshot) =>
	reasons(seen).includes("NewReplicaSetAvailable") &&
	statusOf(seen)?.updatedReplicas === replicas &&
	statusOf(seen)?.availableReplicas === replicas &&
	seen.pods.length === replicas;

/** Replicas asked of each ReplicaSet, by revision: "1: 3, 2: 1". */
const sizes =
	(wanted: string) =>
	({ replicaSets }: Snapshot) =>
		replicaSets
			.map(({ revision, replicas }) => `${revision}: ${replicas}`)
			.sort()
			.join(", ") === wanted;

/** A Deployment with all its pods ready, at addresses 1 to `replicas`. */
async function deployed(
	worlds: TwoWorlds,
	replicas: number,
	more: object = {},
): Promise<void> {
	await worlds.do(async (world) => {
		await world.create("deployments", deployment({ replicas, ...more }));
		await world.place(replicas);
		for (let address = 1; address <= replicas; address++)
			await world.say([address], "ready");
	});
	await worlds.agree(settled(replicas));
}

const patch = (worlds: TwoWorlds, spec: object) =>
	worlds.do((world) => world.patch("deployments", "web", { spec }));

/** Which pod goes first is otherwise a matter of names. */
const expendable = (worlds: TwoWorlds, address: number, cost: number) =>
	worlds.do((world) =>
		world.patchPod(address, {
			metadata: {
				annotations: {
					"controller.kubernetes.io/pod-deletion-cost": String(cost),
				},
			},
		}),
	);

export const workloadScenarios: Scenario[] = [
	[
		"A new Deployment becomes available pod by pod",
		async (worlds) => {
			await worlds.do((world) => world.create("deployments", deployment()));
			await worlds.do((world) => world.place(3));
			await worlds.agree((seen) => statusOf(seen)?.replicas === 3);
			for (const [address, ready] of [
				[1, 1],
				[2, 2],
				[3, 3],
			] as const) {
				await worlds.do((world) => world.say([address], "ready"));
				await worlds.agree((seen) => statusOf(seen)?.readyReplicas === ready);
			}
			await worlds.agree(settled(3));
		},
	],
	[
		"A rolling update goes on as its new pods become ready",
		async (worlds) => {
			await deployed(worlds, 4);
			for (const [address, cost] of [
				[1, -4],
				[2, -3],
				[3, -2],
			] as const)
				await expendable(worlds, address, cost);
			await patch(worlds, { template: template("i:2") });
			await worlds.agree(sizes("1: 3, 2: 2"));
			await worlds.do(async (world) => {
				await world.bury(1);
				await world.place(2);
			});
			for (const [address, after, more] of [
				[5, "1: 2, 2: 3", 1],
				[6, "1: 1, 2: 4", 1],
				[7, "1: 0, 2: 4", 0],
			] as const) {
				await worlds.do((world) => world.say([address], "ready"));
				await worlds.agree(sizes(after));
				await worlds.do(async (world) => {
					await world.bury(1);
					await world.place(more);
				});
			}
			await worlds.do((world) => world.say([8], "ready"));
			await worlds.agree(settled(4));
		},
	],
	[
		"Recreate waits until the last old pod is gone",
		async (worlds) => {
			await deployed(worlds, 2, { strategy: { type: "Recreate" } });
			await patch(worlds, { template: template("i:2") });
			await worlds.agree(
				(seen) =>
					sizes("1: 0")(seen) && statusOf(seen)?.terminatingReplicas === 2,
			);
			await worlds.do(async (world) => {
				await world.bury(2);
				await world.place(2);
				await world.say([3, 4], "ready");
			});
			await worlds.agree(settled(2));
		},
	],
	[
		"Scaling up and down takes the least costly pods",
		async (worlds) => {
			await deployed(worlds, 2);
			await patch(worlds, { replicas: 4 });
			await worlds.do(async (world) => {
				await world.place(2);
				await world.say([3, 4], "ready");
			});
			await worlds.agree(settled(4));
			await expendable(worlds, 2, -2);
			await expendable(worlds, 4, -1);
			await patch(worlds, { replicas: 2 });
			await worlds.do((world) => world.bury(2));
			await worlds.agree(settled(2));
			await patch(worlds, { replicas: 0 });
			await worlds.do((world) => world.bury(2));
			await worlds.agree((seen) => seen.pods.length === 0);
		},
	],
	[
		"Scaling in the middle of a rollout is shared out in proportion",
		async (worlds) => {
			await deployed(worlds, 4);
			for (const address of [1, 2, 3, 4])
				await expendable(worlds, address, address);
			await patch(worlds, { template: template("i:2") });
			await worlds.agree(sizes("1: 3, 2: 2"));
			await patch(worlds, { replicas: 8 });
			await worlds.agree(sizes("1: 6, 2: 4"));
			await patch(worlds, { replicas: 2 });
			await worlds.agree(({ replicaSets }) =>
				replicaSets.every(({ status }) => status["readyReplicas"] !== 4),
			);
		},
	],
	[
		"A paused Deployment scales, but rolls nothing out until it goes on",
		async (worlds) => {
			await deployed(worlds, 2);
			await patch(worlds, { paused: true });
			await worlds.agree((seen) => reasons(seen).includes("DeploymentPaused"));
			await patch(worlds, { template: template("i:2"), replicas: 3 });
			await worlds.agree(sizes("1: 3"));
			await patch(worlds, { paused: false });
			await worlds.agree(sizes("1: 3, 2: 1"));
		},
	],
	[
		"Undo brings an old ReplicaSet back under a new revision",
		async (worlds) => {
			await deployed(worlds, 1);
			await patch(worlds, { template: template("i:2") });
			await worlds.do(async (world) => {
				await world.place(1);
				await world.say([2], "ready");
				await world.bury(1);
			});
			await worlds.agree(settled(1));
			await patch(worlds, { template: template("i:1") });
			await worlds.do(async (world) => {
				await world.place(1);
				await world.say([3], "ready");
				await world.bury(1);
			});
			await worlds.agree(
				(seen) => settled(1)(seen) && sizes("2: 0, 3: 1")(seen),
			);
		},
	],
	[
		"History keeps as many old ReplicaSets as it is told to",
		async (worlds) => {
			await deployed(worlds, 1, { revisionHistoryLimit: 1 });
			for (const [image, address] of [
				["i:2", 2],
				["i:3", 3],
			] as const) {
				await patch(worlds, { template: template(image) });
				await worlds.do(async (world) => {
					await world.place(1);
					await world.say([address], "ready");
					await world.bury(1);
				});
				await worlds.agree(settled(1));
			}
			await worlds.agree(sizes("2: 0, 3: 1"));
		},
	],
	[
		"A rollout that does not get on is reported after its deadline, and can still succeed",
		async (worlds) => {
			await worlds.do((world) =>
				world.create(
					"deployments",
					deployment({ replicas: 1, progressDeadlineSeconds: 1 }),
				),
			);
			await worlds.agree((seen) =>
				reasons(seen).includes("ProgressDeadlineExceeded"),
			);
			await worlds.do(async (world) => {
				await world.place(1);
				await world.say([1], "ready");
			});
			await worlds.agree(settled(1));
		},
	],
	[
		"A pod is available after it has been ready for a while",
		async (worlds) => {
			await worlds.do(async (world) => {
				await world.create(
					"deployments",
					deployment({ replicas: 1, minReadySeconds: 2 }),
				);
				await world.place(1);
				await world.say([1], "ready");
			});
			await worlds.agree((seen) => statusOf(seen)?.readyReplicas === 1);
			await worlds.agree(settled(1));
		},
	],
	[
		"A pod that fails is replaced and kept to be looked at",
		async (worlds) => {
			await deployed(worlds, 2);
			await worlds.do(async (world) => {
				await world.say([1], "failed");
				await world.place(1);
				await world.say([3], "ready");
			});
			await worlds.agree(
				(seen) =>
					statusOf(seen)?.availableReplicas === 2 && seen.pods.length === 3,
			);
		},
	],
	[
		"A ReplicaSet adopts a pod it selects and lets go of one it does not",
		async (worlds) => {
			const set = {
				metadata: { name: "set" },
				spec: {
					replicas: 2,
					selector: { matchLabels: { app: "web" } },
					template: template("i:1"),
				},
			};
			await worlds.do(async (world) => {
				await world.create("pods", pod("bare-abcde"));
				await world.place(1);
				await world.create("replicaSets", set);
				await world.place(1);
			});
			await worlds.agree(
				({ pods }) => pods.filter((each) => each.includes("of R")).length === 2,
			);
			await worlds.do(async (world) => {
				await world.patchPod(1, { metadata: { labels: { app: "free" } } });
				await world.place(1);
			});
			await worlds.agree(
				({ pods }) =>
					pods.length === 3 &&
					pods.filter((each) => each.includes("of nobody")).length === 1,
			);
		},
	],
	[
		"Annotations of the Deployment are its ReplicaSet's",
		async (worlds) => {
			await deployed(worlds, 1);
			await worlds.do((world) =>
				world.patch("deployments", "web", {
					metadata: {
						annotations: {
							note: null,
							"kubernetes.io/change-cause": "because",
						},
					},
				}),
			);
			await worlds.agree(({ replicaSets }) =>
				JSON.stringify(replicaSets).includes("because"),
			);
		},
	],
	[
		"With the Deployment goes everything below it",
		async (worlds) => {
			await deployed(worlds, 2);
			await worlds.do((world) => world.delete("deployments", "web"));
			await worlds.do((world) => world.bury(2));
			await worlds.agree(
				({ deployments, replicaSets, pods }) =>
					deployments.length + replicaSets.length + pods.length === 0,
			);
		},
	],
];

import type { Node, Pod } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import type { Event } from "../../operator/cluster/event-object.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { eventually } from "../../test/support/eventually.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { Deployment, ReplicaSet } from "../objects.ts";
import { once, startTestCluster, type TestCluster } from "../test-cluster.ts";
import { type Controllers, startControllers } from "./index.ts";
import { isActive, isReady } from "./pod-state.ts";
import { startStandInKubelet } from "./test-stand-in-kubelet.ts";
import { type Watched, watchedClient } from "./test-watched-client.ts";

// The loops, on the sandbox's own API server. Each test has a namespace of its own.

const log = quietLog();
/** Milliseconds, for a machine that has much else to do. */
const patience = 30_000;
let cluster: TestCluster;
let controllers: Controllers;
let kubelet: { stop(): void };
let watched: Watched;
beforeAll(async () => {
	cluster = await startTestCluster(log);
	const { client, server } = cluster;
	watched = watchedClient(client);
	controllers = startControllers({
		client: watched.client,
		clock: systemClock,
		random: Math.random,
		log,
		stores: cluster.stores,
		rootCa: server.ca,
	});
	for (const number of [1, 2, 3])
		await client.create<Node>(resources.nodes, {
			metadata: { name: `node-${number}` },
			status: { conditions: [{ type: "Ready", status: "True" }] },
		});
	kubelet = startStandInKubelet(cluster, log);
}, patience);

afterAll(async () => {
	kubelet.stop();
	await controllers.stop();
	await cluster.close();
	expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
}, patience);

let count = 0;

async function newNamespace(): Promise<string> {
	const name = `test-${++count}`;
	const { client, stores } = cluster;
	await client.create(resources.namespaces, { metadata: { name } });
	await once(stores.configMaps, ({ metadata }) => metadata.namespace === name);
	return name;
}

function deployment(
	namespace: string,
	replicas: number,
	more: Partial<Deployment["spec"]> = {},
	image = "i:1",
): Deployment {
	return {
		metadata: { name: "web", namespace },
		spec: {
			replicas,
			selector: { matchLabels: { app: "web" } },
			template: {
				metadata: { labels: { app: "web" } },
				spec: {
					containers: [
						{
							name: "c",
							image,
							ports: [{ name: "http", containerPort: 8080 }],
						},
					],
				},
			},
			...more,
		},
	};
}

const podsIn = (namespace: string): Pod[] =>
	cluster.stores.pods.byIndex("namespace", namespace);

const complete = (namespace: string, replicas: number, generation = 1) =>
	once(
		cluster.stores.deployments,
		({ metadata, status }) =>
			metadata.namespace === namespace &&
			status?.observedGeneration === generation &&
			status.availableReplicas === replicas &&
			status.updatedReplicas === replicas &&
			status.replicas === replicas &&
			status.conditions?.some(
				({ reason }) => reason === "NewReplicaSetAvailable",
			) === true,
	);

async function eventsOf(namespace: string): Promise<string[]> {
	const { items } = await cluster.client.list<Event>(resources.events, {
		namespace,
	});
	return items.map(({ regarding, reason, note }) =>
		`${regarding.kind} ${reason}: ${note}`.replace(
			/web-[a-z0-9]+(-[a-z0-9]{5})?/g,
			(_, pod) => (pod ? "POD" : "SET"),
		),
	);
}

test(
	"three pods of a Deployment run on three nodes",
	async () => {
		const namespace = await newNamespace();
		const { client } = cluster;
		await client.create(resources.deployments, deployment(namespace, 3));
		await complete(namespace, 3);
		expect(new Set(podsIn(namespace).map(({ spec }) => spec.nodeName))).toEqual(
			new Set(["node-1", "node-2", "node-3"]),
		);
		for (const { status } of podsIn(namespace))
			expect(status?.conditions).toContainEqual(
				expect.objectContaining({ type: "PodScheduled", status: "True" }),
			);
		const events = await eventually(
			() => eventsOf(namespace),
			(found) => expect(found.length).toBeGreaterThanOrEqual(7),
		);
		expect(new Set(events)).toEqual(
			new Set([
				"Deployment ScalingReplicaSet: Scaled up replica set SET from 0 to 3",
				"ReplicaSet SuccessfulCreate: Created pod: POD",
				...["node-1", "node-2", "node-3"].map(
					(node) =>
						`Pod Scheduled: Successfully assigned ${namespace}/POD to ${node}`,
				),
			]),
		);
	},
	patience,
);

test(
	"a rollout never has fewer available pods, nor more pods, than its strategy allows",
	async () => {
		const namespace = await newNamespace();
		const { client, stores } = cluster;
		const strategy = {
			type: "RollingUpdate" as const,
			rollingUpdate: { maxSurge: 2, maxUnavailable: 1 },
		};
		await client.create(
			resources.deployments,
			deployment(namespace, 6, { strategy }),
		);
		await complete(namespace, 6);
		const extremes = { fewest: 6, most: 6 };
		const stop = stores.pods.onChange(() => {
			const active = podsIn(namespace).filter(isActive);
			extremes.fewest = Math.min(
				extremes.fewest,
				active.filter(isReady).length,
			);
			extremes.most = Math.max(extremes.most, active.length);
		});
		const { template } = deployment(namespace, 6, {}, "i:2").spec;
		await client.patch(
			resources.deployments,
			{ namespace, name: "web" },
			{ type: "merge", body: { spec: { template } } },
		);
		await complete(namespace, 6, 2);
		stop();
		expect(extremes.fewest).toBeGreaterThanOrEqual(5);
		expect(extremes.most).toBeLessThanOrEqual(8);
		expect(
			podsIn(namespace)
				.filter(isActive)
				.map(({ spec }) => spec.containers[0]?.image),
		).toEqual(Array.from({ length: 6 }, () => "i:2"));
	},
	patience,
);

test(
	"a lost answer makes no pod too many",
	async () => {
		const namespace = await newNamespace();
		let lost = 0;
		watched.afterCreate = ({ metadata, kind }) => {
			if (kind !== "Pod" || metadata.namespace !== namespace || lost++ > 1)
				return;
			throw new FairleadError("KubeUnreachable", "the answer was lost");
		};
		await cluster.client.create(
			resources.deployments,
			deployment(namespace, 4),
		);
		await complete(namespace, 4);
		watched.afterCreate = () => {};
		expect(lost).toBeGreaterThan(2);
		const deleted = (await eventsOf(namespace)).filter((each) =>
			each.includes("SuccessfulDelete"),
		);
		expect(deleted).toEqual([]);
		expect(podsIn(namespace)).toHaveLength(4);
	},
	patience,
);

test(
	"a ReplicaSet's name that somebody else has taken is avoided",
	async () => {
		const namespace = await newNamespace();
		const { client, stores } = cluster;
		watched.beforeCreate = async ({ metadata }) => {
			if (!metadata.labels?.["pod-template-hash"]) return;
			watched.beforeCreate = async () => {};
			const { name } = metadata;
			const foreign = deployment(namespace, 0, {}, "other").spec;
			const { selector, template } = foreign;
			selector.matchLabels = { app: "other" };
			template.metadata = { labels: { app: "other" } };
			await client.create<ReplicaSet>(resources.replicaSets, {
				metadata: { name, namespace },
				spec: { replicas: 0, selector, template },
			});
		};
		await client.create(resources.deployments, deployment(namespace, 1));
		const { status } = await complete(namespace, 1);
		expect(status?.collisionCount).toBe(1);
		expect(stores.replicaSets.byIndex("namespace", namespace)).toHaveLength(2);
	},
	patience,
);

test(
	"a pod that no node will have says why, and gets one as soon as there is one",
	async () => {
		const namespace = await newNamespace();
		const { client, stores } = cluster;
		await client.create<Pod>(resources.pods, {
			metadata: { name: "picky", namespace },
			spec: {
				nodeSelector: { disk: "ssd" },
				containers: [{ name: "c", image: "i" }],
			},
		});
		const refused = await once(
			stores.pods,
			({ metadata, status }) =>
				metadata.namespace === namespace && status?.conditions !== undefined,
		);
		const message =
			"0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";
		expect(refused.status?.conditions).toMatchObject([
			{
				type: "PodScheduled",
				status: "False",
				reason: "Unschedulable",
				message,
			},
		]);
		await eventually(
			() => eventsOf(namespace),
			(found) => expect(found).toContain(`Pod FailedScheduling: ${message}`),
		);
		await client.patch(
			resources.nodes,
			{ name: "node-2" },
			{ type: "merge", body: { metadata: { labels: { disk: "ssd" } } } },
		);
		const bound = await once(
			stores.pods,
			({ metadata, spec }) =>
				metadata.namespace === namespace && spec.nodeName !== undefined,
		);
		expect(bound.spec.nodeName).toBe("node-2");
	},
	patience,
);

test(
	"a change that concerns nobody is followed by no write",
	async () => {
		const namespace = await newNamespace();
		const { client, stores } = cluster;
		const service = (name: string) => ({
			metadata: { name, namespace },
			spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
		});
		await client.create(resources.services, service("web"));
		await client.create(resources.deployments, deployment(namespace, 2));
		await complete(namespace, 2);
		const readyIn = (name: string) =>
			once(
				stores.endpointSlices,
				({ metadata, endpoints }) =>
					metadata.namespace === namespace &&
					metadata.generateName === `${name}-` &&
					endpoints?.filter(({ conditions }) => conditions?.ready).length === 2,
			);
		await readyIn("web");
		await once(
			stores.endpoints,
			({ metadata, subsets }) =>
				metadata.namespace === namespace &&
				subsets?.[0]?.addresses?.length === 2,
		);
		watched.writes.length = 0;
		for (const { metadata } of podsIn(namespace))
			await client.patch(
				resources.pods,
				{ namespace, name: metadata.name },
				{ type: "merge", body: { metadata: { annotations: { note: "new" } } } },
			);
		await client.patch(
			resources.services,
			{ namespace, name: "web" },
			{ type: "merge", body: { metadata: { annotations: { note: "new" } } } },
		);
		// Whatever the controllers do about those changes, they do before this.
		await client.create(resources.services, service("later"));
		await readyIn("later");
		await once(
			stores.endpoints,
			({ metadata }) =>
				metadata.namespace === namespace && metadata.name === "later",
		);
		expect(watched.writes.toSorted()).toEqual([
			"create endpoints later",
			expect.stringMatching(/^create endpointslices later-/),
		]);
	},
	patience,
);

test(
	"every namespace has its account and its authority, and gets them back",
	async () => {
		const namespace = await newNamespace();
		const { client, stores, server } = cluster;
		const account = await once(
			stores.serviceAccounts,
			({ metadata }) => metadata.namespace === namespace,
		);
		await client.delete(resources.serviceAccounts, {
			namespace,
			name: "default",
		});
		await once(
			stores.serviceAccounts,
			({ metadata }) =>
				metadata.namespace === namespace &&
				metadata.uid !== account.metadata.uid,
		);
		const ref = { namespace, name: "kube-root-ca.crt" };
		await client.patch(resources.configMaps, ref, {
			type: "merge",
			body: { data: { "ca.crt": "forged" } },
		});
		await once(
			stores.configMaps,
			({ metadata, data }) =>
				metadata.namespace === namespace && data?.["ca.crt"] === server.ca,
		);
	},
	patience,
);

test(
	"a namespace that is deleted goes with all that is in it",
	async () => {
		const namespace = await newNamespace();
		const { client, stores } = cluster;
		await client.create(resources.services, {
			metadata: { name: "web", namespace },
			spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
		} as KubeObject);
		await client.create(resources.deployments, deployment(namespace, 3));
		await complete(namespace, 3);
		const gone = new Promise<void>((resolve) => {
			stores.namespaces.onChange(({ type, object }) => {
				if (type === "deleted" && object.metadata.name === namespace) resolve();
			});
		});
		await client.delete(resources.namespaces, { name: namespace });
		await gone;
	},
	patience,
);

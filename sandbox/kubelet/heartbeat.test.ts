import { jest } from "@jest/globals";
import type { Lease, Node } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { eventually } from "../../test/support/eventually.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { startTestCluster, type TestCluster } from "../test-cluster.ts";
import { Heartbeat } from "./heartbeat.ts";

// A real API server, on a machine that may be busy.
jest.setTimeout(30_000);

const facts = {
	name: "node-1",
	address: "172.30.1.1",
	podCidr: "10.244.1.0/24",
	providerID: "hcloud://7",
	labels: { zone: "a" },
	machine: {
		cpus: 2,
		memoryBytes: 4 * 1024 ** 3,
		arch: "amd64",
		os: "linux",
		kernel: "6",
	},
};

let cluster: TestCluster;
let clock: FakeClock;
let heart: Heartbeat;
/** What the API server is asked, and whether it answers. */
let asked: string[];
let away: boolean;

beforeEach(async () => {
	cluster = await startTestCluster(quietLog());
	clock = new FakeClock(systemClock.now());
	asked = [];
	away = false;
	heart = new Heartbeat({ facts, client: watched(), clock, log: quietLog() });
});

afterEach(async () => {
	away = false;
	await heart.stop();
	await cluster.close();
});

function watched(): KubeClient {
	return new Proxy(cluster.client, {
		get: (target, name) => {
			const member = Reflect.get(target, name) as (
				...args: unknown[]
			) => unknown;
			return (...args: unknown[]) => {
				asked.push(`${String(name)} ${(args[0] as { plural: string }).plural}`);
				return away
					? Promise.reject(new FairleadError("KubeUnreachable", "refused"))
					: Reflect.apply(member, target, args);
			};
		},
	});
}

const node = () =>
	cluster.client.get<Node>(resources.nodes, { name: "node-1" });
const lease = () =>
	cluster.client.get<Lease>(resources.leases, {
		namespace: "kube-node-lease",
		name: "node-1",
	});
const ready = ({ status }: Node) =>
	status?.conditions?.find(({ type }) => type === "Ready")?.status;

it("makes node and Lease with one request each", async () => {
	heart.start();
	await heart.ready;
	const made = await eventually(lease, (each) => expect(each).toBeDefined());
	expect(asked).toEqual(["create nodes", "create leases"]);
	const { metadata, spec, status } = await node();
	expect(metadata.labels).toMatchObject({
		zone: "a",
		"kubernetes.io/hostname": "node-1",
		"kubernetes.io/arch": "amd64",
	});
	expect(spec).toMatchObject({
		providerID: "hcloud://7",
		podCIDRs: ["10.244.1.0/24"],
	});
	expect(status).toMatchObject({
		addresses: [
			{ type: "InternalIP", address: "172.30.1.1" },
			{ type: "Hostname", address: "node-1" },
		],
		capacity: { cpu: "2", memory: "4194304Ki", pods: "110" },
		nodeInfo: { kubeletVersion: "v1.37.2" },
	});
	expect(ready(await node())).toBe("True");
	expect(made.metadata.ownerReferences).toEqual([
		{ apiVersion: "v1", kind: "Node", name: "node-1", uid: metadata.uid },
	]);
	expect(made.spec).toMatchObject({
		holderIdentity: "node-1",
		leaseDurationSeconds: 40,
	});
});

it("takes a node and a Lease that are there, and leaves what others said of them", async () => {
	await cluster.client.create(resources.nodes, {
		metadata: { name: "node-1", labels: { zone: "b" } },
		spec: { providerID: "hcloud://8" },
		status: { conditions: [{ type: "Mine", status: "True" }] },
	} as Node);
	await cluster.client.create(resources.leases, {
		metadata: { namespace: "kube-node-lease", name: "node-1" },
		spec: { holderIdentity: "somebody" },
	} as Lease);
	heart.start();
	await heart.ready;
	await eventually(lease, ({ spec }) =>
		expect(spec?.holderIdentity).toBe("node-1"),
	);
	const found = await node();
	expect(found.metadata.labels).toMatchObject({
		zone: "b",
		"kubernetes.io/os": "linux",
	});
	expect(found.spec?.providerID).toBe("hcloud://8");
	expect(found.status?.conditions?.map(({ type }) => type)).toEqual([
		"MemoryPressure",
		"DiskPressure",
		"PIDPressure",
		"Ready",
		"Mine",
	]);
});

it("renews the Lease every 10 s, and reports every 5 minutes", async () => {
	heart.start();
	await heart.ready;
	const first = await eventually(lease, (each) => expect(each).toBeDefined());
	let before = first.spec?.renewTime;
	for (let beat = 0; beat < 30; beat++) {
		await eventually(
			() => clock.waiting(),
			(waiting) => expect(waiting).toEqual([10_000]),
		);
		await clock.advance(10_000);
		const now = await eventually(lease, ({ spec }) =>
			expect(spec?.renewTime).not.toBe(before),
		);
		before = now.spec?.renewTime;
	}
	expect(asked.filter((each) => each === "replace leases")).toHaveLength(30);
	expect(asked.filter((each) => each === "patch nodes")).toHaveLength(1);
});

it("makes a node again that somebody deleted", async () => {
	heart.start();
	await heart.ready;
	await eventually(lease, (each) => expect(each).toBeDefined());
	const { metadata } = await node();
	await cluster.client.delete(resources.nodes, { name: "node-1" });
	await eventually(
		async () => {
			await clock.advance(10_000);
			return node();
		},
		(again) => expect(again.metadata.uid).not.toBe(metadata.uid),
	);
});

it("goes on trying while the API server is away, more and more rarely", async () => {
	away = true;
	heart.start();
	const pauses: number[] = [];
	for (let attempt = 0; attempt < 8; attempt++) {
		await clock.advance(0);
		pauses.push(...clock.waiting());
		await clock.advance(clock.waiting()[0] ?? 0);
	}
	expect(pauses).toEqual([200, 400, 800, 1600, 3200, 6400, 7000, 7000]);
	away = false;
	await clock.advance(7000);
	await heart.ready;
	expect(ready(await node())).toBe("True");
});

it("says that the node is not ready when it stops, and then nothing more", async () => {
	heart.start();
	await heart.ready;
	await eventually(lease, (each) => expect(each).toBeDefined());
	await heart.stop();
	expect(ready(await node())).toBe("False");
	expect(clock.waiting()).toEqual([]);
});

it("stops even when the API server is away", async () => {
	heart.start();
	await heart.ready;
	away = true;
	await heart.stop();
	away = false;
	expect(ready(await node())).toBe("True");
});

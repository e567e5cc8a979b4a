import { resources } from "../../operator/cluster/kube.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { startTestCluster, type TestCluster } from "../test-cluster.ts";
import {
	nodeConditions,
	nodeObject,
	registerNode,
	reportNode,
} from "./nodes.ts";
import { at, start } from "./samples.ts";

const facts = {
	name: "node-1",
	address: "172.30.1.1",
	podCidr: "10.244.1.0/24",
	cpus: 2,
	memoryBytes: 4_000_000_000,
	arch: "x64",
	kernelVersion: "6.18.0",
	version: "0.1.0",
	labels: { "topology.kubernetes.io/zone": "a" },
};

test("a node says where it is and what it has", () => {
	const { metadata, spec, status } = nodeObject(facts, { ready: true }, start);
	expect(metadata.labels).toMatchObject({
		"kubernetes.io/hostname": "node-1",
		"kubernetes.io/arch": "amd64",
		"kubernetes.io/os": "linux",
		"topology.kubernetes.io/zone": "a",
	});
	expect(spec).toEqual({
		podCIDR: "10.244.1.0/24",
		podCIDRs: ["10.244.1.0/24"],
	});
	expect(status?.addresses).toEqual([
		{ type: "InternalIP", address: "172.30.1.1" },
		{ type: "Hostname", address: "node-1" },
	]);
	expect(status?.capacity).toEqual({
		cpu: "2",
		memory: "3906250Ki",
		pods: "110",
	});
});

test("a condition keeps the time at which it began until it changes", () => {
	const first = nodeConditions(undefined, { ready: true }, start);
	const later = nodeConditions(first, { ready: true }, start + 10_000);
	const ready = later.find(({ type }) => type === "Ready");
	expect(ready).toMatchObject({
		status: "True",
		lastHeartbeatTime: at(10),
		lastTransitionTime: at(0),
	});
	const gone = nodeConditions(
		later,
		{ ready: false, message: "stopped" },
		start + 20_000,
	);
	expect(gone.find(({ type }) => type === "Ready")).toMatchObject({
		status: "False",
		reason: "KubeletNotReady",
		message: "stopped",
		lastTransitionTime: at(20),
	});
});

describe("on an API server", () => {
	const clock = new FakeClock();
	let cluster: TestCluster;
	beforeAll(async () => {
		cluster = await startTestCluster(quietLog());
	});
	afterAll(() => cluster.close());

	test("registering again keeps what others put on the node, and corrects what the kubelet knows", async () => {
		const { client } = cluster;
		await registerNode(client, clock, facts);
		await client.patch(
			resources.nodes,
			{ name: "node-1" },
			{
				type: "merge",
				body: {
					metadata: { labels: { mine: "yes" } },
					spec: { unschedulable: true },
				},
			},
		);
		const again = await registerNode(client, clock, { ...facts, cpus: 8 });
		expect(again.metadata.labels).toMatchObject({ mine: "yes" });
		expect(again.spec).toMatchObject({
			unschedulable: true,
			podCIDR: "10.244.1.0/24",
		});
		expect(again.status?.capacity?.["cpu"]).toBe("8");
	});

	test("a report leaves others' conditions alone", async () => {
		const { client } = cluster;
		const other = { type: "NetworkUnavailable", status: "False" };
		await client.patch(
			resources.nodes,
			{ name: "node-1", subresource: "status" },
			{ type: "strategic-merge", body: { status: { conditions: [other] } } },
		);
		const present = await client.get(resources.nodes, { name: "node-1" });
		const { status } = await reportNode(client, clock, present, {
			ready: false,
			message: "the machine is down",
		});
		const kinds = status?.conditions?.map(
			(each) => `${each.type} ${each.status}`,
		);
		expect(kinds?.toSorted()).toEqual([
			"DiskPressure False",
			"MemoryPressure False",
			"NetworkUnavailable False",
			"PIDPressure False",
			"Ready False",
		]);
	});
});

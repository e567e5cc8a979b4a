import { jest } from "@jest/globals";
import type { Node, Pod } from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { TestNode } from "./test-node.ts";
import { dies, hello, isReady, main, patient, sh } from "./test-pods.ts";
import { TestWorld } from "./test-world.ts";

// Real processes, on a machine that may be busy.
jest.setTimeout(30_000);

let world: TestWorld;
let node: TestNode;

beforeEach(async () => {
	world = await TestWorld.start();
	node = new TestNode();
});

afterEach(async () => {
	await world.close();
	expect(node.alive).toEqual([]);
});

describe("a pod of the image fairlead/hello", () => {
	it("is Ready as soon as it answers, and answers with its name", async () => {
		await world.kubelet(node);
		await world.run("web", hello);
		const pod = await world.pod("web", isReady);
		expect(pod.status).toMatchObject({
			phase: "Running",
			podIP: "10.244.1.2",
			podIPs: [{ ip: "10.244.1.2" }],
			hostIP: "172.30.1.1",
			containerStatuses: [
				{
					name: "main",
					ready: true,
					started: true,
					restartCount: 0,
					containerID: expect.stringMatching(/^process:\/\/\d+$/) as string,
					state: { running: {} },
				},
			],
		});
		expect(await node.get("10.244.1.2", 8080, "/")).toBe(
			"hello from web on node-1 (you are 127.0.0.1)\n",
		);
	});

	it("is not Ready while its readiness probe fails, and again when it succeeds", async () => {
		await world.kubelet(node);
		await world.run("web", {
			...hello,
			readinessProbe: { ...hello.readinessProbe, failureThreshold: 1 },
		});
		await world.pod("web", isReady);
		await node.get("10.244.1.2", 8080, "/fail");
		await world.pod("web", (pod) => !isReady(pod));
		await node.get("10.244.1.2", 8080, "/fail");
		await world.pod("web", isReady);
		const events = await world.events("web", (all) =>
			all.some(({ reason }) => reason === "Unhealthy"),
		);
		expect(events.find(({ reason }) => reason === "Unhealthy")).toMatchObject({
			type: "Warning",
			note: "Readiness probe failed: HTTP probe failed with statuscode: 503",
		});
	});

	it("drains when it is deleted, and its object goes with its process", async () => {
		await world.kubelet(node);
		await world.run("web", hello);
		await world.pod("web", isReady);
		const slow = node.get("10.244.1.2", 8080, "/slow?ms=300");
		await world.delete("web", 5);
		expect(await slow).toMatch(/^hello from web/);
		await world.gone("web");
		expect(node.alive).toEqual([]);
		expect(node.pods.size).toBe(0);
	});
});

describe("a pod whose object is gone at once", () => {
	it("ends all the same", async () => {
		await world.kubelet(node);
		await world.run("web", sh(`echo up; ${patient}`));
		await world.says("web", "up\n");
		const ended = new Promise((resolve) =>
			node.children[0]?.once("exit", resolve),
		);
		await world.delete("web", 0);
		await ended;
		await world.gone("web");
	});

	it("makes room for another of the same name", async () => {
		await world.kubelet(node);
		await world.run("web", sh(`echo first; ${patient}`));
		await world.says("web", "first\n");
		await world.delete("web", 0);
		await world.run("web", sh(`echo second; ${patient}`));
		await world.pod("web", isReady);
		expect(await world.says("web", "\n")).toBe("second\n");
	});
});

describe("a pod that waits for a finalizer", () => {
	it("has no process any more, and goes when the finalizer does", async () => {
		await world.kubelet(node);
		const ref = { namespace: "default", name: "web" };
		await world.create(resources.pods, {
			metadata: { ...ref, finalizers: ["example.org/hold"] },
			spec: {
				nodeName: "node-1",
				containers: [{ name: "main", image: "busybox", ...sh(patient) }],
			},
		} as Pod);
		await world.pod("web", isReady);
		await world.delete("web", 1);
		await world.pod(
			"web",
			({ metadata }) => metadata.deletionGracePeriodSeconds === 0,
		);
		expect(node.alive).toEqual([]);
		await world.client.patch(resources.pods, ref, {
			type: "merge",
			body: { metadata: { finalizers: null } },
		});
		await world.gone("web");
	});
});

describe("a node", () => {
	it("registers, is Ready, and renews its Lease", async () => {
		await world.kubelet(node);
		const found = await world.client.get<Node>(resources.nodes, {
			name: "node-1",
		});
		expect(found).toMatchObject({
			metadata: { labels: { "kubernetes.io/hostname": "node-1" } },
			spec: { podCIDRs: ["10.244.1.0/24"] },
			status: {
				addresses: [
					{ type: "InternalIP", address: "172.30.1.1" },
					{ type: "Hostname", address: "node-1" },
				],
			},
		});
		expect(found.status?.conditions).toContainEqual(
			expect.objectContaining({
				type: "Ready",
				status: "True",
				reason: "KubeletReady",
			}),
		);
		const lease = await world.lease("node-1");
		expect(lease).toMatchObject({
			metadata: {
				ownerReferences: [
					{
						apiVersion: "v1",
						kind: "Node",
						name: "node-1",
						uid: found.metadata.uid ?? "",
					},
				],
			},
			spec: { holderIdentity: "node-1", leaseDurationSeconds: 40 },
		});
	});

	it("keeps what others made of it", async () => {
		await world.create(resources.nodes, {
			metadata: { name: "node-1", labels: { zone: "a" } },
			spec: { providerID: "hcloud://7" },
		} as Node);
		await world.kubelet(node);
		expect(
			await world.client.get<Node>(resources.nodes, { name: "node-1" }),
		).toMatchObject({
			metadata: { labels: { zone: "a", "kubernetes.io/hostname": "node-1" } },
			spec: { providerID: "hcloud://7" },
		});
	});

	it("whose kubelet stops has no process left and says that it is not ready", async () => {
		const kubelet = await world.kubelet(node);
		await world.run(
			"web",
			sh("trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.05; done"),
		);
		const pid = Number(await world.says("web", "\n"));
		await kubelet.stop();
		expect(node.alive).toEqual([]);
		await dies(pid);
		expect(node.pods.size).toBe(0);
		const found = await world.client.get<Node>(resources.nodes, {
			name: "node-1",
		});
		expect(found.status?.conditions).toContainEqual(
			expect.objectContaining({ type: "Ready", status: "False" }),
		);
	});

	it("whose kubelet comes back starts its pods again and finishes what was deleted meanwhile", async () => {
		const kubelet = await world.kubelet(node);
		await world.run("stays", sh(patient));
		await world.run("goes", sh(patient));
		await world.pod("stays", isReady);
		await world.pod("goes", isReady);
		await kubelet.stop();
		world.kubelets.length = 0;
		await world.delete("goes");
		await world.run("new", sh(patient));
		await world.kubelet(node);
		await world.gone("goes");
		await world.pod("new", isReady);
		const pod = await world.pod(
			"stays",
			(each) => main(each)?.restartCount === 1 && isReady(each),
		);
		expect(main(pod)?.lastState?.terminated?.reason).toBe(
			"ContainerStatusUnknown",
		);
	});

	it("without an address for a pod says so and tries again", async () => {
		node.refuse = new FairleadError(
			"NetworkUnavailable",
			"node-1 has no address left",
		);
		await world.kubelet(node);
		await world.run("web", sh(patient));
		const events = await world.events("web", (all) => all.length > 0);
		expect(events[0]).toMatchObject({
			reason: "FailedCreatePodSandBox",
			note: "Failed to create pod sandbox: node-1 has no address left",
		});
		expect(
			(await world.pod("web", ({ status }) => status?.startTime !== undefined))
				.status?.phase,
		).toBe("Pending");
	});
});

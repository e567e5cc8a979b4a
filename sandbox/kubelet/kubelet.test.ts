import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Node, Pod } from "../../operator/api/core.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { eventually } from "../../test/support/eventually.ts";
import { TestNode } from "./test-node.ts";
import { isReady, TestWorld } from "./test-world.ts";

let world: TestWorld;
let node: TestNode;
let folder: string;

beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), "kubelet-test-"));
	world = await TestWorld.start();
	node = new TestNode();
});

afterEach(async () => {
	await world.close();
	rmSync(folder, { recursive: true });
	expect(node.alive).toEqual([]);
});

const hello = {
	image: "fairlead/hello",
	ports: [{ name: "http", containerPort: 8080 }],
	readinessProbe: {
		httpGet: { path: "/healthz", port: "http" },
		periodSeconds: 1,
	},
};
const sh = (script: string) => ({ command: ["sh", "-c", script] });
/** Goes on until it is told to end, and then ends at once. */
const patient = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

const main = (pod: Pod) => pod.status?.containerStatuses?.[0];
const waitsFor = (reason: string) => (pod: Pod) =>
	main(pod)?.state?.waiting?.reason === reason;
const runs = (pod: Pod) => main(pod)?.state?.running !== undefined;

/** A process that is there and no zombie. */
function lives(pid: number): boolean {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return (
			stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z"
		);
	} catch {
		return false;
	}
}

/** It was killed as the leader of its group ended: the kernel needs a moment, and there is nothing to await. */
const dies = (pid: number) =>
	eventually(
		() => lives(pid),
		(living) => expect(living).toBe(false),
	);

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

describe("a container", () => {
	it("sees the Services that were there before it, its pod's fields and its ConfigMaps", async () => {
		await world.kubelet(node);
		const service = (name: string) =>
			world.create(resources.services, {
				metadata: { name, namespace: "default" },
				spec: { ports: [{ port: 80 }] },
			} as never);
		await service("before");
		await world.create(resources.configMaps, {
			metadata: { name: "settings", namespace: "default" },
			data: { color: "red" },
		} as never);
		await world.serviceSeen("before");
		await world.run("web", {
			...sh(`env; echo "$@ $0"; ${patient}`),
			args: ["$(POD)-arg", "$$(POD)"],
			env: [
				{
					name: "POD",
					valueFrom: { fieldRef: { fieldPath: "metadata.name" } },
				},
				{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
			],
			envFrom: [{ configMapRef: { name: "settings" } }],
		});
		const text = await world.says("web", "$(POD) web-arg\n");
		await service("after");
		const lines = text.split("\n");
		expect(lines).toEqual(
			expect.arrayContaining([
				"HOSTNAME=web",
				"POD=web",
				"IP=10.244.1.2",
				"color=red",
				"KUBERNETES_SERVICE_HOST=10.96.0.1",
				expect.stringMatching(/^BEFORE_SERVICE_HOST=10\.96\./),
			]),
		);
		expect(text).not.toMatch("AFTER_");
	});

	it("restarts when it crashes: once at once, then after a pause", async () => {
		await world.kubelet(node);
		await world.run("web", sh("echo run; exit 3"));
		const pod = await world.pod("web", waitsFor("CrashLoopBackOff"));
		expect(pod.status?.phase).toBe("Running");
		expect(main(pod)).toMatchObject({
			restartCount: 1,
			ready: false,
			state: {
				waiting: {
					message: `back-off 10s restarting failed container=main pod=web_default(${pod.metadata.uid})`,
				},
			},
			lastState: { terminated: { exitCode: 3, reason: "Error" } },
		});
		expect(await world.log("web", { previous: true })).toBe("run\n");
		const events = await world.events("web", (all) =>
			all.some(({ reason }) => reason === "BackOff"),
		);
		expect(events.map(({ reason }) => reason)).toEqual(
			expect.arrayContaining(["Pulled", "Created", "Started", "BackOff"]),
		);
	});

	it.each([
		["Succeeded", "exit 0", { exitCode: 0, reason: "Completed" }],
		["Failed", "exit 4", { exitCode: 4, reason: "Error" }],
		["Failed", "kill -KILL $$$$", { exitCode: 137, reason: "Error" }],
	])(
		"that is not to restart leaves its pod %s after %s",
		async (phase, script, terminated) => {
			await world.kubelet(node);
			await world.run("job", sh(`echo out; ${script}`), {
				restartPolicy: "Never",
			});
			const pod = await world.pod(
				"job",
				({ status }) => status?.phase === phase,
			);
			expect(main(pod)?.state?.terminated).toMatchObject(terminated);
			expect(pod.status?.podIP).toBe("10.244.1.2");
			expect(node.pods.size).toBe(0);
			expect(await world.log("job")).toBe("out\n");
			await world.delete("job");
			await world.gone("job");
		},
	);

	it("starts after its pod's init containers, one after the other", async () => {
		await world.kubelet(node);
		const file = join(folder, "order");
		await world.run("web", sh(`echo main >>${file}; cat ${file}; ${patient}`), {
			initContainers: [
				{
					name: "one",
					image: "busybox",
					...sh(`sleep 0.1; echo one >>${file}`),
				},
				{ name: "two", image: "busybox", ...sh(`echo two >>${file}`) },
			],
		});
		expect(await world.says("web", "main\n")).toBe("one\ntwo\nmain\n");
		const pod = await world.pod("web", isReady);
		expect(
			pod.status?.initContainerStatuses?.map(
				({ state }) => state?.terminated?.reason,
			),
		).toEqual(["Completed", "Completed"]);
	});

	it("runs beside a sidecar that outlives it", async () => {
		await world.kubelet(node);
		const file = join(folder, "order");
		await world.run(
			"web",
			sh(
				`trap 'sleep 0.2; echo main >>${file}; exit 0' TERM; while :; do sleep 0.05; done`,
			),
			{
				terminationGracePeriodSeconds: 10,
				initContainers: [
					{
						name: "proxy",
						image: "busybox",
						restartPolicy: "Always",
						...sh(
							`trap 'echo proxy >>${file}; exit 0' TERM; while :; do sleep 0.05; done`,
						),
					},
				],
			},
		);
		await world.pod("web", isReady);
		await world.delete("web");
		await world.gone("web");
		expect(readFileSync(file, "utf8")).toBe("main\nproxy\n");
	});

	it("waits for a ConfigMap that is not there, and starts when it is", async () => {
		await world.kubelet(node);
		await world.run("web", {
			...sh(`echo $color; ${patient}`),
			envFrom: [{ configMapRef: { name: "settings" } }],
		});
		const pod = await world.pod("web", waitsFor("CreateContainerConfigError"));
		expect(main(pod)?.state?.waiting?.message).toBe(
			'configmap "settings" not found',
		);
		await world.create(resources.configMaps, {
			metadata: { name: "settings", namespace: "default" },
			data: { color: "red" },
		} as never);
		await world.pod("web", isReady);
		expect(await world.says("web", "\n")).toBe("red\n");
	});

	it("of an image that the sandbox does not have says what to do", async () => {
		await world.kubelet(node);
		await world.run("web", { image: "nginx:1.29" });
		const pod = await world.pod("web", waitsFor("ErrImagePull"));
		expect(pod.status?.phase).toBe("Pending");
		expect(main(pod)?.state?.waiting?.message).toBe(
			'the sandbox runs processes, not images, and has no program for "nginx:1.29": give the container a command, which then runs from this machine\'s PATH, or use image fairlead/hello',
		);
		expect(() =>
			world.access.logs(
				{ namespace: "default", name: "web" },
				{ follow: false, previous: false, timestamps: false },
			),
		).toThrow(
			'container "main" in pod "web" is waiting to start: image can\'t be pulled',
		);
	});

	it("whose command is not on this machine fails to start, with the reason", async () => {
		await world.kubelet(node);
		await world.run("web", { command: ["no-such-program"] });
		const pod = await world.pod("web", waitsFor("CrashLoopBackOff"));
		expect(main(pod)?.lastState?.terminated).toMatchObject({
			exitCode: 128,
			reason: "StartError",
			message:
				'failed to start container "main": exec: "no-such-program": executable file not found in $PATH',
		});
	});

	it("is killed and started again when its liveness probe fails", async () => {
		await world.kubelet(node);
		const file = join(folder, "alive");
		await world.run("web", {
			...sh(`touch ${file}; echo started; ${patient}`),
			livenessProbe: {
				exec: { command: ["cat", file] },
				periodSeconds: 1,
				failureThreshold: 1,
			},
		});
		await world.pod("web", isReady);
		await world.says("web", "started");
		rmSync(file);
		const pod = await world.pod(
			"web",
			(each) => main(each)?.restartCount === 1 && isReady(each),
		);
		expect(main(pod)?.lastState?.terminated).toMatchObject({ exitCode: 0 });
		const events = await world.events("web", (all) =>
			all.some(({ reason }) => reason === "Killing"),
		);
		expect(events.find(({ reason }) => reason === "Killing")?.note).toBe(
			"Container main failed liveness probe, will be restarted",
		);
		expect(events.find(({ reason }) => reason === "Unhealthy")?.note).toMatch(
			/^Liveness probe failed: cat: /,
		);
	});

	it("is looked at for its startup first, and counts as started then", async () => {
		await world.kubelet(node);
		const file = join(folder, "started");
		await world.run("web", {
			...sh(`sleep 0.2; touch ${file}; ${patient}`),
			startupProbe: { exec: { command: ["test", "-f", file] } },
			livenessProbe: { exec: { command: ["test", "-f", file] } },
		});
		const early = await world.pod("web", runs);
		expect(main(early)).toMatchObject({ started: false, ready: false });
		expect(main(await world.pod("web", isReady))).toMatchObject({
			started: true,
			restartCount: 0,
		});
	});

	it("that does not end on SIGTERM is killed when its grace is over", async () => {
		await world.kubelet(node);
		await world.run(
			"web",
			sh("trap '' TERM; echo up; while :; do sleep 0.05; done"),
		);
		await world.says("web", "up\n");
		await world.delete("web", 1);
		await world.gone("web");
		expect(node.alive).toEqual([]);
	});

	it("takes what it left in the background with it", async () => {
		await world.kubelet(node);
		await world.run("web", sh("sleep 1000 & echo $!; wait"));
		const pid = Number(await world.says("web", "\n"));
		expect(lives(pid)).toBe(true);
		await world.delete("web");
		await world.gone("web");
		await dies(pid);
	});

	it("is stopped and started again when its image is changed", async () => {
		await world.kubelet(node);
		await world.run("web", sh(patient));
		await world.pod("web", isReady);
		await world.client.patch(
			resources.pods,
			{ namespace: "default", name: "web" },
			{
				type: "strategic-merge",
				body: { spec: { containers: [{ name: "main", image: "alpine" }] } },
			},
		);
		const pod = await world.pod(
			"web",
			(each) => main(each)?.restartCount === 1 && isReady(each),
		);
		expect(main(pod)?.image).toBe("alpine");
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

describe("reports", () => {
	/** The world's client, which can be cut off and counts what it writes. */
	function cuttable(): { client: KubeClient; cut: boolean; writes: string[] } {
		const state = { client: world.client, cut: false, writes: [] as string[] };
		state.client = new Proxy(world.client, {
			get: (target, name) => {
				const member = Reflect.get(target, name) as (
					...args: unknown[]
				) => unknown;
				return (...args: unknown[]) => {
					if (state.cut)
						return Promise.reject(
							new FairleadError("KubeUnreachable", "connection refused"),
						);
					if (name !== "get")
						state.writes.push(
							`${String(name)} ${(args[0] as { plural: string }).plural}`,
						);
					return Reflect.apply(member, target, args);
				};
			},
		});
		return state;
	}

	it("wait while the API server is away, and nothing is lost", async () => {
		const link = cuttable();
		await world.kubelet(node, link.client);
		await world.run("web", sh(patient));
		await world.run("job", sh("sleep 0.1; exit 5"), { restartPolicy: "Never" });
		await world.pod("job", runs);
		link.cut = true;
		const ended = new Promise((resolve) =>
			node.children
				.find(({ spawnargs }) => spawnargs.includes("sleep 0.1; exit 5"))
				?.once("exit", resolve),
		);
		await ended;
		await world.delete("web");
		await world.pod(
			"web",
			({ metadata }) => metadata.deletionTimestamp !== undefined,
		);
		link.cut = false;
		const job = await world.pod(
			"job",
			({ status }) => status?.phase === "Failed",
		);
		expect(main(job)?.state?.terminated?.exitCode).toBe(5);
		await world.gone("web");
	});

	it("are written only when something changed", async () => {
		const link = cuttable();
		await world.kubelet(node, link.client);
		await world.run("web", sh(patient));
		await world.pod("web", isReady);
		await world.events("web", (all) =>
			all.some(({ reason }) => reason === "Started"),
		);
		link.writes.length = 0;
		const ref = { namespace: "default", name: "web" };
		await world.client.patch(resources.pods, ref, {
			type: "merge",
			body: { metadata: { labels: { a: "b" } } },
		});
		await world.pod("web", ({ metadata }) => metadata.labels?.["a"] === "b");
		// A status that somebody spoils is the next change; it is repaired after all there was to write for the label.
		await world.client.patch(
			resources.pods,
			{ ...ref, subresource: "status" },
			{ type: "merge", body: { status: { phase: "Pending" } } },
		);
		await world.pod("web", ({ status }) => status?.phase === "Pending");
		await world.pod("web", ({ status }) => status?.phase === "Running");
		expect(link.writes.filter((each) => each.endsWith(" pods"))).toEqual([
			"patch pods",
		]);
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

import { jest } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resources } from "../../operator/cluster/kube.ts";
import { TestNode } from "./test-node.ts";
import {
	dies,
	isReady,
	lives,
	main,
	patient,
	runs,
	sh,
	waitsFor,
} from "./test-pods.ts";
import { TestWorld } from "./test-world.ts";

// Real processes, on a machine that may be busy.
jest.setTimeout(30_000);

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
		const probe = {
			exec: { command: ["cat", file] },
			periodSeconds: 1,
			timeoutSeconds: 20,
		};
		await world.run("web", {
			...sh(`touch ${file}; ${patient}`),
			startupProbe: { ...probe, failureThreshold: 100 },
			livenessProbe: { ...probe, failureThreshold: 1 },
		});
		await world.pod("web", isReady);
		rmSync(file);
		const pod = await world.pod(
			"web",
			(each) => main(each)?.restartCount === 1,
		);
		expect(main(pod)?.lastState?.terminated).toMatchObject({ exitCode: 0 });
		const events = await world.events("web", (all) =>
			all.some(({ reason }) => reason === "Killing"),
		);
		expect(events.find(({ reason }) => reason === "Killing")?.note).toBe(
			"Container main failed liveness probe, will be restarted",
		);
		expect(events.map(({ note }) => note)).toContainEqual(
			expect.stringMatching(/^Liveness probe failed: cat: /),
		);
	});

	it("is looked at for its startup first, and counts as started then", async () => {
		await world.kubelet(node);
		const file = join(folder, "started");
		const exec = { command: ["test", "-f", file] };
		await world.run("web", {
			...sh(patient),
			startupProbe: { exec, periodSeconds: 1, failureThreshold: 100 },
			livenessProbe: { exec },
		});
		const early = await world.pod("web", runs);
		expect(main(early)).toMatchObject({ started: false, ready: false });
		writeFileSync(file, "");
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

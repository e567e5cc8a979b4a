import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "../../operator/clock.ts";
import {
	type ApiServer,
	startApiServer,
} from "../../sandbox/apiserver/start.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import {
	type PodAccessDouble,
	podAccessDouble,
} from "../support/pod-access-double.ts";
import { quietLog } from "../support/quiet-log.ts";

// Logs, commands and ports of pods, through the sandbox's API server with the real kubectl.

let api: ApiServer;
let kubectl: Kubectl;
let access: PodAccessDouble;

beforeAll(async () => {
	access = podAccessDouble(["one", "two", "three"]);
	api = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		clock: systemClock,
		random: (bytes) => randomBytes(bytes),
		log: quietLog(),
		podAccess: access,
	});
	kubectl = kubectlFor(api.kubeconfig());
	const pod = (name: string, containers: string[], spec: object = {}) => ({
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace: "default", labels: { app: "web" } },
		spec: {
			containers: containers.map((one) => ({ name: one, image: "busybox" })),
			...spec,
		},
	});
	const items = [
		pod("web", ["web"], { nodeName: "node-1" }),
		pod("pair", ["left", "right"], { nodeName: "node-1" }),
		pod("waiting", ["web"]),
	];
	await expect(
		kubectl.run(["create", "-f", "-"], {
			stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
		}),
	).resolves.toMatchObject({ code: 0, stderr: "" });
	const status = JSON.stringify({ status: { phase: "Running" } });
	for (const { metadata } of items)
		await expect(
			kubectl.run([
				"patch",
				"pod",
				metadata.name,
				"--subresource=status",
				"--type=merge",
				"-p",
				status,
			]),
		).resolves.toMatchObject({ code: 0, stderr: "" });
}, 30_000);

afterAll(async () => {
	await api.close();
	kubectl.close();
});

test("logs are what the container wrote", async () => {
	const answer = await kubectl.run(["logs", "web"]);
	expect(answer).toEqual({ code: 0, stdout: "one\ntwo\nthree\n", stderr: "" });
});

test("logs can be cut to the last lines", async () => {
	const answer = await kubectl.run(["logs", "web", "--tail=1"]);
	expect(answer.stdout).toBe("three\n");
});

test("logs of several pods are found by label and carry their names", async () => {
	const { stdout } = await kubectl.run([
		"logs",
		"-l",
		"app=web",
		"--all-containers",
		"--prefix",
		"--tail=1",
	]);
	expect(stdout.split("\n").filter(Boolean).sort()).toEqual([
		"[pod/pair/left] three",
		"[pod/pair/right] three",
		"[pod/web/web] three",
	]);
});

test("followed logs go on until the container ends", async () => {
	const child = kubectl.start(["logs", "-f", "web"]);
	const lines = createInterface({ input: child.stdout as Readable });
	const read = lines[Symbol.asyncIterator]();
	for (const line of ["one", "two", "three"])
		expect((await read.next()).value).toBe(line);
	const [stream] = access.followed.splice(0);
	stream?.write("four\n");
	expect((await read.next()).value).toBe("four");
	stream?.end();
	const [code] = (await once(child, "close")) as [number];
	expect(code).toBe(0);
});

test("a client that stops following lets go of the log", async () => {
	const child = kubectl.start(["logs", "-f", "web"]);
	await once(child.stdout as Readable, "data");
	const [stream] = access.followed.splice(0);
	const closed = new Promise((resolve) => stream?.on("close", resolve));
	child.kill("SIGINT");
	await closed;
});

test("what the kubelet refuses is what kubectl says", async () => {
	const answer = await kubectl.run(["logs", "-p", "web"]);
	expect(answer).toEqual({
		code: 1,
		stdout: "",
		stderr:
			'Error from server (BadRequest): previous terminated container "web" in pod "web" not found\n',
	});
});

test("a container that is not the pod's has no logs", async () => {
	const { stderr } = await kubectl.run(["logs", "web", "-c", "other"]);
	expect(stderr).toBe(
		"error: container other is not valid for pod web out of: web\n",
	);
});

test("a pod that no node has taken has no logs yet", async () => {
	const answer = await kubectl.run(["logs", "waiting"]);
	expect(answer).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("a command's output and errors arrive apart, and its exit code is kubectl's", async () => {
	const answer = await kubectl.run([
		"exec",
		"web",
		"--",
		"sh",
		"-c",
		"echo out; echo err >&2; exit 3",
	]);
	expect(answer).toEqual({
		code: 3,
		stdout: "out\n",
		stderr: "err\ncommand terminated with exit code 3\n",
	});
});

test("a command reads what kubectl is given, to its end", async () => {
	const stdin = "x".repeat(300_000);
	const answer = await kubectl.run(["exec", "-i", "web", "--", "wc", "-c"], {
		stdin,
	});
	expect(answer).toMatchObject({ code: 0, stdout: "300000\n" });
});

test("much output arrives whole", async () => {
	const { stdout } = await kubectl.run([
		"exec",
		"pair",
		"-c",
		"right",
		"--",
		"head",
		"-c",
		"5000000",
		"/dev/zero",
	]);
	expect(stdout).toHaveLength(5_000_000);
	expect(access.asked.at(-1)).toMatchObject({
		options: { container: "right" },
	});
});

test("a command ends when its client goes", async () => {
	const child = kubectl.start([
		"exec",
		"web",
		"--",
		"sh",
		"-c",
		"echo on; exec sleep 1000",
	]);
	await once(child.stdout as Readable, "data");
	child.kill("SIGKILL");
	await access.killed;
});

test("a command that is not there is a problem kubectl names", async () => {
	const answer = await kubectl.run(["exec", "web", "--", "no-such-command"]);
	expect(answer.code).toBe(1);
	expect(answer.stderr).toMatch(
		/^error: Internal error occurred: .*no-such-command/,
	);
});

test("a container that does not run takes no command", async () => {
	const answer = await kubectl.run(["exec", "web", "--", "absent"]);
	expect(answer).toMatchObject({
		code: 1,
		stderr: 'error: container not found ("web")\n',
	});
});

test("attaching is refused with what to do instead", async () => {
	const { code, stderr } = await kubectl.run(["attach", "web"]);
	expect(code).toBe(1);
	expect(stderr).toContain("kubectl logs -f shows what it writes");
});

test("port-forward carries connections to the pod, one after another and at once", async () => {
	const server = createServer((request, response) => {
		response.end(`${request.url} ${"y".repeat(200_000)}`);
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const child = kubectl.start(["port-forward", "pod/web", `:${port}`]);
	const errors = text(child.stderr as Readable);
	const [first] = (await once(child.stdout as Readable, "data")) as [Buffer];
	const local = /127\.0\.0\.1:(\d+)/.exec(first.toString())?.[1];
	const ask = async (path: string) =>
		(
			await fetch(`http://127.0.0.1:${local}${path}`, {
				headers: { connection: "close" },
			})
		).text();
	expect(await ask("/0")).toHaveLength(200_003);
	const all = await Promise.all(
		Array.from({ length: 10 }, (_, index) => ask(`/${index}`)),
	);
	expect(all.map((one) => one.slice(0, 4))).toEqual(
		all.map((_, index) => `/${index} y`),
	);
	child.kill("SIGINT");
	await once(child, "close");
	expect(await errors).toBe("");
	server.close();
	server.closeAllConnections();
}, 20_000);

test("port-forward says which port of the pod takes no connections", async () => {
	const free = createTcpServer().listen(0, "127.0.0.1");
	await once(free, "listening");
	const { port } = free.address() as AddressInfo;
	await new Promise((done) => free.close(done));
	const child = kubectl.start(["port-forward", "pod/web", `:${port}`]);
	const errors = text(child.stderr as Readable);
	const [first] = (await once(child.stdout as Readable, "data")) as [Buffer];
	const local = /127\.0\.0\.1:(\d+)/.exec(first.toString())?.[1];
	await expect(fetch(`http://127.0.0.1:${local}/`)).rejects.toThrow();
	await once(child, "close");
	expect(await errors).toContain(`error forwarding port ${port} to pod`);
});

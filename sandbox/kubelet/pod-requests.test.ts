import { jest } from "@jest/globals";
import type { Readable } from "node:stream";
import type { Pod } from "../../operator/api/core.ts";
import { PodAccessError } from "./pod-access.ts";
import { TestNode } from "./test-node.ts";
import { isReady } from "./test-pods.ts";
import { TestWorld } from "./test-world.ts";

// Real processes, on a machine that may be busy.
jest.setTimeout(30_000);

let world: TestWorld;
let node: TestNode;

beforeAll(async () => {
	world = await TestWorld.start();
	node = new TestNode();
	await world.kubelet(node);
	const patient = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
	const main = {
		name: "main",
		image: "busybox",
		command: ["sh", "-c", `echo up; ${patient}`],
	};
	await world.run("web", {
		command: main.command,
		env: [{ name: "COLOR", value: "red" }],
	});
	await world.run(
		"two",
		{},
		{
			containers: [main, { ...main, name: "other" }],
			initContainers: [{ ...main, name: "prepare", command: ["true"] }],
		},
	);
	await world.run(
		"over",
		{ command: ["sh", "-c", "echo done"] },
		{ restartPolicy: "Never" },
	);
	await world.run("waits", {
		...main,
		envFrom: [{ configMapRef: { name: "none" } }],
	});
	await world.run("unbound", main, { nodeName: "" });
	await world.run("elsewhere", main, { nodeName: "node-9" });
	const waits = (pod: Pod) =>
		pod.status?.containerStatuses?.[0]?.state?.waiting?.reason ===
		"CreateContainerConfigError";
	await world.pod("web", isReady);
	await world.pod("two", isReady);
	await world.pod("over", ({ status }) => status?.phase === "Succeeded");
	await world.pod("waits", waits);
	await world.says("web", "up\n");
});

afterAll(async () => {
	await world.close();
	expect(node.alive).toEqual([]);
});

const at = (name: string) => ({ namespace: "default", name });

async function all(stream: Readable | undefined): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString();
}

describe("logs", () => {
	it("are those of the only container, or of the one that is named", async () => {
		expect(await world.log("web")).toBe("up\n");
		expect(await world.log("two", { container: "other" })).toBe("up\n");
		expect(await world.log("over")).toBe("done\n");
	});

	it("are empty for a pod that has no node yet", async () => {
		expect(await world.log("unbound")).toBe("");
	});

	it.each<
		[string, string, { container?: string; previous?: boolean }, number, string]
	>([
		["a pod that does not exist", "nobody", {}, 404, 'pods "nobody" not found'],
		[
			"two containers and no name",
			"two",
			{},
			400,
			"a container name must be specified for pod two, choose one of: [main other] or one of the init containers: [prepare]",
		],
		[
			"a container that the pod does not have",
			"web",
			{ container: "x" },
			400,
			"container x is not valid for pod web",
		],
		[
			"a container that waits",
			"waits",
			{},
			400,
			'container "main" in pod "waits" is waiting to start: CreateContainerConfigError',
		],
		[
			"a previous instance that never was",
			"web",
			{ previous: true },
			400,
			'previous terminated container "main" in pod "web" not found',
		],
		[
			"a pod of a node without a kubelet",
			"elsewhere",
			{},
			500,
			'no kubelet runs on node "node-9" of pod "elsewhere"',
		],
	])("are refused for %s", (_what, name, options, httpCode, message) => {
		const refused = () =>
			world.access.logs(at(name), {
				follow: false,
				previous: false,
				timestamps: false,
				...options,
			});
		expect(refused).toThrow(PodAccessError);
		expect(refused).toThrow(
			expect.objectContaining({ httpCode, message }) as Error,
		);
	});
});

describe("exec", () => {
	const plain = { stdin: false, tty: false };

	it("runs a command with the container's variables and gives both streams and the exit code", async () => {
		const session = world.access.exec(at("web"), {
			...plain,
			command: ["sh", "-c", "echo $COLOR; echo oops >&2; exit 7"],
		});
		const [out, err, end] = await Promise.all([
			all(session.stdout),
			all(session.stderr),
			session.ended,
		]);
		expect([out, err, end]).toEqual(["red\n", "oops\n", { exitCode: 7 }]);
	});

	it("passes stdin on, and its end", async () => {
		const session = world.access.exec(at("web"), {
			stdin: true,
			tty: false,
			command: ["cat"],
		});
		session.stdin?.end("through");
		expect(await all(session.stdout)).toBe("through");
		expect(await session.ended).toEqual({ exitCode: 0 });
	});

	it("lends a terminal", async () => {
		const session = world.access.exec(at("web"), {
			stdin: true,
			tty: true,
			command: [
				"sh",
				"-c",
				"test -t 0 && test -t 1 && echo 'a terminal' $TERM; exit 3",
			],
		});
		expect(session.stderr).toBeUndefined();
		expect(await all(session.stdout)).toBe("a terminal xterm\r\n");
		expect(await session.ended).toEqual({ exitCode: 3 });
	});

	it("is ended by who asked for it", async () => {
		const session = world.access.exec(at("web"), {
			...plain,
			command: ["sleep", "1000"],
		});
		session.kill();
		expect(await session.ended).toEqual({ exitCode: 137 });
	});

	it("ends with its container", async () => {
		await world.run("short", { command: ["sh", "-c", "echo up; sleep 1000"] });
		await world.says("short", "up\n");
		const session = world.access.exec(at("short"), {
			...plain,
			command: ["sleep", "1000"],
		});
		await world.delete("short", 1);
		expect(await session.ended).toEqual({ exitCode: 137 });
		await world.gone("short");
	});

	it("says when there is no such command", async () => {
		const session = world.access.exec(at("web"), {
			...plain,
			command: ["no-such"],
		});
		expect(await session.ended).toEqual({
			problem:
				'error executing command in container: exec: "no-such": executable file not found in $PATH',
		});
	});

	it.each<[string, string, number, string]>([
		["a container that has ended", "over", 500, 'container not found ("main")'],
		[
			"a pod without a node",
			"unbound",
			400,
			"pod unbound does not have a host assigned",
		],
		["a pod that does not exist", "nobody", 404, 'pods "nobody" not found'],
	])("is refused for %s", (_what, name, httpCode, message) => {
		expect(() =>
			world.access.exec(at(name), { ...plain, command: ["true"] }),
		).toThrow(expect.objectContaining({ httpCode, message }) as Error);
	});
});

describe("a connection", () => {
	it("leads to a port of the pod", async () => {
		await world.run("hello", {
			image: "fairlead/hello",
			readinessProbe: { tcpSocket: { port: 8080 } },
		});
		await world.pod("hello", isReady);
		const socket = world.access.connect(at("hello"), 8080);
		socket.end("GET / HTTP/1.0\r\n\r\n");
		expect(await all(socket)).toMatch(/hello from hello on node-1/);
	});

	it("is refused while the pod does not run", () => {
		expect(() => world.access.connect(at("over"), 80)).toThrow(
			"unable to forward port because pod is not running. Current status=Succeeded",
		);
	});
});

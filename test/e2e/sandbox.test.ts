import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { request } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import type { Node, Service } from "../../operator/api/core.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import { getThroughDoor } from "../support/through-door.ts";

jest.setTimeout(60_000);

/** Runs a command as root of a user namespace in which nobody may make another network. */
const withoutNetworks = [
	"unshare",
	"--user",
	"--map-root-user",
	"sh",
	"-c",
	'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"',
	"sh",
];

describe("fairlead sandbox", () => {
	let sandbox: Fairlead;
	afterEach(() => sandbox.kill("SIGKILL"));

	it("prints a dashboard, a kubeconfig and a curl line that all work, and leaves nothing behind on Ctrl-C", async () => {
		sandbox = new Fairlead(["sandbox"]);
		const [, dashboard = ""] = await sandbox.printed(/dashboard +(http:\S+)/);
		const [, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		const [, door = "", address = ""] = await sandbox.printed(
			/curl -x socks5h:\/\/(\S+) http:\/\/(\S+)\//,
		);
		expect(await (await fetch(dashboard)).text()).toContain("<title>");
		const { status, body } = await getThroughDoor(door, address, 80);
		expect({ status, body }).toEqual({
			status: 200,
			body: expect.stringMatching(
				/^hello from hello-\S+ on node-\d \(you are [\d.]+\)\n$/,
			) as string,
		});
		const client = await clientOf(sandbox);
		const hello = await client.get<Service>(resources.services, {
			namespace: "default",
			name: "hello",
		});
		expect(hello.status?.loadBalancer?.ingress?.[0]?.ip).toBe(address);
		await client.delete(resources.services, {
			namespace: "default",
			name: "hello",
		});
		await client.create(resources.services, {
			metadata: { namespace: "default", name: "lost" },
			spec: {
				type: "LoadBalancer",
				loadBalancerClass: "fairlead.dev/typo",
				ports: [{ port: 80 }],
			},
		} as Service);
		await eventually(
			async () => (await fetch(`${dashboard}dashboard/pending`)).json(),
			(answer) =>
				expect(answer).toMatchObject({
					known: true,
					services: [{ name: "lost", reason: "UnknownClass" }],
				}),
		);
		await eventually(
			() =>
				getThroughDoor(door, address, 80).then(
					() => "served",
					(error: Error) => error.message,
				),
			(said) => expect(said).toContain("refused"),
		);
		client.close();
		expect(await sandbox.kill("SIGINT")).toEqual({ code: 0, signal: null });
		expect(existsSync(dirname(kubeconfig))).toBe(false);
	});

	it("takes the next free ports when the usual ones are taken", async () => {
		sandbox = new Fairlead(["sandbox", "--nodes", "0"]);
		const [, first = ""] = await sandbox.printed(/dashboard +(http:\S+)/);
		const other = new Fairlead(["sandbox", "--nodes", "0"]);
		const [, second = ""] = await other.printed(/dashboard +(http:\S+)/);
		expect(second).not.toBe(first);
		await other.kill("SIGTERM");
	});

	it("lets nobody in without the kubeconfig's token", async () => {
		sandbox = new Fairlead(["sandbox", "--nodes", "0"]);
		const [, path = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		const config = JSON.parse(await readFile(path, "utf8")) as {
			clusters: {
				cluster: { server: string; "certificate-authority-data": string };
			}[];
		};
		const { cluster } = config.clusters[0] ?? {};
		const answer = await new Promise<string>((resolve, reject) => {
			request(
				`${cluster?.server}/api/v1/secrets`,
				{
					ca: Buffer.from(
						cluster?.["certificate-authority-data"] ?? "",
						"base64",
					),
				},
				(incoming) => void text(incoming).then(resolve, reject),
			)
				.on("error", reject)
				.end();
		});
		expect(answer).toContain("Unauthorized");
	});

	it.each(["netns", "userspace"])(
		"in mode %s leaves no process behind when it is killed",
		async (mode) => {
			sandbox = new Fairlead(["sandbox", "--network", mode]);
			await sandbox.printed(/curl -x/);
			const [, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
			const processes = descendants(sandbox.child.pid ?? 0);
			expect(processes.length).toBeGreaterThanOrEqual(3);
			await sandbox.kill("SIGKILL");
			await eventually(
				() => processes.filter((pid) => existsSync(`/proc/${pid}`)),
				(left) => expect(left).toEqual([]),
			);
			const next = new Fairlead(["sandbox", "--nodes", "0"]);
			await next.printed(/dashboard/);
			expect(existsSync(dirname(kubeconfig))).toBe(false);
			await next.kill("SIGTERM");
		},
	);

	it("goes on with --data where it was, its nodes fewer and what was deleted still gone", async () => {
		const data = await mkdtemp(join(tmpdir(), "fairlead-data-"));
		sandbox = new Fairlead(["sandbox", "--nodes", "2", "--data", data]);
		await sandbox.printed(/curl -x/);
		const first = await clientOf(sandbox);
		await first.create(resources.configMaps, {
			metadata: { namespace: "default", name: "kept" },
		});
		await first.delete(resources.services, {
			namespace: "default",
			name: "hello",
		});
		first.close();
		expect((await sandbox.kill("SIGINT")).code).toBe(0);

		sandbox = new Fairlead(["sandbox", "--nodes", "1", "--data", data]);
		await sandbox.printed(/dashboard/);
		const again = await clientOf(sandbox);
		await again.get(resources.configMaps, {
			namespace: "default",
			name: "kept",
		});
		const { items: nodes } = await again.list<Node>(resources.nodes);
		expect(nodes.map(({ metadata }) => metadata.name)).toEqual(["node-1"]);
		await again.create(resources.services, {
			metadata: { namespace: "default", name: "again" },
			spec: {
				type: "LoadBalancer",
				selector: { app: "hello" },
				ports: [{ port: 80, targetPort: 8080 }],
			},
		} as Service);
		const [, door = ""] = await sandbox.printed(/door +socks5h:\/\/(\S+)/);
		const answer = await eventually(
			async () => {
				const service = await again.get<Service>(resources.services, {
					namespace: "default",
					name: "again",
				});
				const ip = service.status?.loadBalancer?.ingress?.[0]?.ip ?? "";
				return getThroughDoor(door, ip, 80);
			},
			({ status }) => expect(status).toBe(200),
		);
		expect(answer.body).toContain("on node-1");
		// Its deletion waits for the cloud, now or before; nothing puts it before the other Service's balancer.
		await eventually(
			async () =>
				(await again.list<Service>(resources.services)).items.map(
					({ metadata }) => metadata.name,
				),
			(names) => {
				expect(names).toContain("again");
				expect(names).not.toContain("hello");
			},
		);
		again.close();
		await sandbox.kill("SIGINT");
		await rm(data, { recursive: true });
	});

	it.each([50, 200, 400, 700, 1000])(
		"ends without a word when it is asked to %i ms after it began",
		async (ms) => {
			sandbox = new Fairlead(["sandbox"]);
			// Ctrl-C comes at any moment; which one it is does not matter to what is expected.
			await Promise.race([
				new Promise((resolve) => setTimeout(resolve, ms)),
				sandbox.ended,
			]);
			const { code, signal } = await sandbox.kill("SIGINT");
			// Before its own handler is there the signal ends it, as it would any process.
			expect([0, null]).toContain(code);
			expect(["SIGINT", null]).toContain(signal);
			expect(sandbox.log).toEqual([]);
			expect(sandbox.out.join("\n")).not.toContain("userspace");
		},
	);

	it("ends with one line that names the port when one was asked for and is taken", async () => {
		const taken = createServer().listen(0, "127.0.0.1");
		await once(taken, "listening");
		const { port } = taken.address() as AddressInfo;
		sandbox = new Fairlead(["sandbox", "--port", String(port)]);
		const { code } = await sandbox.ended;
		expect({ code, said: sandbox.log.map(({ msg }) => msg) }).toEqual({
			code: 1,
			said: [
				`fairlead sandbox: cannot listen on 127.0.0.1:${port}: the port is taken`,
			],
		});
		taken.close();
	});

	it("carries packets itself where namespaces are not allowed, and says why", async () => {
		sandbox = new Fairlead(["sandbox", "--nodes", "2"], {}, withoutNetworks);
		const [, mode = ""] = await sandbox.printed(/network: (.*)/);
		expect(mode).toBe(
			"userspace, since this machine allows no net namespaces (sysctl user.max_net_namespaces = 0)",
		);
		const [, door = "", address = ""] = await sandbox.printed(
			/curl -x socks5h:\/\/(\S+) http:\/\/(\S+)\//,
		);
		expect((await getThroughDoor(door, address, 80)).status).toBe(200);
		expect(sandbox.log).toEqual([]);
		expect(await sandbox.kill("SIGINT")).toEqual({ code: 0, signal: null });
	});

	it("refuses to start in mode netns where that is not allowed", async () => {
		sandbox = new Fairlead(
			["sandbox", "--network", "netns"],
			{},
			withoutNetworks,
		);
		expect((await sandbox.ended).code).toBe(1);
		expect(sandbox.log.map(({ msg }) => msg)).toEqual([
			"fairlead sandbox: this machine allows no net namespaces (sysctl user.max_net_namespaces = 0)",
		]);
	});

	it("ends with one line that names the folder when --data cannot be made", async () => {
		sandbox = new Fairlead(["sandbox", "--data", "/dev/null/data"]);
		const { code } = await sandbox.ended;
		expect({ code, said: sandbox.log.map(({ msg }) => msg) }).toEqual({
			code: 1,
			said: [expect.stringContaining("--data /dev/null/data: ") as string],
		});
	});
});

describe("the launcher of the sandbox", () => {
	it("takes the sandbox with it when it is killed", async () => {
		const launcher = spawn(
			process.execPath,
			[
				fileURLToPath(new URL("../../bin/fairlead.js", import.meta.url)),
				"sandbox",
			],
			{ stdio: ["ignore", "pipe", "inherit"] },
		);
		for await (const line of createInterface({ input: launcher.stdout }))
			if (line.includes("curl -x")) break;
		const processes = descendants(launcher.pid ?? 0);
		expect(processes.length).toBeGreaterThan(3);
		launcher.kill("SIGKILL");
		await eventually(
			() => processes.filter((pid) => existsSync(`/proc/${pid}`)),
			(left) => expect(left).toEqual([]),
		);
	});
});

/** As the admin of a sandbox's kubeconfig. */
async function clientOf(sandbox: Fairlead): Promise<KubeClient> {
	const [, path = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
	const log = quietLog();
	return createKubeClient(
		await loadConnection({ path, clock: systemClock, log }),
		{ clock: systemClock, log, userAgent: "test" },
	);
}

/** Process numbers of everything that a process has started, and what that has. */
function descendants(root: number): number[] {
	const children = new Map<number, number[]>();
	for (const name of readdirSync("/proc")) {
		if (!/^\d+$/.test(name)) continue;
		try {
			const stat = readFileSync(`/proc/${name}/stat`, "utf8");
			const parent = Number(
				stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1],
			);
			children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
		} catch {
			// It ended between the listing and the look.
		}
	}
	const below = (pid: number): number[] =>
		(children.get(pid) ?? []).flatMap((child) => [child, ...below(child)]);
	return below(root);
}

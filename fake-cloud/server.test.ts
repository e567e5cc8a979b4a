import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "../operator/clock.ts";
import { ownNamespace } from "../operator/kernel/namespaces.ts";
import { listenIn } from "../operator/kernel/sockets.ts";
import { FakeClock } from "../test/support/fake-clock.ts";
import { closeClouds, testCloud } from "../test/support/fake-cloud.ts";
import { quietLog } from "../test/support/quiet-log.ts";
import { readAll } from "../test/support/read-all.ts";
import { getThroughDoor } from "../test/support/through-door.ts";
import { type FakeCloudOptions, startFakeCloud } from "./server.ts";

let dataDir: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
	dataDir = mkdtempSync(join(tmpdir(), "fairlead-cloud-"));
});
afterEach(async () => {
	for (const child of children) child.kill("SIGKILL");
	await closeClouds();
	rmSync(dataDir, { recursive: true, force: true });
});

const minimal = { name: "lb", load_balancer_type: "lb11", location: "fsn1" };

/** A cloud in a process of its own. */
async function spawnCloud() {
	const script = join(import.meta.dirname, "../test/support/cloud-process.ts");
	const child = spawn(
		process.execPath,
		["--disable-warning=ExperimentalWarning", script, dataDir],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	children.add(child);
	const gone = once(child, "exit").then(() => children.delete(child));
	const [url] = (await once(createInterface(child.stdout), "line")) as [string];
	const ask = async (method: string, path: string, body?: unknown) => {
		const response = await fetch(`${url}/v1${path}`, {
			method,
			headers: { Authorization: "Bearer token" },
			...(body !== undefined && { body: JSON.stringify(body) }),
		});
		return JSON.parse(await response.text());
	};
	return {
		ask,
		async kill() {
			child.kill("SIGKILL");
			await gone;
		},
	};
}

describe("a cloud that is killed with -9", () => {
	test("has everything it has answered for, again and again, and goes on with its actions", async () => {
		/** What was acknowledged, and how it was then. */
		const balancers = new Map<string, { id: number; ip: string }>();
		const actions = new Set<number>();
		const removed = new Set<number>();
		let next = 0;
		for (let round = 0; round < 5; round++) {
			const cloud = await spawnCloud();
			const { load_balancers: found } = await cloud.ask(
				"GET",
				"/load_balancers?per_page=50",
			);
			const there = new Map<string, { id: number; ip: string }>(
				found.map(
					(each: {
						id: number;
						name: string;
						public_net: { ipv4: { ip: string } };
					}) => [each.name, { id: each.id, ip: each.public_net.ipv4.ip }],
				),
			);
			for (const [name, balancer] of balancers)
				expect([name, there.get(name)]).toEqual([name, balancer]);
			const ips = [...there.values()].map(({ ip }) => ip);
			expect(new Set(ips).size).toBe(ips.length);
			// Actions that were running when it was killed end by themselves.
			for (const id of actions) {
				let action: { status: string };
				do action = (await cloud.ask("GET", `/actions/${id}`)).action;
				while (action.status === "running");
				expect(action.status).toBe("success");
			}
			for (const id of removed)
				expect(
					(await cloud.ask("GET", `/load_balancers/${id}`)).error.code,
				).toBe("not_found");
			let answers = 0;
			const enough = 3 + Math.floor(Math.random() * 8);
			let dead: Promise<void> | undefined;
			const write = async () => {
				while (!dead) {
					const name = `lb-${next++}`;
					const answer = await cloud.ask("POST", "/load_balancers", {
						...minimal,
						name,
					});
					const { load_balancer: made, action } = answer;
					balancers.set(name, { id: made.id, ip: made.public_net.ipv4.ip });
					actions.add(action.id);
					if (++answers === enough) dead = cloud.kill();
				}
			};
			// Requests that are cut off by the kill were not acknowledged; anything may have become of them.
			await Promise.allSettled([write(), write(), write()]);
			await dead;
			expect(answers).toBeGreaterThanOrEqual(enough);
		}
	}, 60_000);
});

describe("after a restart", () => {
	test("actions go on where they were, and what a fault held is let go", async () => {
		const clock = new FakeClock();
		const first = await testCloud({ dataDir, clock, actionMs: 1000 });
		await first.own("PUT", "/faults", {
			faults: [
				{ match: { path: "servers" }, effect: { kind: "action-stuck" } },
			],
		});
		const { body } = await first.ask("POST", "/load_balancers", minimal);
		await first.ask("POST", "/servers", {
			name: "a",
			server_type: "cx22",
			image: "debian-12",
		});
		await clock.advance(400);
		await first.close();
		const second = await testCloud({ dataDir, clock, actionMs: 1000 });
		expect(second.state().actions).toMatchObject([
			{ status: "running", stuck: false },
			{ status: "running", progress: 40 },
		]);
		await clock.advance(600);
		expect(second.state().balancers).toMatchObject([
			{ id: body.load_balancer.id, lockedBy: null },
		]);
		await clock.advance(400);
		expect(second.state().servers).toMatchObject([{ status: "running" }]);
	});

	test("balancers carry traffic again", async () => {
		const target = createHttpServer((_request, response) =>
			response.end("hello"),
		).listen(0, "127.0.0.1");
		await once(target, "listening");
		const { port } = target.address() as { port: number };
		const first = await testCloud({ dataDir });
		await first.ask("POST", "/load_balancers", {
			...minimal,
			services: [{ protocol: "tcp", listen_port: 80, destination_port: port }],
			targets: [{ type: "ip", ip: { ip: "127.0.0.1" } }],
		});
		await first.close();
		const second = await testCloud({ dataDir });
		expect(
			await getThroughDoor(second.door as string, "203.0.113.1", 80),
		).toEqual({ status: 200, body: "hello" });
		expect(
			await getThroughDoor(second.door as string, "2001:db8:fa1::1", 80),
		).toEqual({ status: 200, body: "hello" });
		target.close();
		target.closeAllConnections();
	});
});

test("counters, health and metrics follow the traffic", async () => {
	const clock = new FakeClock();
	const target = createServer(
		(socket) => void socket.resume().end("x".repeat(1000)),
	).listen(0, "127.0.0.1");
	await once(target, "listening");
	const { port } = target.address() as { port: number };
	const cloud = await testCloud({ clock, actionMs: 0 });
	const { body } = await cloud.ask("POST", "/load_balancers", {
		...minimal,
		services: [{ protocol: "tcp", listen_port: 80, destination_port: port }],
		targets: [{ type: "ip", ip: { ip: "127.0.0.1" } }],
	});
	const { id } = body.load_balancer;
	const client = cloud.dial("203.0.113.1", 80);
	expect((await readAll(client)).length).toBe(1000);
	client.end();
	const { body: after } = await cloud.ask("GET", `/load_balancers/${id}`);
	expect(after.load_balancer.outgoing_traffic).toBe(1000);
	await clock.advance(20_000);
	const start = new Date(clock.now() - 20_000).toISOString();
	const end = new Date(clock.now()).toISOString();
	const metrics = await cloud.ask(
		"GET",
		`/load_balancers/${id}/metrics?type=open_connections,bandwidth&start=${start}&end=${end}&step=10`,
	);
	expect(metrics.body.metrics.step).toBe(10);
	expect(Object.keys(metrics.body.metrics.time_series)).toEqual([
		"open_connections",
		"bandwidth.in",
		"bandwidth.out",
	]);
	expect(
		(
			await cloud.ask(
				"GET",
				`/load_balancers/${id}/metrics?type=cats&start=${start}&end=${end}`,
			)
		).status,
	).toBe(422);
	target.close();
});

test("a full disk refuses writes with 503 and its name, answers reads, and is logged once", async () => {
	const cloud = await testCloud({ dataDir, dataLimit: 80 * 1024 });
	const statuses: number[] = [];
	let refusal: { error?: { code: string; message: string } } = {};
	for (let n = 0; n < 120 && !statuses.includes(503); n++) {
		const { status, body } = await cloud.ask("POST", "/ssh_keys", {
			name: `key-${n}`,
			public_key: sshKey(n),
		});
		statuses.push(status);
		if (status === 503) refusal = body;
	}
	expect(statuses.at(-1)).toBe(503);
	expect(refusal.error?.code).toBe("unavailable");
	expect(refusal.error?.message).toContain(dataDir);
	const made = statuses.filter((status) => status === 201).length;
	expect(
		(await cloud.ask("GET", "/ssh_keys")).body.meta.pagination.total_entries,
	).toBe(made);
	expect(
		(
			await cloud.ask("POST", "/ssh_keys", {
				name: "another",
				public_key: sshKey(999),
			})
		).status,
	).toBe(503);
	expect(cloud.log.lines.filter(({ level }) => level === "error")).toHaveLength(
		1,
	);
});

/** An ed25519 public key; whether anybody has the private one does not matter. */
function sshKey(n: number): string {
	const blob = Buffer.alloc(4 + 11 + 4 + 32);
	blob.writeUInt32BE(11, 0);
	blob.write("ssh-ed25519", 4);
	blob.writeUInt32BE(32, 15);
	blob.writeUInt32BE(n, 19);
	return `ssh-ed25519 ${blob.toString("base64")} ${"x".repeat(2000)}`;
}

describe("a cloud that cannot start says why in one line:", () => {
	const start = (more: Partial<FakeCloudOptions>) =>
		startFakeCloud({
			dataDir,
			tokens: "t",
			clock: systemClock,
			random: Math.random,
			log: quietLog(),
			...more,
		});

	test("another runs on its data directory", async () => {
		await testCloud({ dataDir });
		await expect(start({})).rejects.toMatchObject({
			code: "StoreUnusable",
			message: `cannot use data directory ${dataDir}: another fake cloud is running on it`,
		});
	});

	test("its port is taken; then it leaves its data directory to others", async () => {
		const { port } = await testCloud();
		await expect(start({ port })).rejects.toMatchObject({
			code: "ListenFailed",
			message: expect.stringContaining(`127.0.0.1:${port}`),
		});
		await (await start({})).close();
	});

	test.each<[string, Partial<FakeCloudOptions>, string]>([
		["no token", { tokens: "# none\n" }, "at least one token"],
		["a bad token file", { tokens: "a b c" }, "token file, line 1"],
		[
			"a bad range",
			{ addressRanges: { ipv4: "203.0.113.0" } },
			'"203.0.113.0"',
		],
	])("%s", async (_, more, message) => {
		await expect(start(more)).rejects.toMatchObject({
			code: "FlagInvalid",
			message: expect.stringContaining(message),
		});
	});
});

test("closing twice is closing once", async () => {
	const cloud = await testCloud();
	await Promise.all([cloud.close(), cloud.close()]);
	await expect(fetch(cloud.url)).rejects.toThrow();
});

test("API and door may be open already; closing the cloud closes them, idle connections and all", async () => {
	const [api, door] = [createServer(), createServer()];
	for (const each of [api, door]) {
		each.listen(0, "127.0.0.1");
		await once(each, "listening");
	}
	const cloud = await testCloud({ listeners: { api, door } });
	expect(cloud.port).toBe((api.address() as AddressInfo).port);
	expect(cloud.door).toBe(`127.0.0.1:${(door.address() as AddressInfo).port}`);
	// Kept alive: an idle connection stays.
	expect((await cloud.ask("GET", "/locations")).status).toBe(200);
	const idle = connect(Number(cloud.door?.split(":")[1]), "127.0.0.1");
	idle.on("error", () => {});
	await once(idle, "connect");
	await cloud.close();
	await expect(fetch(cloud.url)).rejects.toThrow();
	await expect(
		testCloud({ listeners: { api: createServer() } }),
	).rejects.toMatchObject({ code: "ListenFailed" });
});

// Sockets of one's own make are Linux'.
(process.platform === "linux" ? test : test.skip)(
	"the API may be reached by more sockets; closing the cloud ends their streams and idle connections, too",
	async () => {
		const api = createServer().listen(0, "127.0.0.1");
		await once(api, "listening");
		const { port } = api.address() as AddressInfo;
		const also = [{ fd: listenIn(ownNamespace, "127.0.0.2", port) }];
		const cloud = await testCloud({ listeners: { api, also } });
		const there = `http://127.0.0.2:${port}`;
		const stream = await fetch(`${there}/fairlead/events`);
		expect((await fetch(`${there}/livez`)).status).toBe(200);
		await cloud.close();
		await stream.text();
		await expect(fetch(there)).rejects.toThrow();
	},
);

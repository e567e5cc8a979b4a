import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Pod } from "../../api/core.ts";
import { Store } from "../../cluster/index.ts";
import { ownNamespace } from "../../kernel/namespaces.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { NodePortFactsReader } from "./node-port-facts.ts";

const whole = { first: 1, last: 65_535 };
const children: ChildProcess[] = [];
afterEach(async () => {
	for (const child of children.splice(0)) {
		const ended = once(child, "exit");
		child.kill("SIGKILL");
		await ended;
	}
});

/** A process of its own that listens on a free port. */
async function listener(
	protocol: "TCP" | "UDP",
	host = "0.0.0.0",
): Promise<number> {
	const script =
		protocol === "TCP"
			? `const s=require("net").createServer().listen(0,"${host}",()=>console.log(s.address().port))`
			: `const s=require("dgram").createSocket("udp4");s.bind(0,"${host}",()=>console.log(s.address().port))`;
	const child = spawn(process.execPath, ["-e", script], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	children.push(child);
	const [line] = (await once(
		createInterface({ input: child.stdout }),
		"line",
	)) as [string];
	return Number(line);
}

function reader(more: object = {}) {
	const clock = new FakeClock();
	const log = quietLog();
	const pods = new Store<Pod>({ clock, log });
	const facts = new NodePortFactsReader({
		namespace: ownNamespace,
		pods,
		range: whole,
		clock,
		log,
		...more,
	});
	return { clock, log, pods, facts };
}

const onLinux = process.platform === "linux" ? test : test.skip;

onLinux(
	"a process that listens is found by port, protocol and name",
	async () => {
		const [tcp, udp, loopback] = [
			await listener("TCP"),
			await listener("UDP"),
			await listener("TCP", "127.0.0.1"),
		];
		const { facts } = reader();
		await facts.start();
		const found = facts.facts?.listening ?? [];
		expect(found).toContainEqual({
			port: tcp,
			protocol: "TCP",
			process: expect.any(String),
		});
		expect(found).toContainEqual({
			port: udp,
			protocol: "UDP",
			process: expect.any(String),
		});
		expect(found.map(({ port }) => port)).not.toContain(loopback);
		expect(facts.facts?.ephemeral).toEqual([
			expect.any(Number),
			expect.any(Number),
		]);
		facts.stop();
	},
);

onLinux(
	"a process that comes later is found at the next look, and told of once",
	async () => {
		const free = await listener("TCP");
		const { facts, clock } = reader({ range: { first: free, last: free } });
		await facts.start();
		expect(facts.facts?.listening?.map(({ port }) => port)).toEqual([free]);
		const told = new Promise<void>((resolve) => facts.onChange(resolve));
		const child = children.pop();
		const ended = child && once(child, "exit");
		child?.kill("SIGKILL");
		await ended;
		await clock.advance(60_000);
		await told;
		expect(facts.facts?.listening).toBeUndefined();
		facts.stop();
	},
);

onLinux(
	"hostPorts of the node's pods are told as they come and go",
	async () => {
		const { facts, pods } = reader({ range: { first: 30_000, last: 30_100 } });
		let told = 0;
		facts.onChange(() => told++);
		await facts.start();
		const before = told;
		const pod = (resourceVersion: string, hostPort: number): Pod => ({
			metadata: { namespace: "a", name: "x", uid: "1", resourceVersion },
			spec: {
				containers: [{ name: "c", ports: [{ containerPort: 80, hostPort }] }],
			},
		});
		pods.put(pod("1", 30_080));
		expect(facts.facts?.hostPorts).toEqual([
			{ port: 30_080, protocol: "TCP", pod: "a/x" },
		]);
		pods.put(pod("2", 22));
		expect(facts.facts?.hostPorts).toBeUndefined();
		expect(told).toBe(before + 2);
		facts.stop();
	},
);

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type {
	Backend,
	Frontend,
	Program,
} from "../../../operator/model/rules/program.ts";
import type { Place, PodNetwork } from "../network.ts";
import { decideBy } from "./rules.ts";
import { connectTimeoutMs } from "./stand-in-sockets.ts";
import { UserspaceNetwork } from "./userspace-network.ts";

let clock: FakeClock;
let network: UserspaceNetwork;
const servers: Server[] = [];

beforeEach(() => {
	clock = new FakeClock();
	network = new UserspaceNetwork({ clock });
});

afterEach(async () => {
	await network.close();
	for (const server of servers.splice(0))
		await new Promise((resolve) => server.close(resolve));
});

/** Something on this machine's loopback that answers with its name. */
async function listener(name: string): Promise<{ host: string; port: number }> {
	const server = createServer((socket) => socket.end(name));
	servers.push(server);
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

async function ask(from: Place, host: string, port: number): Promise<string> {
	try {
		return await text(from.connect({ host, port }));
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}

async function podThatAnswers(
	pod: PodNetwork,
	name: string,
): Promise<PodNetwork> {
	pod.publish?.(8080, await listener(name));
	return pod;
}

function programOf(...frontends: Frontend[]): Program {
	return {
		frontends: new Map(
			frontends.map((each) => [
				`${each.address}|${each.protocol}|${each.port}`,
				each,
			]),
		),
		held: new Map(
			frontends.map(({ address }) => [address, { address, echo: false }]),
		),
		podCidrs: ["10.244.0.0/16"],
		masqueradeAll: false,
	};
}

function frontend(
	address: string,
	port: number,
	endpoints: Backend[],
	more: Partial<Frontend> = {},
): Frontend {
	return {
		kind: "ClusterIP",
		family: "IPv4",
		address,
		protocol: "TCP",
		port,
		service: "default/web",
		portName: "",
		endpoints,
		whenEmpty: "reject",
		masquerade: "outside",
		...more,
	};
}

function rules(
	program: Program,
	more: Partial<Parameters<typeof decideBy>[0]> = {},
) {
	return decideBy({
		program: () => program,
		nodeAddresses: ["172.30.1.1"],
		random: () => 0,
		clock: new FakeClock(),
		...more,
	});
}

test("a pod is reached at its own address, wherever it really listens", async () => {
	const [one, two] = [network.addNode(1), network.addNode(2)];
	const pod = await podThatAnswers(one.addPod({ hostNetwork: false }), "web");
	expect(pod.address).toBe("10.244.1.2");
	for (const from of [network.outside, network.cloud, one, two, pod])
		expect(await ask(from, pod.address, 8080)).toBe("web");
	expect(await ask(pod, "127.0.0.1", 8080)).toBe("web");
});

test("what nobody has or serves is refused as a network would", async () => {
	const node = network.addNode(1);
	const pod = node.addPod({ hostNetwork: false });
	expect(await ask(node, pod.address, 8080)).toBe("ECONNREFUSED");
	expect(await ask(node, "10.244.1.9", 8080)).toBe("EHOSTUNREACH");
	expect(await ask(network.outside, node.address, 22)).toBe("ECONNREFUSED");
	expect(await ask(node, network.outside.address, 6443)).toBe("ECONNREFUSED");
	expect(await ask(node, "203.0.113.10", 80)).toBe("EHOSTUNREACH");
});

test("a removed pod is not reached any more, and its address comes back last", async () => {
	const node = network.addNode(1);
	const pod = await podThatAnswers(node.addPod({ hostNetwork: false }), "web");
	pod.remove();
	expect(await ask(node, pod.address, 8080)).toBe("EHOSTUNREACH");
	expect(node.addPod({ hostNetwork: false }).address).toBe("10.244.1.3");
});

test("a pod on its node's network is reached at the node's address", async () => {
	const node = network.addNode(1);
	await podThatAnswers(node.addPod({ hostNetwork: true }), "agent");
	expect(await ask(network.outside, node.address, 8080)).toBe("agent");
});

test("the API server is reached at the outside's address", async () => {
	const node = network.addNode(1);
	network.setListener(network.outside, 6443, await listener("api"));
	expect(await ask(node, "172.30.0.1", 6443)).toBe("api");
});

test("a ClusterIP is translated by the rules of the node that asks, and nowhere else", async () => {
	const [one, two] = [network.addNode(1), network.addNode(2)];
	const pod = await podThatAnswers(two.addPod({ hostNetwork: false }), "web");
	network.setRules(
		"node-1",
		rules(
			programOf(
				frontend("10.96.0.7", 80, [
					{ address: pod.address, port: 8080, local: false },
				]),
			),
		),
	);
	const asker = one.addPod({ hostNetwork: false });
	expect(await ask(asker, "10.96.0.7", 80)).toBe("web");
	expect(await ask(one, "10.96.0.7", 80)).toBe("web");
	expect(await ask(one, "10.96.0.7", 81)).toBe("ECONNREFUSED");
	expect(await ask(two, "10.96.0.7", 80)).toBe("EHOSTUNREACH");
	expect(await ask(network.outside, "10.96.0.7", 80)).toBe("EHOSTUNREACH");
});

test("a NodePort is translated where it arrives, whoever asks", async () => {
	const [one, two] = [network.addNode(1), network.addNode(2)];
	const pod = await podThatAnswers(two.addPod({ hostNetwork: false }), "web");
	network.setRules(
		"node-1",
		rules(
			programOf(
				frontend(
					one.address,
					30080,
					[{ address: pod.address, port: 8080, local: false }],
					{ kind: "NodePort", masquerade: "always" },
				),
			),
		),
	);
	for (const from of [network.cloud, network.outside, one, two, pod])
		expect(await ask(from, one.address, 30080)).toBe("web");
});

test("traffic that the rules drop gets no answer at all, and its sender gives up in the end", async () => {
	const node = network.addNode(1);
	network.setRules(
		"node-1",
		rules(programOf(frontend(node.address, 30080, [], { whenEmpty: "drop" }))),
	);
	const socket = network.outside.connect({ host: node.address, port: 30080 });
	const events: string[] = [];
	for (const event of ["connect", "close"])
		socket.on(event, () => events.push(event));
	socket.on("error", ({ message }) => events.push(message));
	expect(await ask(network.outside, node.address, 30081)).toBe("ECONNREFUSED");
	await clock.advance(connectTimeoutMs - 1);
	expect(events).toEqual([]);
	await clock.advance(1);
	expect(events).toEqual([`connect ETIMEDOUT ${node.address}:30080`, "close"]);
	const impatient = network.outside.connect({
		host: node.address,
		port: 30080,
	});
	impatient.destroy();
	await once(impatient, "close");
	expect(clock.waiting()).toEqual([]);
});

test("affinity keeps a client at its endpoint for as long as it lasts", async () => {
	const node = network.addNode(1);
	const pods = await Promise.all(
		["a", "b"].map((name) =>
			podThatAnswers(node.addPod({ hostNetwork: false }), name),
		),
	);
	let pick = 0;
	network.setRules(
		"node-1",
		rules(
			programOf(
				frontend(
					"10.96.0.7",
					80,
					pods.map(({ address }) => ({ address, port: 8080, local: true })),
					{ affinitySeconds: 10 },
				),
			),
			{ clock, random: () => pick },
		),
	);
	expect(await ask(node, "10.96.0.7", 80)).toBe("a");
	pick = 0.9;
	await clock.advance(9_000);
	expect(await ask(node, "10.96.0.7", 80)).toBe("a");
	await clock.advance(10_001);
	expect(await ask(node, "10.96.0.7", 80)).toBe("b");
});

test("a balancer's address is dialled as the cloud says, bytes and end in both directions", async () => {
	const dialled: unknown[] = [];
	network.setBalancers((target) => {
		dialled.push(target);
		// Echoes in capitals, and ends when it is ended.
		return new Duplex({
			read() {},
			write(chunk: Buffer, _encoding, done) {
				this.push(chunk.toString().toUpperCase());
				done();
			},
			final(done) {
				this.push(null);
				done();
			},
		});
	});
	const socket = network.outside.connect({ host: "203.0.113.10", port: 80 });
	await once(socket, "connect");
	socket.end("hello");
	expect(await text(socket)).toBe("HELLO");
	expect(dialled).toEqual([{ host: "203.0.113.10", port: 80 }]);
});

test("a balancer that nobody listens on refuses with the cloud's code", async () => {
	network.setBalancers(() => {
		throw Object.assign(new Error("nobody"), { code: "ECONNREFUSED" });
	});
	expect(await ask(network.outside, "203.0.113.10", 80)).toBe("ECONNREFUSED");
});

const program = `
	const server = require("net").createServer((socket) => socket.end("really"));
	server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

function start(pod: PodNetwork, ...command: string[]): ChildProcess {
	return pod.spawn(command, { env: {}, files: {}, stdin: false });
}

(process.platform === "linux" ? test : test.skip)(
	"a program that publishes nothing is reached at the port it really bound",
	async () => {
		const node = network.addNode(1);
		const [pod, other] = [
			node.addPod({ hostNetwork: false }),
			node.addPod({ hostNetwork: false }),
		];
		const child = start(pod, process.execPath, "-e", program);
		const [line] = (await once(
			child.stdout as NodeJS.ReadableStream,
			"data",
		)) as [Buffer];
		const port = Number(line);
		expect(await ask(node, pod.address, port)).toBe("really");
		expect(await ask(node, other.address, port)).toBe("ECONNREFUSED");
	},
);

test("removing a pod ends its processes and those they left behind", async () => {
	const pod = network.addNode(1).addPod({ hostNetwork: false });
	const child = start(pod, "/bin/sh", "-c", "/bin/sleep 1000 & echo up; wait");
	const stdout = child.stdout as NodeJS.ReadableStream;
	await once(stdout, "data");
	// The sleeper holds stdout open: that it closes says that the sleeper has ended.
	const closed = once(child, "close");
	pod.remove();
	expect(await closed).toEqual([null, "SIGKILL"]);
});

test("the processes of a sandbox that is killed end with it", async () => {
	const url = new URL("./userspace-network.ts", import.meta.url).href;
	const sandbox = spawn(
		process.execPath,
		[
			"--input-type=module",
			"-e",
			`
			import { UserspaceNetwork } from "${url}";
			const network = new UserspaceNetwork();
			const pod = network.addNode(1).addPod({ hostNetwork: false });
			const start = (script) =>
				pod.spawn(["/bin/sh", "-c", script], { env: {}, files: {}, stdin: false });
			const short = start("exit 0");
			await new Promise((resolve) => short.once("exit", resolve));
			for (const script of ["echo one up; exec /bin/sleep 1000", "/bin/sleep 1000 & echo two up; wait"]) {
				const child = start(script);
				await new Promise((resolve) => child.stdout.once("data", resolve));
				console.log(child.pid);
			}
			setInterval(() => {}, 1000);
			`,
		],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	const pids: number[] = [];
	for await (const line of createInterface({ input: sandbox.stdout })) {
		pids.push(Number(line));
		if (pids.length === 2) break;
	}
	sandbox.kill("SIGKILL");
	for (const pid of pids)
		await eventually(
			() => isThere(pid),
			(there) => expect(there).toBe(false),
		);
});

/** Whether any process of a group is there. */
function isThere(group: number): boolean {
	try {
		return process.kill(-group, 0);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ESRCH";
	}
}

import { execFileSync } from "node:child_process";
import {
	createSocket,
	type RemoteInfo,
	type Socket as UdpSocket,
} from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { jest } from "@jest/globals";
import type {
	BalancerReport,
	DatagramPath,
	EngineBalancer,
} from "../../fake-cloud/engine/engine.ts";
import { engineNetwork } from "../../fake-cloud/engine/network.ts";
import { conntrackFlows } from "../../fake-cloud/engine/kernel/conntrack-flows.ts";
import type { KernelEngine } from "../../fake-cloud/engine/kernel/kernel-engine.ts";
import { openKernelEngine } from "../../fake-cloud/engine/kernel/open.ts";
import type { Service } from "../../fake-cloud/store/records.ts";
import { systemClock } from "../../operator/clock.ts";
import { listAddresses } from "../../operator/kernel/link-addresses.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { openRouteSocket } from "../../operator/kernel/rtnetlink.ts";
import { bindUdpIn, listenIn } from "../../operator/kernel/sockets.ts";
import { setNetworkSettings } from "../../operator/kernel/sysctl.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import type { Network, NodeNetwork } from "../../sandbox/network/network.ts";
import { quietLog } from "../support/quiet-log.ts";
import { readAll } from "../support/read-all.ts";

jest.setTimeout(30_000);

const address = "203.0.113.7";
const nodePort = 30080;

let outside: NetworkNamespace;
let folder: string;
let network: Network;
let nodes: NodeNetwork[];
let engine: KernelEngine;
/** Called whenever the engine says that something changed. */
const waiting = new Set<() => void>();
const open = new Set<Server | Socket | UdpSocket>();
const paths: DatagramPath[] = [];

const tell = () => {
	for (const check of waiting) check();
};

beforeEach(() => {
	outside = createNetworkNamespace();
	folder = mkdtempSync(join(tmpdir(), "fairlead-cloud-engine-"));
	network = createNetwork({ mode: "netns", outside, folder });
	nodes = [network.addNode(1), network.addNode(2)];
	engine = openKernelEngine({
		clock: systemClock,
		log: quietLog(),
		network: { namespace: cloud() },
		outside: engineNetwork({ namespace: outside }),
		ranges: ["203.0.113.0/24"],
		// A check every 30 ms.
		msPerSecond: 10,
		drainMs: 300,
		changed: tell,
		counted: tell,
	});
});

afterEach(async () => {
	for (const each of open) if ("destroy" in each) each.destroy();
	await Promise.all(
		[...open].map(async (each) => {
			if ("destroy" in each) return;
			each.close();
			await once(each, "close");
		}),
	);
	open.clear();
	for (const path of paths.splice(0)) path.close();
	await engine.close();
	await network.close();
	outside.close();
	rmSync(folder, { recursive: true });
});

function cloud(): NetworkNamespace {
	if (!network.cloud.namespace) throw new Error("not in mode netns");
	return network.cloud.namespace;
}

/** Resolves once the engine's report holds; looks whenever something changed. */
function until(holds: (report: BalancerReport) => boolean): Promise<void> {
	return new Promise((resolve) => {
		const check = () => {
			const report = engine.report(1);
			if (!report || !holds(report)) return;
			waiting.delete(check);
			resolve();
		};
		waiting.add(check);
		check();
	});
}

/** A listener on a node that gives each connection to `answer`. */
async function serve(
	node: NodeNetwork,
	answer: (socket: Socket) => unknown,
	port = nodePort,
): Promise<Server> {
	const server = createServer({ allowHalfOpen: true }, (socket) => {
		open.add(socket);
		socket.on("error", () => {}).once("close", () => open.delete(socket));
		answer(socket);
	});
	server.listen({
		fd: listenIn(node.namespace as NetworkNamespace, node.address, port),
	});
	await once(server, "listening");
	open.add(server);
	return server;
}

/** Both nodes answer with their names, and with whom they see. */
const serveNames = () =>
	Promise.all(
		nodes.map((node) =>
			serve(
				node,
				(socket) => void socket.end(`${node.name} ${socket.remoteAddress}`),
			),
		),
	);

const service = (more: Partial<Service> = {}): Service => ({
	protocol: "tcp",
	listen_port: 80,
	destination_port: nodePort,
	proxyprotocol: false,
	health_check: {
		protocol: "tcp",
		port: nodePort,
		interval: 3,
		timeout: 1,
		retries: 2,
	},
	...more,
});

const udp = service({
	protocol: "udp",
	listen_port: 53,
	destination_port: 30053,
});

const http: Partial<Service> = {
	protocol: "http",
	http: {
		cookie_name: "HCLBSTICKY",
		cookie_lifetime: 300,
		certificates: [],
		redirect_http: false,
		sticky_sessions: false,
		timeout_idle: 30,
	},
};

const balancer = (
	services: Service[],
	more: Partial<EngineBalancer> = {},
): EngineBalancer => ({
	id: 1,
	addresses: [address],
	algorithm: "round_robin",
	maxConnections: 1000,
	services,
	targets: nodes.map((node) => ({
		key: node.name,
		address: node.address,
		problem: null,
	})),
	...more,
});

const healthy = (count: number) => (report: BalancerReport) =>
	report.targets.filter(({ health }) =>
		health.every(({ status }) => status === "healthy"),
	).length === count;

/** What a client outside is told, or the code of its error. */
async function ask(port = 80): Promise<string> {
	const client = engine.dial(address, port);
	try {
		return String(await readAll(client));
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	} finally {
		client.destroy();
	}
}

async function askOften(times: number): Promise<Map<string, number>> {
	const answers = new Map<string, number>();
	for (let i = 0; i < times; i++) {
		const answer = await ask();
		answers.set(answer, (answers.get(answer) ?? 0) + 1);
	}
	return answers;
}

const run = (program: string, ...args: string[]) =>
	cloud().run(() =>
		execFileSync(program, args, { encoding: "utf8", stdio: "pipe" }),
	);

test("connections to a balancer's address reach both nodes, who see the cloud's own address", async () => {
	await serveNames();
	engine.set(balancer([service()]));
	await until(healthy(2));
	const answers = await askOften(60);
	expect([...answers.keys()].toSorted()).toEqual([
		`node-1 ${network.cloud.address}`,
		`node-2 ${network.cloud.address}`,
	]);
});

test("a node that fails its check gets no new connections, keeps those it has, and comes back", async () => {
	const echo = (socket: Socket) => {
		socket.write("hi");
		socket.pipe(socket);
	};
	const [first] = await Promise.all(nodes.map((node) => serve(node, echo)));
	engine.set(balancer([service()]));
	await until(healthy(2));
	const clients: Duplex[] = [];
	for (let i = 0; i < 16; i++) {
		const client = engine.dial(address, 80).on("error", () => {});
		await once(client, "data");
		clients.push(client);
	}
	first?.close();
	open.delete(first as Server);
	await until(healthy(1));
	for (let i = 0; i < 16; i++) {
		const client = engine.dial(address, 80);
		expect(String((await once(client, "data"))[0])).toBe("hi");
		client.destroy();
	}
	for (const client of clients) {
		client.write("still here");
		expect(String((await once(client, "data"))[0])).toBe("still here");
		client.destroy();
	}
	await serve(nodes[0] as NodeNetwork, echo);
	await until(healthy(2));
});

test("a connection to a node that is taken away goes on for a while, and is then cut", async () => {
	await Promise.all(
		nodes.map((node) =>
			serve(node, (socket) => {
				socket.write(node.name);
				socket.pipe(socket);
			}),
		),
	);
	engine.set(balancer([service()]));
	await until(healthy(2));
	const client = engine.dial(address, 80);
	const failed = new Promise<NodeJS.ErrnoException>((resolve) =>
		client.once("error", resolve),
	);
	const name = String((await once(client, "data"))[0]);
	const all = balancer([service()]);
	engine.set({
		...all,
		targets: all.targets.filter(({ key }) => key !== name),
	});
	client.write("still here");
	expect(String((await once(client, "data"))[0])).toBe("still here");
	// Who says nothing does not learn that nobody listens any more.
	const talking = setInterval(() => client.write("?"), 20);
	expect((await failed).code).toBe("ECONNRESET");
	clearInterval(talking);
});

test("a listener without a healthy node refuses", async () => {
	engine.set(balancer([service()]));
	await until((report) =>
		report.targets.every(({ health }) => health[0]?.status === "unhealthy"),
	);
	expect(await ask()).toBe("ECONNREFUSED");
});

test("a port nobody serves refuses", async () => {
	engine.set(balancer([service()]));
	const client = engineNetwork({ namespace: outside }).connect({
		host: address,
		port: 81,
	});
	await expect(once(client, "connect")).rejects.toMatchObject({
		code: "ECONNREFUSED",
	});
});

test("while a listener turns HTTP and back, nobody is refused", async () => {
	await Promise.all(
		nodes.map((node) =>
			serve(node, (socket) => {
				socket.once("data", () =>
					socket.end(
						`HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n${node.name}`,
					),
				);
			}),
		),
	);
	engine.set(balancer([service()]));
	await until(healthy(2));
	let stop = false;
	const failures: string[] = [];
	let answered = 0;
	const get = async () => {
		while (!stop) {
			const client = engine.dial(address, 80);
			client.on("error", () => {});
			client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
			const answer = String(await readAll(client).catch(String));
			if (/^HTTP\/1.1 200 [^]*node-\d$/.test(answer)) answered++;
			else failures.push(answer);
			client.destroy();
		}
	};
	const clients = [get(), get(), get(), get()];
	const engines = () => engine.report(1)?.listeners[0]?.engine;
	for (let turn = 0; turn < 4; turn++) {
		const change = turn % 2 === 0 ? http : {};
		engine.set(balancer([service(change)]));
		expect(engines()).toBe(turn % 2 === 0 ? "userspace" : "kernel");
		const enough = answered + 100;
		while (answered < enough && failures.length === 0)
			await new Promise(setImmediate);
	}
	stop = true;
	await Promise.all(clients);
	expect(failures).toEqual([]);
});

/** Answers datagrams with the node's name. */
async function answerDatagrams(node: NodeNetwork): Promise<void> {
	const socket = createSocket("udp4");
	socket.on("message", (_data, from) =>
		socket.send(node.name, from.port, from.address),
	);
	open.add(socket);
	const listening = once(socket, "listening");
	socket.bind({
		fd: bindUdpIn(node.namespace as NetworkNamespace, node.address, 30053),
	});
	await listening;
}

/** A client outside whose datagrams all come from one port. */
function datagrams() {
	let told: (answer: string) => void = () => {};
	const path = engine.dialUdp(address, 53, (data) => told(String(data)));
	paths.push(path);
	return () =>
		new Promise<string>((resolve) => {
			told = resolve;
			path.send(Buffer.from("?"));
		});
}

test("datagrams of one client go to one node, and to the other at once when that node is taken away", async () => {
	await serveNames();
	await Promise.all(nodes.map(answerDatagrams));
	engine.set(balancer([service(), udp]));
	await until(healthy(2));
	const say = datagrams();
	const first = await say();
	for (let i = 0; i < 10; i++) expect(await say()).toBe(first);
	const all = balancer([service(), udp]);
	engine.set({
		...all,
		targets: all.targets.filter(({ key }) => key !== first),
	});
	const second = await say();
	expect([first, second].toSorted()).toEqual(["node-1", "node-2"]);
});

test("a UDP listener may pass from the kernel to a socket and back while its client goes on sending", async () => {
	await serveNames();
	await Promise.all(nodes.map(answerDatagrams));
	engine.set(balancer([service(), udp]));
	await until(healthy(2));
	const say = datagrams();
	expect(await say()).toMatch(/^node-/);
	engine.set(balancer([service(), udp], { algorithm: "least_connections" }));
	expect(await say()).toMatch(/^node-/);
	await until(({ listeners }) =>
		listeners.every((each) => each.engine === "userspace"),
	);
	engine.set(balancer([service(), udp]));
	expect(await say()).toMatch(/^node-/);
});

test("only clients within the source ranges are let in", async () => {
	await serveNames();
	const allowed = `${network.outside.address}/32`;
	engine.set(balancer([service({ source_ranges: [allowed] })]));
	await until(healthy(2));
	const stranger = (nodes[0] as NodeNetwork).connect({
		host: address,
		port: 80,
	});
	open.add(stranger);
	let connected = false;
	stranger
		.on("error", () => {})
		.on("connect", () => {
			connected = true;
		});
	for (let i = 0; i < 20; i++) expect(await ask()).toMatch(/^node-/);
	expect(connected).toBe(false);
	engine.set(balancer([service()]));
	// What was dropped is sent again.
	await once(stranger, "connect");
});

test("what the kernel carries is counted, by listener and by node", async () => {
	await Promise.all(
		nodes.map((node) => serve(node, (socket) => socket.pipe(socket))),
	);
	engine.set(balancer([service()]));
	await until(healthy(2));
	const clients = Array.from({ length: 8 }, () =>
		engine.dial(address, 80).on("error", () => {}),
	);
	for (const client of clients) {
		client.write(Buffer.alloc(1000));
		await once(client, "data");
	}
	await until(({ counters }) => counters.open === 8);
	const during = engine.report(1) as BalancerReport;
	expect(during.listeners[0]?.engine).toBe("kernel");
	expect(during.listeners[0]?.counters).toMatchObject({ open: 8, total: 8 });
	expect(during.counters.bytesIn).toBeGreaterThan(8 * 1000);
	expect(during.counters.bytesOut).toBeGreaterThan(8 * 1000);
	expect(
		during.targets.reduce((total, { counters }) => total + counters.open, 0),
	).toBe(8);
	for (const client of clients) client.end();
	await until(({ counters }) => counters.open === 0);
	expect(engine.report(1)?.counters).toMatchObject({ total: 8, failed: 0 });
});

test("where the kernel does not count bytes, connections are counted all the same", async () => {
	const flows = conntrackFlows(cloud());
	setNetworkSettings(cloud(), { "netfilter/nf_conntrack_acct": 0 });
	await Promise.all(
		nodes.map((node) => serve(node, (socket) => socket.pipe(socket))),
	);
	engine.set(balancer([service(), udp]));
	await until(healthy(2));
	const client = engine.dial(address, 80).on("error", () => {});
	client.write("hello");
	await once(client, "data");
	await until(({ counters }) => counters.open === 1);
	expect(flows.list()).toMatchObject([
		{ open: true, unanswered: false, bytesIn: 0, bytesOut: 0 },
	]);
	client.end();
	await until(({ counters }) => counters.open === 0);
	expect(engine.report(1)?.counters).toMatchObject({
		total: 1,
		failed: 0,
		bytesIn: 0,
		bytesOut: 0,
	});
	flows.close();
});

test("where the kernel does not count packets, it is still known who was answered", async () => {
	const flows = conntrackFlows(cloud());
	setNetworkSettings(cloud(), { "netfilter/nf_conntrack_acct": 0 });
	await Promise.all(nodes.map((node) => serve(node, () => {})));
	engine.set(balancer([service(), udp]));
	await until(healthy(2));
	const asked = nodes.map(async ({ namespace, address: at }) => {
		const socket = createSocket("udp4");
		socket.bind({ fd: bindUdpIn(namespace as NetworkNamespace, at, 30053) });
		open.add(socket);
		const [, from] = (await once(socket, "message")) as [Buffer, RemoteInfo];
		return () => socket.send("answer", from.port, from.address);
	});
	let hear: () => void = () => {};
	const heard = new Promise<void>((resolve) => {
		hear = resolve;
	});
	const path = engine.dialUdp(address, 53, hear);
	paths.push(path);
	path.send(Buffer.from("question"));
	const answer = await Promise.race(asked);
	const datagrams = () =>
		flows.list().filter(({ transport }) => transport === "udp");
	expect(datagrams()).toMatchObject([{ unanswered: true }]);
	answer();
	await heard;
	expect(datagrams()).toMatchObject([{ unanswered: false }]);
	flows.close();
});

test("a balancer that is removed leaves no rule, no address and no flow", async () => {
	await serveNames();
	engine.set(balancer([service(), udp, service({ ...http, listen_port: 81 })]));
	await until(healthy(2));
	expect(await ask()).toMatch(/^node-/);
	expect(run("nft", "list", "ruleset")).toContain(address);
	engine.remove(1);
	expect(run("nft", "list", "ruleset")).not.toContain(address);
	expect(run("conntrack", "-L", "--orig-dst", address)).not.toContain(address);
	const routes = openRouteSocket(cloud());
	expect(listAddresses(routes).map((each) => each.address)).not.toContain(
		address,
	);
	routes.close();
	const client = engineNetwork({ namespace: outside }).connect({
		host: address,
		port: 80,
	});
	await expect(once(client, "connect")).rejects.toMatchObject({
		code: "EHOSTUNREACH",
	});
});

test("after `nft flush ruleset` the rules are back", async () => {
	await serveNames();
	engine.set(balancer([service()]));
	await until(healthy(2));
	run("nft", "flush", "ruleset");
	for (;;) {
		const answer = await ask();
		if (answer.startsWith("node-")) break;
		expect(answer).toBe("ECONNREFUSED");
		await new Promise(setImmediate);
	}
});

import { jest } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { get } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { Registry } from "prom-client";
import { type Agent, startAgent } from "../../operator/agent/agent.ts";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import type { AgentIncident } from "../../operator/agent/rules/incidents.ts";
import type { Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { listenIn } from "../../operator/kernel/sockets.ts";
import type { NodeNetwork, Place } from "../../sandbox/network/network.ts";
import { AgentCluster, ask } from "../support/agent-cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(60_000);

let cluster: AgentCluster;
let agents: Agent[];
let incidents: (AgentIncident & { node: string })[];
const processes: Fairlead[] = [];

beforeEach(async () => {
	cluster = await AgentCluster.start(2);
	agents = [];
	incidents = [];
});

afterEach(async () => {
	for (const each of processes.splice(0)) await each.kill("SIGKILL");
	for (const agent of agents) agent.stop();
	await cluster.close();
});

const namespaceOf = (place: Place) => place.namespace as NetworkNamespace;

/** The agent of a node, in this process. */
async function agentOf(node: NodeNetwork): Promise<Agent> {
	const agent = await startAgent({
		node: node.name,
		stores: cluster.stores,
		backend: new NftablesBackend(namespaceOf(node)),
		listen: async (server: Server, address, port) => {
			server.listen({ fd: listenIn(namespaceOf(node), address, port) });
			await once(server, "listening");
		},
		healthz: { address: "0.0.0.0", port: 10256 },
		clock: systemClock,
		random: Math.random,
		log: cluster.log,
		metrics: agentMetrics(new Registry()),
		tell: (incident) => incidents.push({ ...incident, node: node.name }),
	});
	agents.push(agent);
	await agent.synced;
	return agent;
}

/** Every agent's rules reflect a Service and its endpoints. */
async function reached(
	service: Service,
	endpointSlices: string,
): Promise<void> {
	const services = service.metadata.resourceVersion ?? "";
	await Promise.all(
		agents.map((agent) => agent.reached({ services, endpointSlices })),
	);
}

/** What nft says in a node's namespace. */
function nft(node: NodeNetwork, ...args: string[]): string {
	const { stdout, stderr, status } = namespaceOf(node).run(() =>
		spawnSync("nft", args, { encoding: "utf8" }),
	);
	if (status !== 0) throw new Error(`nft ${args.join(" ")}: ${stderr}`);
	return stdout;
}

/** The elements of our tables that speak of an address. */
function mentions(node: NodeNetwork, address: string): boolean {
	return nft(node, "list", "ruleset").includes(address);
}

describe("a Service", () => {
	it("is reached by pods, nodes and from outside, on every node, as soon as its rules are in force", async () => {
		await Promise.all(cluster.nodes.map(agentOf));
		const pods = await Promise.all([
			cluster.servingPod(1),
			cluster.servingPod(2),
		]);
		const service = await cluster.service("web", { type: "NodePort" });
		await reached(service, await cluster.endpoints("web", pods));
		const clusterIP = service.spec.clusterIP ?? "";
		const nodePort = service.spec.ports?.[0]?.nodePort ?? 0;
		for (const number of [1, 2]) {
			const client = cluster.clientOn(number);
			const heard = await Promise.all(
				Array.from({ length: 30 }, () => ask(client, clusterIP, 80)),
			);
			expect(new Set(heard)).toEqual(
				new Set(pods.map(({ address }) => `${address} sees ${client.address}`)),
			);
			const node = cluster.node(number);
			expect(await ask(node, clusterIP, 80)).toMatch(
				/^10\.244\.[12]\.\d+ sees /,
			);
			expect(
				await ask(cluster.network.outside, node.address, nodePort),
			).toMatch(/^10\.244\.[12]\.\d+ sees (172\.30\.1\.|10\.244\.)/);
			expect(await ask(client, clusterIP, 81)).toBe("ECONNREFUSED");
		}
	});

	it("that loses its endpoints refuses, and serves again with the next", async () => {
		await Promise.all(cluster.nodes.map(agentOf));
		const pod = await cluster.servingPod(2);
		const service = await cluster.service("web", {});
		await reached(service, await cluster.endpoints("web", []));
		const clusterIP = service.spec.clusterIP ?? "";
		const client = cluster.clientOn(1);
		expect(await ask(client, clusterIP, 80)).toBe("ECONNREFUSED");
		await reached(service, await cluster.endpoints("web", [pod]));
		expect(await ask(client, clusterIP, 80)).toBe(
			`${pod.address} sees ${client.address}`,
		);
		await reached(service, await cluster.endpoints("web", []));
		expect(await ask(client, clusterIP, 80)).toBe("ECONNREFUSED");
	});

	it("that goes takes its rules from every node, and new connections are refused", async () => {
		await Promise.all(cluster.nodes.map(agentOf));
		const pod = await cluster.servingPod(1);
		const service = await cluster.service("web", { type: "NodePort" });
		await reached(service, await cluster.endpoints("web", [pod]));
		const clusterIP = service.spec.clusterIP ?? "";
		const nodePort = service.spec.ports?.[0]?.nodePort ?? 0;
		for (const node of cluster.nodes) {
			expect(mentions(node, clusterIP)).toBe(true);
			expect(mentions(node, pod.address)).toBe(true);
		}
		const gone = new Promise<string>((resolve) => {
			const stop = cluster.stores.services.onChange(({ type }) => {
				if (type !== "deleted") return;
				stop();
				resolve(cluster.stores.services.resourceVersion ?? "");
			});
		});
		await cluster.client.delete(resources.services, {
			namespace: "default",
			name: "web",
		});
		const services = await gone;
		await Promise.all(agents.map((agent) => agent.reached({ services })));
		for (const node of cluster.nodes) {
			expect(mentions(node, clusterIP)).toBe(false);
			expect(mentions(node, pod.address)).toBe(false);
			expect(nft(node, "list", "ruleset")).not.toContain(String(nodePort));
			expect(await ask(cluster.network.outside, node.address, nodePort)).toBe(
				"ECONNREFUSED",
			);
		}
		expect(await ask(cluster.clientOn(1), clusterIP, 80)).not.toMatch(/sees/);
	});

	it("of policy Local answers health checks where its pods are, and only there", async () => {
		await Promise.all(cluster.nodes.map(agentOf));
		const pod = await cluster.servingPod(1);
		const service = await cluster.service("web", {
			type: "LoadBalancer",
			externalTrafficPolicy: "Local",
		});
		await reached(service, await cluster.endpoints("web", [pod]));
		const port = service.spec.healthCheckNodePort ?? 0;
		const answers = await Promise.all(
			cluster.nodes.map((node) =>
				statusOf(cluster.network.outside, node.address, port),
			),
		);
		expect(answers).toEqual([200, 503]);
		expect(
			await statusOf(
				cluster.network.outside,
				cluster.node(2).address,
				10256,
				"/healthz",
			),
		).toBe(200);
	});
});

describe("rules that somebody flushes", () => {
	it("are back on that node, and it is said who did it", async () => {
		const pod = await cluster.servingPod(2);
		const service = await cluster.service("web", {});
		const version = await cluster.endpoints("web", [pod]);
		await Promise.all(cluster.nodes.map(agentOf));
		await reached(service, version);
		const clusterIP = service.spec.clusterIP ?? "";
		const [node] = cluster.nodes as [NodeNetwork];
		nft(node, "flush", "ruleset");
		expect(nft(node, "list", "tables")).toBe("");
		await eventually(
			() => ask(cluster.clientOn(1), clusterIP, 80),
			(heard) => expect(heard).toMatch(/sees/),
		);
		expect(incidents).toEqual([
			{
				node: "node-1",
				reason: "RulesRepaired",
				note: expect.stringMatching(
					/nft \(pid \d+\) changed table fairlead/,
				) as string,
			},
		]);
	});
});

/** The agent of a node as a process of its own, in the node's namespace. */
function agentProcess(
	node: NodeNetwork,
	env: NodeJS.ProcessEnv = {},
	...args: string[]
): Fairlead {
	const started = namespaceOf(node).run(
		() =>
			new Fairlead(
				[
					"agent",
					"--node",
					node.name,
					"--kubeconfig",
					cluster.kubeconfig,
					"--metrics-port",
					"0",
					...args,
				],
				env,
			),
	);
	processes.push(started);
	return started;
}

const inSync = (agent: Fairlead) =>
	agent.logged(({ msg }) => msg === "the rules reflect the cluster");

describe("fairlead agent", () => {
	it("that is killed leaves rules that serve; the next one brings them up to date without cutting a connection", async () => {
		const [node] = cluster.nodes as [NodeNetwork];
		const [first, second] = await Promise.all([
			cluster.servingPod(1),
			cluster.servingPod(2),
		]);
		const service = await cluster.service("web", {});
		await cluster.endpoints("web", [first as Place]);
		const clusterIP = service.spec.clusterIP ?? "";
		const client = cluster.clientOn(1);
		const one = agentProcess(node);
		await inSync(one);
		const held = client.connect({ host: clusterIP, port: 80 });
		expect(await lineOf(held)).toBe(`${first?.address} sees ${client.address}`);
		await one.kill("SIGKILL");
		expect(await ask(client, clusterIP, 80)).toBe(
			`${first?.address} sees ${client.address}`,
		);
		await cluster.endpoints("web", [second as Place]);
		const other = await cluster.service("other", {});
		await cluster.endpoints("other", [first as Place]);
		const two = agentProcess(node);
		await inSync(two);
		expect(await ask(client, clusterIP, 80)).toBe(
			`${second?.address} sees ${client.address}`,
		);
		expect(await ask(client, other.spec.clusterIP ?? "", 80)).toMatch(/sees/);
		held.write("?\n");
		expect(await lineOf(held)).toBe(`${first?.address} still`);
		held.destroy();
		expect((await two.kill("SIGTERM")).code).toBe(0);
		expect(await ask(client, clusterIP, 80)).toBe(
			`${second?.address} sees ${client.address}`,
		);
	});

	it("whose API server is away writes no rules, says so at /readyz, and goes on trying", async () => {
		const [node] = cluster.nodes as [NodeNetwork];
		const away = join(cluster.folder, "away");
		writeFileSync(
			away,
			readFileSync(cluster.kubeconfig, "utf8").replace(":6443", ":1"),
		);
		const agent = agentProcess(node, {}, "--kubeconfig", away);
		const { probes } = await agent.logged(
			({ msg }) => msg === "the agent is running",
		);
		const port = Number(probes);
		expect(await statusOf(node, "127.0.0.1", port, "/readyz")).toBe(503);
		expect(await statusOf(node, "127.0.0.1", port, "/livez")).toBe(200);
		expect(await statusOf(node, "127.0.0.1", 10256, "/healthz")).toBe(503);
		expect(nft(node, "list", "tables")).toBe("");
		expect((await agent.kill("SIGTERM")).code).toBe(0);
	});

	it("needs no program nft", async () => {
		const [node] = cluster.nodes as [NodeNetwork];
		const pod = await cluster.servingPod(1);
		const service = await cluster.service("web", {});
		await cluster.endpoints("web", [pod]);
		const agent = agentProcess(node, { PATH: "/nonexistent" });
		await inSync(agent);
		expect(
			await ask(cluster.clientOn(1), service.spec.clusterIP ?? "", 80),
		).toMatch(/sees/);
	});

	it("that may not change the network ends with one line that says what it needs", async () => {
		const agent = namespaceOf(cluster.node(1)).run(
			() =>
				new Fairlead(["agent", "--node", "node-1"], {}, [
					"setpriv",
					"--bounding-set=-net_admin",
					"--inh-caps=-net_admin",
					"--",
				]),
		);
		processes.push(agent);
		expect(await agent.ended).toEqual({ code: 1, signal: null });
		expect(agent.out).toEqual([]);
		expect(agent.log.map(({ msg }) => msg)).toEqual([
			expect.stringContaining(
				"the agent needs CAP_NET_ADMIN on its node",
			) as string,
		]);
	});

	it("--cleanup takes its rules away and nothing else", async () => {
		const [node] = cluster.nodes as [NodeNetwork];
		const pod = await cluster.servingPod(1);
		const service = await cluster.service("web", {});
		await cluster.endpoints("web", [pod]);
		for (const table of ["ip another", "ip6 another", "inet fairlead"])
			nft(
				node,
				`add table ${table} { set s { type inet_service; elements = { 80 }; }; chain c { type filter hook input priority 0; tcp dport @s accept; }; }`,
			);
		nft(
			node,
			"add table ip another-nat { chain c { type nat hook postrouting priority 100; }; }",
		);
		const others = nft(node, "list", "ruleset");
		const agent = agentProcess(node);
		await inSync(agent);
		await agent.kill("SIGTERM");
		expect(nft(node, "list", "tables")).toContain("table ip fairlead\n");
		const cleanup = namespaceOf(node).run(
			() => new Fairlead(["agent", "--cleanup"]),
		);
		expect((await cleanup.ended).code).toBe(0);
		expect(nft(node, "list", "ruleset")).toBe(others);
		expect(
			await ask(cluster.clientOn(1), service.spec.clusterIP ?? "", 80),
		).not.toMatch(/sees/);
	});
});

/** The next line that a connection hears. */
async function lineOf(socket: Socket): Promise<string> {
	let heard = "";
	while (!heard.endsWith("\n")) {
		const [chunk] = (await once(socket, "data")) as [Buffer];
		heard += chunk.toString();
	}
	return heard.trim();
}

function statusOf(
	from: Place,
	host: string,
	port: number,
	path = "/",
): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		get(
			{
				host,
				port,
				path,
				createConnection: () => from.connect({ host, port }),
			},
			(response) => {
				response.resume();
				resolve(response.statusCode);
			},
		).on("error", reject);
	});
}

import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { AgentWorld } from "../../test/support/agent-world.ts";
import {
	packetOf,
	serviceOf,
	sliceOf,
} from "../../test/support/rules-world.ts";
import { evaluate } from "../model/rules/evaluate.ts";
import { listen } from "../probes/listen.ts";
import { type Agent, startAgent } from "./agent.ts";
import { UserspaceBackend } from "./rules/userspace-backend.ts";

const agents: Agent[] = [];
afterEach(() => {
	for (const agent of agents.splice(0)) agent.stop();
});

async function start(
	world: AgentWorld,
	more: Partial<Parameters<typeof startAgent>[0]> = {},
): Promise<Agent> {
	const agent = await startAgent({
		node: "node-1",
		stores: world.stores,
		backend: world.backend,
		clock: world.clock,
		random: () => 0.5,
		log: world.log,
		metrics: world.metrics,
		...more,
	});
	agents.push(agent);
	return agent;
}

const node = (name: string) => ({
	metadata: { name },
	status: {
		addresses: [{ type: "InternalIP", address: `172.30.1.${name.slice(-1)}` }],
	},
});

describe("agents that share their caches", () => {
	it("each carry what concerns their own node", async () => {
		const world = new AgentWorld();
		const all = await Promise.all(
			["node-1", "node-2"].map((name) =>
				start(world, { node: name, backend: new UserspaceBackend() }),
			),
		);
		world.put(node("node-1"));
		world.put(node("node-2"));
		world.put(serviceOf({ internalTrafficPolicy: "Local" }));
		world.put(sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"]));
		await world.listed();
		await Promise.all(all.map((agent) => agent.synced));
		const ends = all.map((agent) => {
			const verdict = evaluate(
				agent.program,
				packetOf("pod -> 10.96.0.10 TCP 80"),
			);
			return verdict.verdict === "forwarded" ? verdict.to.address : verdict.why;
		});
		expect(ends).toEqual(["10.244.1.2", "10.244.2.2"]);
		expect(
			await world.registry.getSingleMetric("fairlead_agent_frontends")?.get(),
		).toMatchObject({ values: [{ value: 2 }] });
	});
});

describe("what an agent says of itself", () => {
	it("is that nothing is read yet, then that its Node is missing, then nothing", async () => {
		const world = new AgentWorld();
		const agent = await start(world);
		expect(agent.notReady()).toEqual(["rules: nothing is read yet"]);
		await world.listed();
		expect(agent.notReady()).toEqual([
			"there is no Node node-1: NodePorts are not served here",
		]);
		world.put(node("node-1"));
		expect(agent.notReady()).toEqual([]);
	});

	it("counts Services whose policy is Local and that have no endpoint here", async () => {
		const world = new AgentWorld();
		await start(world);
		world.put(serviceOf({ internalTrafficPolicy: "Local" }));
		world.put(sliceOf(["10.244.2.2@node-2"]));
		await world.listed();
		const text = await world.registry.metrics();
		expect(text).toContain(
			'no_local_endpoints_total{traffic_policy="internal"} 1',
		);
		expect(text).toContain(
			'no_local_endpoints_total{traffic_policy="external"} 0',
		);
	});

	it("is how long rules took from what happened to a pod", async () => {
		const world = new AgentWorld();
		await start(world);
		world.put(serviceOf());
		await world.listed();
		await world.clock.advance(1_000);
		const slice = sliceOf(["10.244.1.2@node-1"]);
		const happened = new Date(world.clock.now() - 250).toISOString();
		slice.metadata.annotations = {
			"endpoints.kubernetes.io/last-change-trigger-time": happened,
		};
		world.put(slice);
		await world.clock.advance(0);
		const text = await world.registry.metrics();
		expect(text).toContain(
			"kubeproxy_network_programming_duration_seconds_sum 0.25",
		);
		expect(text).toContain(
			"kubeproxy_network_programming_duration_seconds_count 1",
		);
	});
});

describe("the ports of a node", () => {
	it("are /healthz, and a healthCheckNodePort that answers once the rules are in force", async () => {
		const world = new AgentWorld();
		const ports: number[] = [];
		const agent = await start(world, {
			listen: async (server) => {
				await listen(server, "127.0.0.1", 0);
				ports.push((server.address() as AddressInfo).port);
				served();
			},
			healthz: { address: "127.0.0.1", port: 10256 },
		});
		expect(await statusOf(ports[0], "/healthz")).toBe(503);
		const opened = new Promise<void>((resolve) => {
			served = resolve;
		});
		world.put(node("node-1"));
		world.put(
			serviceOf({
				type: "LoadBalancer",
				externalTrafficPolicy: "Local",
				healthCheckNodePort: 32000,
			}),
		);
		world.put(sliceOf(["10.244.1.2@node-1"]));
		await world.listed();
		await agent.synced;
		await opened;
		expect(await statusOf(ports[0], "/healthz")).toBe(200);
		expect(await statusOf(ports[0], "/livez")).toBe(200);
		expect(await statusOf(ports[0], "/other")).toBe(404);
		expect(await statusOf(ports[1], "/")).toBe(200);
		const text = await world.registry.metrics();
		expect(text).toContain('kubeproxy_proxy_healthz_total{code="503"} 1');
		expect(text).toContain('kubeproxy_proxy_healthz_total{code="200"} 1');
	});
});

let served: () => void = () => {};

function statusOf(
	port: number | undefined,
	path: string,
): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
			response.resume();
			resolve(response.statusCode);
		})
			.on("error", reject)
			.end();
	});
}

import { jest } from "@jest/globals";
import { spawnSync } from "node:child_process";
import type {
	EndpointSlice,
	IPFamily,
	Lease,
	Node,
	Protocol,
	Service,
} from "../../operator/api/core.ts";
import { annotations } from "../../operator/api/names.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { reportOf } from "../../operator/model/agent-report.ts";
import { formatAssignment } from "../../operator/model/assignment.ts";
import {
	type AgentProcess,
	startAgentProcess,
} from "../support/agent-process.ts";
import {
	type ApiInNamespace,
	apiInNamespace,
} from "../support/api-in-namespace.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { clusterClient } from "../support/cluster-client.ts";
import { eventually } from "../support/eventually.ts";
import { type KubeProxy, startKubeProxy } from "../support/kube-proxy.ts";
import {
	type Answer,
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
	SERVER_PORT,
} from "../support/packet-world.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(120_000);

const families = ["IPv4", "IPv6"] as const;
const protocols = ["TCP", "UDP"] as const;
const nodeName = "node-1";
const podCidrs = ["10.244.0.0/16", "2001:db8:244::/48"];
const namespace = "default";

type Addresses = Record<IPFamily, string>;
type Transport = Exclude<Protocol, "SCTP">;

let cluster: Cluster;
let client: KubeClient;
let world: PacketWorld;
let api: ApiInNamespace;
let proxy: KubeProxy;
const agents: AgentProcess[] = [];
let services = 0;

beforeAll(async () => {
	cluster = await startCluster({ dualStack: true });
	client = await clusterClient(cluster);
	const { code, stderr } = await cluster.kubectl([
		...["create", "namespace", "fairlead-system"],
	]);
	if (code !== 0) throw new Error(stderr);
	world = await createPacketWorld();
	api = await apiInNamespace(world.namespaceOf("node"), cluster.server);
	await client.create<Node>(resources.nodes, {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name: nodeName },
		spec: { podCIDRs: ["10.244.1.0/24", "2001:db8:244:1::/64"] },
		status: {
			addresses: families.map((family) => ({
				type: "InternalIP",
				address: world.addressOf("node", family),
			})),
		},
	});
	proxy = startKubeProxy({
		namespace: world.namespaceOf("node"),
		node: nodeName,
		kubeconfig: cluster.kubeconfigPath,
		clusterCidrs: podCidrs,
	});
	await proxy.synced;
});

afterEach(async () => {
	process.kill(proxy.pid, "SIGCONT");
	for (const agent of agents.splice(0)) await agent.process.kill("SIGKILL");
});

afterAll(async () => {
	await proxy?.kill();
	await api?.close();
	await world?.close();
	client?.close();
	await cluster?.stop();
});

/** Beside kube-proxy, with rules for what there is. */
async function startAgent(): Promise<AgentProcess> {
	const agent = startAgentProcess({
		namespace: world.namespaceOf("node"),
		node: nodeName,
		kubeconfig: cluster.kubeconfigPath,
		args: ["--rules", "balancers", "--cluster-cidr", podCidrs.join(",")],
	});
	agents.push(agent);
	await agent.synced;
	return agent;
}

interface Balanced {
	name: string;
	ingress: Addresses;
	clusterIPs: Addresses;
	nodePorts: Record<Transport, number>;
}

/** A Service of type LoadBalancer with addresses that Fairlead assigned and shows. */
async function balanced(
	endpoints: readonly PlaceName[],
	more: { spec?: Service["spec"]; labels?: Record<string, string> } = {},
): Promise<Balanced> {
	const number = ++services;
	const name = `web-${number}`;
	const ingress = {
		IPv4: `203.0.113.${number}`,
		IPv6: `2001:db8:113::${number}`,
	};
	const addresses = families.map((family) => ingress[family]);
	const { spec } = await client.create<Service>(resources.services, {
		apiVersion: "v1",
		kind: "Service",
		metadata: {
			name,
			namespace,
			...(more.labels && { labels: more.labels }),
			annotations: {
				[annotations.assigned]: formatAssignment({
					addresses,
					class: "lan",
					pools: ["lan", "lan"],
					number: "1",
				}),
			},
		},
		spec: {
			type: "LoadBalancer",
			ipFamilyPolicy: "RequireDualStack",
			ports: protocols.map((protocol) => ({
				name: protocol.toLowerCase(),
				port: 80,
				protocol,
			})),
			...more.spec,
		},
	});
	await client.patch<Service>(
		resources.services,
		{ namespace, name, subresource: "status" },
		{
			type: "merge",
			body: {
				status: {
					loadBalancer: {
						ingress: addresses.map((ip) => ({ ip, ipMode: "VIP" })),
					},
				},
			},
		},
	);
	for (const family of families)
		await client.create(
			resources.endpointSlices,
			sliceOf(name, family, endpoints, more.labels),
		);
	const [v4 = "", v6 = ""] = spec.clusterIPs ?? [];
	const nodePort = (protocol: Transport) =>
		spec.ports?.find((port) => port.protocol === protocol)?.nodePort ?? 0;
	return {
		name,
		ingress,
		clusterIPs: { IPv4: v4, IPv6: v6 },
		nodePorts: { TCP: nodePort("TCP"), UDP: nodePort("UDP") },
	};
}

function sliceOf(
	service: string,
	family: IPFamily,
	endpoints: readonly PlaceName[],
	labels: Record<string, string> = {},
): EndpointSlice {
	return {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			name: `${service}-${family.toLowerCase()}`,
			namespace,
			labels: { "kubernetes.io/service-name": service, ...labels },
		},
		addressType: family,
		endpoints: endpoints.map((place) => ({
			addresses: [world.addressOf(place, family)],
			conditions: { ready: true },
			nodeName: place === "pod-3" ? "node-2" : nodeName,
		})),
		ports: protocols.map((protocol) => ({
			name: protocol.toLowerCase(),
			protocol,
			port: SERVER_PORT,
		})),
	};
}

async function move(
	{ name }: Balanced,
	endpoints: readonly PlaceName[],
): Promise<void> {
	for (const family of families)
		await client.replace(
			resources.endpointSlices,
			sliceOf(name, family, endpoints),
		);
}

/** What every family and transport answers, asked at once. */
function answers(
	from: PlaceName,
	hosts: Addresses,
	port: number | Record<Transport, number> = 80,
): Promise<Answer[]> {
	return Promise.all(
		families.flatMap((family) =>
			protocols.map(
				(protocol) =>
					world.ask(
						from,
						protocol,
						hosts[family],
						typeof port === "number" ? port : port[protocol],
					).answer,
			),
		),
	);
}

const all = (answer: Answer) => Array<Answer>(4).fill(answer);

/** kube-proxy's rules lead there, if perhaps not only there. */
async function kubeProxyLeads(
	{ name }: Balanced,
	place: PlaceName,
): Promise<void> {
	await eventually(
		() => listed("kube-proxy"),
		(rules) => {
			const missing = families.flatMap((family) =>
				protocols.filter((protocol) => {
					const port = protocol.toLowerCase();
					const address = world.addressOf(place, family);
					return !new RegExp(
						`chain service-\\w+-default/${name}/${port}/${port} \\{(?:\\n\\t\\t.*)*?[ []${address}(?: \\. |\\]?:)${SERVER_PORT}\\b`,
					).test(rules);
				}),
			);
			expect(missing).toEqual([]);
		},
	);
}

const by = (answer: Answer) =>
	typeof answer === "object" && "by" in answer ? answer.by : answer;

/** Both families of a table, as nft prints them. */
function listed(table: string): string {
	return ["ip", "ip6"]
		.map((family) => {
			const { status, stdout, stderr } = world.namespaceOf("node").run(() =>
				spawnSync("nft", ["list", "table", family, table], {
					encoding: "utf8",
					maxBuffer: 1 << 26,
				}),
			);
			if (status !== 0) throw new Error(stderr);
			return stdout;
		})
		.join("");
}

/** While it is held, kube-proxy's rules are what they were. */
function holdKubeProxy(): void {
	process.kill(proxy.pid, "SIGSTOP");
}

describe("fairlead agent --rules balancers beside a real kube-proxy", () => {
	it("carries the addresses that Fairlead assigned, and leaves ClusterIPs and NodePorts to kube-proxy", async () => {
		const service = await balanced(["pod-2"]);
		await kubeProxyLeads(service, "pod-2");
		await startAgent();
		holdKubeProxy();
		// From here on only Fairlead hears what changes.
		await move(service, ["pod-1"]);
		await eventually(
			() => answers("outside", service.ingress),
			(heard) => expect(heard).toEqual(all({ by: "pod-1", saw: "node" })),
		);
		const node = {
			IPv4: world.addressOf("node", "IPv4"),
			IPv6: world.addressOf("node", "IPv6"),
		};
		expect(await answers("outside", node, service.nodePorts)).toEqual(
			all({ by: "pod-2", saw: "node" }),
		);
		expect(await answers("pod-1", service.clusterIPs)).toEqual(
			all({ by: "pod-2", saw: "pod-1" }),
		);
		expect(await answers("pod-2", service.ingress)).toEqual(
			all({ by: "pod-1", saw: "node" }),
		);
	});

	it("keeps the client's address under policy Local, where kube-proxy does", async () => {
		const service = await balanced(["pod-2", "pod-3"], {
			spec: { externalTrafficPolicy: "Local" },
		});
		await kubeProxyLeads(service, "pod-3");
		await startAgent();
		expect(await answers("outside", service.ingress)).toEqual(
			all({ by: "pod-2", saw: "outside" }),
		);
	});

	it("carries a Service that is handed to it by label whole, and kube-proxy none of it", async () => {
		const service = await balanced(["pod-2"], {
			labels: { "service.kubernetes.io/service-proxy-name": "fairlead.dev" },
		});
		await startAgent();
		expect(await answers("pod-1", service.clusterIPs)).toEqual(
			all({ by: "pod-2", saw: "pod-1" }),
		);
		const node = {
			IPv4: world.addressOf("node", "IPv4"),
			IPv6: world.addressOf("node", "IPv6"),
		};
		expect(await answers("outside", node, service.nodePorts)).toEqual(
			all({ by: "pod-2", saw: "node" }),
		);
		expect(listed("kube-proxy")).not.toContain(service.name);
	});

	it("keeps flows of UDP through kube-proxy's syncs", async () => {
		const service = await balanced(["pod-1", "pod-2", "pod-3"]);
		// What it wrote after the flows began could end them.
		for (const pod of ["pod-1", "pod-2", "pod-3"] as const)
			await kubeProxyLeads(service, pod);
		await startAgent();
		const flows = Array.from({ length: 24 }, (_, number) =>
			world.converse(
				"outside",
				"UDP",
				service.ingress[families[number % 2] as IPFamily],
				80,
			),
		);
		const say = () => Promise.all(flows.map((flow) => flow.say()));
		const first = await say();
		// All three have some: a flow that is led anew could end elsewhere.
		expect(new Set(first.map(by)).size).toBeGreaterThan(1);
		for (let change = 0; change < 3; change++) {
			const other = await balanced(["pod-1"]);
			await kubeProxyLeads(other, "pod-1");
			expect(await say()).toEqual(first);
		}
		for (const flow of flows) flow.close();
	});

	it("that is killed for good gives way to kube-proxy, whose rules go on being true; connections live on, and the next agent takes over", async () => {
		const service = await balanced(["pod-1"]);
		await kubeProxyLeads(service, "pod-1");
		const agent = await startAgent();
		const held = families.map((family) =>
			world.converse("outside", "TCP", service.ingress[family], 80),
		);
		const say = () => Promise.all(held.map((each) => each.say()));
		const first = Array<Answer>(2).fill({ by: "pod-1", saw: "node" });
		expect(await say()).toEqual(first);
		await agent.process.kill("SIGKILL");
		await move(service, ["pod-2"]);
		await kubeProxyLeads(service, "pod-2");
		await eventually(
			() => answers("outside", service.ingress),
			(heard) => expect(heard).toEqual(all({ by: "pod-2", saw: "node" })),
			30_000,
		);
		expect(await say()).toEqual(first);
		await startAgent();
		holdKubeProxy();
		await move(service, ["pod-3"]);
		await eventually(
			() => answers("outside", service.ingress),
			(heard) => expect(heard).toEqual(all({ by: "pod-3", saw: "node" })),
		);
		expect(await say()).toEqual(first);
		for (const each of held) each.close();
	});

	it("reports that it programs balancers", async () => {
		await startAgent();
		const lease = await eventually(
			() =>
				client.get<Lease>(resources.leases, {
					namespace: "fairlead-system",
					name: `fairlead-agent-${nodeName}`,
				}),
			(found) => expect(reportOf(found)?.reached).toBeDefined(),
		);
		expect(reportOf(lease)).toMatchObject({ rules: "balancers" });
	});
});

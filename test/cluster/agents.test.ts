import { readFile } from "node:fs/promises";
import { jest } from "@jest/globals";
import type { EndpointSlice, Lease, Service } from "../../operator/api/core.ts";
import { objectKey } from "../../operator/api/meta.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { Store } from "../../operator/cluster/index.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { Reflector } from "../../operator/cluster/reflector.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { reportOf } from "../../operator/model/agent-report.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import { adminClient, ReportingNode } from "../support/reporting-node.ts";
import { furnishStaticClass } from "../support/static-class.ts";

jest.setTimeout(120_000);

let cluster: Cluster;
let client: KubeClient;
let controller: Fairlead;
let watched: Reflector<Service>;
const nodes: ReportingNode[] = [];
/** Of every Service as it went by. */
const services = new Store<Service>({ clock: systemClock, log: quietLog() });

beforeAll(async () => {
	cluster = await startCluster();
	client = adminClient(cluster);
	await furnishStaticClass(cluster, ["192.0.2.0/24"]);
	for (const name of ["node-1", "node-2", "node-3"])
		nodes.push(await ReportingNode.start(cluster, name));
	for (const { name } of nodes) await report(name);
	watched = new Reflector<Service>({
		client,
		resource: resources.services,
		store: services,
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
	});
	watched.start();
	await watched.synced;
	controller = new Fairlead([
		...["controller", "--kubeconfig", cluster.kubeconfigPath],
		...["--metrics-port", "0", "--no-leader-elect"],
	]);
	await controller.logged(({ msg }) => msg.startsWith("leads:"));
});
afterAll(async () => {
	await controller?.kill("SIGTERM");
	await watched?.stop();
	for (const node of nodes) await node.stop();
	client?.close();
	await cluster?.stop();
});
afterEach(() => {
	for (const { backend } of nodes) backend.refuses = () => undefined;
});

/** What the node's Lease says, once there is one. */
const report = (node: string) =>
	eventually(
		async () =>
			reportOf(
				await client.get<Lease>(resources.leases, {
					namespace: "fairlead-system",
					name: `fairlead-agent-${node}`,
				}),
			),
		(said) => expect(said?.reached).toBeDefined(),
	);

async function create(name: string, port = 80): Promise<void> {
	await client.create<Service>(resources.services, {
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace: "default", name },
		spec: {
			type: "LoadBalancer",
			allocateLoadBalancerNodePorts: false,
			ports: [{ name: "http", port }],
		},
	});
	await endpoints(name, ["10.244.1.2"]);
}

async function endpoints(service: string, addresses: string[]): Promise<void> {
	const slice: EndpointSlice = {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			namespace: "default",
			name: service,
			labels: { "kubernetes.io/service-name": service },
		},
		addressType: "IPv4",
		endpoints: addresses.map((address) => ({ addresses: [address] })),
		ports: [{ name: "http", port: 8080 }],
	};
	const ref = { namespace: "default", name: service };
	await client.patch(resources.endpointSlices, ref, {
		type: "apply",
		body: slice,
		fieldManager: "test",
	});
}

const programmed = (service: Service | undefined): string => {
	const found = service?.status?.conditions?.find(
		({ type }) => type === conditions.programmed,
	);
	return found ? `${found.status}/${found.reason}: ${found.message}` : "unsaid";
};
const shown = (service: Service | undefined): string[] =>
	(service?.status?.loadBalancer?.ingress ?? []).map(({ ip = "" }) => ip);
const now = (name: string) => services.get(`default/${name}`);
const all =
	"True/Programmed: every ready node with a Fairlead agent has it in its rules";

/** The Service as it stays: served by all nodes, and its endpoints noticed, which may come after. */
const settled = (name: string) =>
	eventually(
		() => now(name),
		(service) => {
			expect(programmed(service)).toBe(all);
			expect(shown(service)).toHaveLength(1);
			expect(service?.status?.conditions).toContainEqual(
				expect.objectContaining({
					type: conditions.serving,
					reason: "EndpointsReady",
				}),
			);
		},
	);

test("the agents' Leases are found as the page about agents says, and go with their Nodes", async () => {
	const page = await readFile(
		new URL("../../docs/reference/agents.md", import.meta.url),
		"utf8",
	);
	const [, command = ""] = /```\nkubectl (.+)\n```/.exec(page) ?? [];
	const { stdout } = await cluster.kubectl([
		...command.split(" "),
		'--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.ownerReferences[0].kind}/{.metadata.ownerReferences[0].name}{"\\n"}{end}',
	]);
	expect(stdout).toBe(
		nodes.map(({ name }) => `fairlead-agent-${name} Node/${name}\n`).join(""),
	);
});

test("ingress is shown when the rules of every node carry the address, and not before", async () => {
	const early: string[] = [];
	const undo = services.onChange(({ object }) => {
		for (const address of shown(object))
			for (const node of nodes)
				if (!node.carries(address))
					early.push(`${objectKey(object)}: ${node.name} lacks ${address}`);
	});
	const names = Array.from({ length: 30 }, (_, each) => `many-${each}`);
	await Promise.all(names.map((name) => create(name)));
	for (const name of names)
		await eventually(
			() => now(name),
			(service) => {
				expect(shown(service)).toHaveLength(1);
				expect(programmed(service)).toBe(all);
			},
		);
	undo();
	expect(early).toEqual([]);
	const addresses = names.flatMap((name) => shown(now(name)));
	expect(new Set(addresses).size).toBe(names.length);
});

test("a node whose rules cannot be written is waited for, then named while the others serve, and counts again when it can", async () => {
	const [first, second] = nodes;
	if (!first || !second) throw new Error("no nodes");
	second.backend.refuses = () => "the kernel is busy";
	await create("slow");
	const early: string[] = [];
	const undo = services.onChange(({ object }) => {
		if (object.metadata.name === "slow" && shown(object).length > 0)
			early.push(programmed(object));
	});
	const lagging = await eventually(
		() => now("slow"),
		(service) => expect(shown(service)).toHaveLength(1),
	);
	expect(early[0]).toBe(
		"False/NodesLagging: not in the rules of node node-2 after 10 s; look at the agents there",
	);
	const [address = ""] = shown(lagging);
	expect([first.carries(address), second.carries(address)]).toEqual([
		true,
		false,
	]);
	second.backend.refuses = () => undefined;
	await eventually(
		() => now("slow"),
		(service) => expect(programmed(service)).toBe(all),
		60_000,
	);
	undo();
	expect(second.carries(address)).toBe(true);
});

test("a Service that one kernel refuses names that node and what it said, and the others serve it", async () => {
	const [, , third] = nodes;
	if (!third) throw new Error("no nodes");
	third.backend.refuses = ({ frontends }) =>
		[...frontends.values()].some(({ port }) => port === 7777)
			? "no room for port 7777"
			: undefined;
	await create("refused", 7777);
	await create("beside-it");
	await eventually(
		() => now("refused"),
		(service) => {
			expect(programmed(service)).toBe(
				"False/RefusedByNodes: node node-3 refuses it: no room for port 7777",
			);
			expect(shown(service)).toHaveLength(1);
		},
	);
	await eventually(
		() => now("beside-it"),
		(service) => expect(programmed(service)).toBe(all),
	);
	third.backend.refuses = () => undefined;
	// Nothing but a change of the Service makes the kernel be asked again at once.
	await endpoints("refused", ["10.244.1.3"]);
	await eventually(
		() => now("refused"),
		(service) => expect(programmed(service)).toBe(all),
	);
});

test("endpoints that come and go and a node that joins write nothing to a Service, and a report at most once a second", async () => {
	await create("steady");
	const before = await settled("steady");
	const written: string[] = [];
	const leases = new Store<Lease>({ clock: systemClock, log: quietLog() });
	leases.onChange(({ object }) => {
		if (object.metadata.name === "fairlead-agent-node-1")
			written.push(object.metadata.resourceVersion ?? "");
	});
	const watch = new Reflector<Lease>({
		client,
		resource: resources.leases,
		namespace: "fairlead-system",
		store: leases,
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
	});
	watch.start();
	await watch.synced;
	const began = performance.now();
	for (let each = 0; each < 100; each++)
		await endpoints("steady", [`10.244.1.${each + 2}`]);
	const joined = await ReportingNode.start(cluster, "node-4");
	nodes.push(joined);
	await report("node-4");
	const last = services.resourceVersion ?? "";
	const said = await eventually(
		() => report("node-1"),
		(found) =>
			expect(Number(found?.reached?.services)).toBeGreaterThanOrEqual(
				Number(last),
			),
	);
	const seconds = (performance.now() - began) / 1_000;
	await watch.stop();
	expect(said?.rules).toBe("full");
	// What was there when the watch began is told as well.
	expect(written.length - 1).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
	expect(now("steady")?.metadata.resourceVersion).toBe(
		before?.metadata.resourceVersion,
	);
});

test("an API server that is killed and comes back changes nothing said, and agents report on", async () => {
	await create("lasting");
	const before = await settled("lasting");
	await cluster.restartApiServer("SIGKILL");
	await create("later");
	const later = await eventually(
		() => now("later"),
		(service) => expect(programmed(service)).toBe(all),
		60_000,
	);
	expect(assignmentOf(later as Service)?.addresses).toEqual(shown(later));
	expect(later?.metadata.annotations).toHaveProperty([annotations.assigned]);
	expect(now("lasting")?.status).toEqual(before?.status);
});

test("with the last agent gone, ingress is no longer waited for, and Programmed says that nobody reports", async () => {
	for (const node of nodes.splice(0)) {
		await node.stop();
		await client.delete(resources.leases, {
			namespace: "fairlead-system",
			name: `fairlead-agent-${node.name}`,
		});
	}
	await create("alone");
	await eventually(
		() => now("alone"),
		(service) => {
			expect(shown(service)).toHaveLength(1);
			expect(programmed(service)).toMatch(/^Unknown\/NoAgents: /);
		},
	);
	await eventually(
		() => now("many-0"),
		(service) => expect(programmed(service)).toMatch(/^Unknown\/NoAgents: /),
	);
	expect(shown(now("many-0"))).toHaveLength(1);
});

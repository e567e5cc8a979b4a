import { readFile } from "node:fs/promises";
import { jest } from "@jest/globals";
import type { Service, ServicePort } from "../../operator/api/core.ts";
import { annotations, finalizers } from "../../operator/api/names.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { parsePortRange } from "../../operator/model/nodeports/port-range.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import {
	home,
	NodePortsWorld,
	shownCondition,
	shownPorts,
} from "../support/node-ports-world.ts";

jest.setTimeout(180_000);

let world: NodePortsWorld;
beforeAll(async () => {
	world = await NodePortsWorld.start();
});
afterAll(() => world?.stop());
afterEach(() => world.clean());

// Every test asks for ports of its own: one that fails may leave some allocated to nobody.
const web: ServicePort = { name: "web", port: 80 };
const tls: ServicePort = { name: "tls", port: 443 };
const dns: ServicePort[] = [
	{ name: "dns", port: 53, protocol: "UDP" },
	{ name: "dns-tcp", port: 53, protocol: "TCP" },
];
const asks = (value: string) => ({
	annotations: { [annotations.nodePorts]: value },
});
const labelled = (team: string) => ({ labels: { team } });
const of = (team: string) => ({
	serviceSelector: { matchLabels: { team } },
});

describe("with the controller", () => {
	beforeAll(() => world.startController());
	afterAll(() => world.stopController());

	describe("a Service gets the NodePorts it should have", () => {
		it.each<
			[string, () => Promise<unknown>, ServicePort[], object, string, string]
		>([
			[
				"those it asks for by name",
				async () => {},
				[web, tls],
				asks("web=30040,tls=30443"),
				"web=30040 tls=30443",
				"True Assigned: web 30040/TCP, tls 30443/TCP (as asked)",
			],
			[
				"those it asks for by number",
				async () => {},
				[{ port: 80 }],
				asks("80/TCP=30041"),
				"80=30041",
				"True Assigned: 80/TCP 30041/TCP (as asked)",
			],
			[
				"one for TCP and UDP of one port",
				async () => {},
				dns,
				asks("dns=30072,dns-tcp=30072"),
				"dns=30072 dns-tcp=30072",
				"True Assigned",
			],
			[
				"the lowest of a pool it names",
				() => world.pool("edge", "30010-30019"),
				[web, tls],
				asks("edge"),
				"web=30010 tls=30011",
				"True Assigned: web 30010/TCP, tls 30011/TCP (NodePortPool edge)",
			],
			[
				"the lowest of a pool that admits it",
				() => world.pool("edge", "30010-30019", of("a")),
				[web, ...dns],
				labelled("a"),
				"web=30010 dns=30011 dns-tcp=30011",
				"True Assigned",
			],
			[
				"those of the first pool by name that admits it",
				async () => {
					await world.pool("b", "30020-30029");
					await world.pool("a", "30010-30019");
				},
				[web],
				{},
				"web=30010",
				"(NodePortPool a)",
			],
			[
				"those of the next pool where the first is full",
				async () => {
					await world.pool("a", "30010");
					await world.pool("b", "30020-30029");
				},
				[web, tls],
				{},
				"web=30020 tls=30021",
				"(NodePortPool b)",
			],
			[
				"those of a pool that placeholders keep",
				async () => {
					await world.pool("high", "31000-31299");
					await eventually(
						() => world.held(),
						(held) => expect(held).toHaveLength(300),
					);
				},
				[web, tls],
				{},
				"web=31000 tls=31001",
				"(NodePortPool high)",
			],
		])("%s", async (_what, before, ports, metadata, expected, says) => {
			await before();
			await world.service("x", { type: "LoadBalancer", ports }, metadata);
			await world.ports("x", expected);
			await world.says("x", says);
		});
	});

	describe("a Service that cannot have them is told why, and keeps what it has", () => {
		let next = 30_050;
		it.each<[string, () => Promise<unknown>, Partial<Service>, string]>([
			[
				"a request nobody can read",
				async () => {},
				{ metadata: { name: "x", ...asks("web:30080") } },
				'False InvalidRequest: annotation fairlead.dev/node-ports "web:30080"',
			],
			[
				"a port it does not have",
				async () => {},
				{ metadata: { name: "x", ...asks("http=30080") } },
				'False InvalidRequest: annotation fairlead.dev/node-ports "http=30080": the Service has no port "http"; it has web',
			],
			[
				"a port outside the range",
				async () => {},
				{ metadata: { name: "x", ...asks("web=80") } },
				"take one of 30000-32767",
			],
			[
				"a pool that does not exist",
				async () => {},
				{ metadata: { name: "x", ...asks("nowhere") } },
				"False UnknownPool",
			],
			[
				"a pool that does not admit it",
				() => world.pool("edge", "30010-30019", of("a")),
				{ metadata: { name: "x", ...asks("edge"), ...labelled("b") } },
				"False NotAdmitted",
			],
			[
				"a pool without room",
				() => world.pool("edge", "30010"),
				{
					metadata: { name: "x", ...asks("edge") },
					spec: { type: "NodePort", ports: [web, tls] },
				},
				"False PoolExhausted: NodePortPool edge (30010) has too few free ports",
			],
			[
				"a pool outside the cluster's NodePorts",
				() => world.pool("low", "20000-20010"),
				{ metadata: { name: "x", ...asks("low") } },
				"False PoolInvalid",
			],
			[
				"a port that a pool keeps from it",
				() => world.pool("edge", "30010-30019", of("a")),
				{ metadata: { name: "x", ...asks("web=30012") } },
				"False PortReserved: port web: NodePort 30012 is kept by NodePortPool edge",
			],
			[
				"a port that another Service has",
				() =>
					world.service("holder", {
						type: "NodePort",
						ports: [{ ...web, nodePort: 30042 }],
					}),
				{ metadata: { name: "x", ...asks("web=30042") } },
				"False PortTaken: port web: NodePort 30042 is held by Service default/holder",
			],
			[
				"a port other than its manifest says",
				async () => {},
				{
					metadata: { name: "x", ...asks("web=30043") },
					spec: {
						type: "NodePort",
						ports: [{ ...web, nodePort: 30070 }],
					},
				},
				"False SetBySomebodyElse: field manager",
			],
			[
				"a type without NodePorts",
				async () => {},
				{
					metadata: { name: "x", ...asks("web=30044") },
					spec: { type: "ClusterIP", ports: [web] },
				},
				"False NoNodePorts",
			],
		])("%s", async (_what, before, { metadata, spec }, says) => {
			await before();
			const { name: _, ...more } = metadata ?? { name: "" };
			const made = await world.service(
				"x",
				spec ?? { type: "NodePort", ports: [web] },
				more,
			);
			await world.says("x", says);
			expect(await world.portsOf("x")).toBe(shownPorts(made));
			// Nobody else is held up.
			const other = next++;
			await world.service(
				"y",
				{ type: "NodePort", ports: [web] },
				asks(`web=${other}`),
			);
			await world.ports("y", `web=${other}`);
		});
	});

	it("a Service that waits for a port gets it when the other lets go", async () => {
		const holder = await world.service("holder", {
			type: "NodePort",
			ports: [{ ...web, nodePort: 30045 }],
		});
		await world.service(
			"x",
			{ type: "NodePort", ports: [web] },
			asks("web=30045"),
		);
		await world.says("x", "PortTaken");
		await world.remove(resources.services, holder);
		await world.ports("x", "web=30045");
		await world.says("x", "True Assigned");
	});

	it("a Service that waits for a pool gets its ports when one leaves, or the pool grows", async () => {
		await world.pool("edge", "30010-30011");
		const spec = { type: "NodePort" as const, ports: [web, tls] };
		const first = await world.service("a", spec, asks("edge"));
		await world.ports("a", "web=30010 tls=30011");
		await world.service("b", spec, asks("edge"));
		await world.service("c", spec, asks("edge"));
		await world.says("b", "PoolExhausted");
		await world.says("c", "PoolExhausted");
		await world.remove(resources.services, first);
		await eventually(
			async () => [await world.portsOf("b"), await world.portsOf("c")],
			(found) => expect(found).toContain("web=30010 tls=30011"),
		);
		await world.kubectl([
			...["patch", "npp", "edge", "--type=merge", "-p"],
			JSON.stringify({ spec: { range: "30010-30013" } }),
		]);
		await eventually(
			async () => [await world.portsOf("b"), await world.portsOf("c")].sort(),
			(found) =>
				expect(found).toEqual(["web=30010 tls=30011", "web=30012 tls=30013"]),
		);
	});

	it("a Service that was there before the pool keeps its ports, unless it asks for the pool", async () => {
		const made = await world.service("old", { type: "NodePort", ports: [web] });
		// Creation times are whole seconds.
		await eventually(
			() => Date.now(),
			(now) =>
				expect(now).toBeGreaterThan(
					Date.parse(made.metadata.creationTimestamp ?? "") + 2_000,
				),
		);
		await world.pool("edge", "30010-30019");
		await world.service("new", { type: "NodePort", ports: [web] });
		await world.ports("new", "web=30010");
		expect(await world.portsOf("old")).toBe(shownPorts(made));
		await world.kubectl([
			"annotate",
			"svc",
			"old",
			`${annotations.nodePorts}=edge`,
		]);
		await world.ports("old", "web=30011");
	});

	it("a Service that is made again gets the ports it had, though lower ones are free by then", async () => {
		await world.pool("edge", "30010-30019");
		const spec = { type: "LoadBalancer" as const, ports: [web] };
		const first = await world.service("a", spec);
		await world.ports("a", "web=30010");
		const second = await world.service("b", spec);
		await world.ports("b", "web=30011");
		await world.remove(resources.services, second);
		await world.remove(resources.services, first);
		await eventually(
			() => world.poolNamed("edge"),
			({ status }) =>
				expect(
					status?.assigned?.map(({ released }) => Boolean(released)),
				).toEqual([true, true]),
		);
		await world.service("b", spec);
		await world.ports("b", "web=30011");
		await world.service("c", spec);
		await world.ports("c", "web=30012");
	});

	it("whoever applied the Service by server-side apply may rename and move its ports afterwards", async () => {
		const manifest = (port: number) =>
			JSON.stringify({
				apiVersion: "v1",
				kind: "Service",
				metadata: { name: "x", namespace: "default", ...asks("web=30046") },
				spec: { type: "LoadBalancer", ports: [{ ...web, port }, ...dns] },
			});
		await world.kubectl(["apply", "--server-side", "-f", "-"], manifest(80));
		await world.says("x", "True Assigned");
		const { metadata } = await world.get("x");
		const { managedFields = [] } = metadata as {
			managedFields?: { manager: string }[];
		};
		expect(managedFields.map(({ manager }) => manager)).not.toContain(
			"fairlead-node-ports",
		);
		await world.kubectl(["apply", "--server-side", "-f", "-"], manifest(8080));
		const { spec } = await world.get("x");
		expect(spec.ports).toContainEqual(
			expect.objectContaining({ name: "web", port: 8080, nodePort: 30046 }),
		);
	});

	it("placeholders hold what is free of a pool outside the static band, and nothing else", async () => {
		await world.service("holder", {
			type: "NodePort",
			ports: [{ ...web, nodePort: 31003 }],
		});
		await world.pool("high", "30080-30089", of("a"));
		await world.pool("higher", "31000-31004", of("a"));
		const expected = [30086, 30087, 30088, 30089, 31000, 31001, 31002, 31004];
		await eventually(
			() => world.held(),
			(held) => expect(held).toEqual(expected),
		);
		await expect(
			world.service("thief", {
				type: "NodePort",
				ports: [{ ...web, nodePort: 31001 }],
			}),
		).rejects.toThrow("provided port is already allocated");
		await world.service(
			"x",
			{ type: "NodePort", ports: [web] },
			{ ...labelled("a"), ...asks("higher") },
		);
		await world.ports("x", "web=31000");
		await eventually(
			() => world.held(),
			(held) => expect(held).toEqual(expected.filter((each) => each !== 31000)),
		);
		const { items } = await world.client.list<Service>(resources.services, {
			namespace: home,
		});
		for (const { metadata, spec } of items) {
			expect(spec.selector).toBeUndefined();
			expect(metadata.labels).toMatchObject({
				"service.kubernetes.io/service-proxy-name": "nobody.fairlead.dev",
			});
		}
		await world.remove(resources.services, await world.get("x"));
		await eventually(
			() => world.held(),
			(held) => expect(held).toEqual(expected),
		);
		await world.remove(
			resources.nodePortPools,
			await world.poolNamed("higher"),
		);
		await eventually(
			() => world.held(),
			(held) => expect(held).toEqual([30086, 30087, 30088, 30089]),
		);
	});

	it("a placeholder that somebody deletes comes back", async () => {
		await world.pool("high", "31000-31004", of("a"));
		await eventually(
			() => world.held(),
			(held) => expect(held).toHaveLength(5),
		);
		await world.kubectl(["-n", home, "delete", "svc", "--all"]);
		await eventually(
			() => world.held(),
			(held) => expect(held).toHaveLength(5),
		);
	});

	it("a pool says how many of its ports are used, and who holds some without being admitted", async () => {
		await world.service("stranger", {
			type: "NodePort",
			ports: [{ ...web, nodePort: 30012 }],
		});
		await world.pool("edge", "30010-30019", of("a"));
		await world.service("x", { type: "NodePort", ports: [web] }, labelled("a"));
		await eventually(
			() => world.poolNamed("edge"),
			({ status }) =>
				expect(status).toMatchObject({
					used: 2,
					free: 8,
					assigned: [{ service: "default/x", ports: { web: 30010 } }],
					conflicts: [
						{
							port: 30012,
							protocol: "TCP",
							kind: "OtherService",
							holder: "Service default/stranger",
						},
					],
				}),
		);
		expect(await world.kubectl(["get", "npp", "edge"])).toMatch(
			/edge +30010-30019 +2 +8 +True/,
		);
		const metrics = await world.metrics.metrics();
		expect(metrics).toContain('fairlead_controller_node_ports{state="used"} 2');
		expect(metrics).toContain(
			'fairlead_controller_node_ports{state="reserved"} 8',
		);
		expect(metrics).toContain(
			'fairlead_controller_node_ports{state="free"} 2758',
		);
	});

	it("what agents report is avoided by pools, said of Services that clash, and unsaid when it is gone", async () => {
		await world.service("clash", {
			type: "NodePort",
			ports: [{ ...web, nodePort: 30047 }],
		});
		await world.report("n1", {
			ephemeral: [32_000, 60_999],
			listening: [{ port: 30010, protocol: "TCP", process: "sshd" }],
			hostPorts: [{ port: 30047, protocol: "TCP", pod: "kube-system/proxy" }],
		});
		await world.says(
			"clash",
			"False HostPort: traffic to this NodePort may not arrive: pod kube-system/proxy on node n1 has 30047/TCP as hostPort",
		);
		await world.pool("edge", "30010-30019");
		await world.pool("late", "31990-32009", of("nobody"));
		await world.service("x", { type: "NodePort", ports: [web] }, asks("edge"));
		await world.ports("x", "web=30011");
		await eventually(
			async () => [
				(await world.poolNamed("edge")).status?.conflicts,
				(await world.poolNamed("late")).status?.conflicts,
			],
			(found) =>
				expect(found).toEqual([
					[
						{
							port: 30010,
							protocol: "TCP",
							kind: "ListeningSocket",
							node: "n1",
							holder: "process sshd",
						},
					],
					[
						expect.objectContaining({
							port: 32_000,
							kind: "EphemeralRange",
							node: "n1",
						}),
					],
				]),
		);
		await world.report("n1", {});
		await world.says("clash", "nothing");
	});

	it("a class whose provider needs NodePorts says that it cannot release them", async () => {
		await world.class("cloud", {
			provider: "HetznerCloud",
			nodePorts: "Release",
			hetznerCloud: {
				endpoint: "http://127.0.0.1:9/v1",
				location: "fsn1",
				tokenSecretRef: { namespace: home, name: "none" },
			},
		});
		await world.class("lan", { nodePorts: "Release" });
		const released = (name: string) =>
			world.kubectl([
				...["get", "bc", name, "-o"],
				'jsonpath={.status.conditions[?(@.type=="NodePortsReleased")].reason}',
			]);
		await eventually(
			async () => [await released("cloud"), await released("lan")],
			(found) => expect(found).toEqual(["ProviderNeedsNodePorts", "Released"]),
		);
	});

	describe("a Service of a class that releases", () => {
		beforeEach(() => world.class("lan", { nodePorts: "Release" }));
		const spec = (more: object = {}) => ({
			type: "LoadBalancer" as const,
			loadBalancerClass: "fairlead.dev/lan",
			ports: [web, ...dns],
			...more,
		});

		it("gives back the NodePorts it has", async () => {
			await world.service("x", spec());
			await world.ports("x", "web=0 dns=0 dns-tcp=0");
			const released = await world.get("x");
			expect(released.spec.allocateLoadBalancerNodePorts).toBe(false);
			expect(shownCondition(released)).toBe("nothing");
		});

		it.each<[string, object, object, string]>([
			[
				"it is told to keep them",
				{ annotations: { [annotations.releaseNodePorts]: "Keep" } },
				{},
				"nothing",
			],
			["it asks for some", asks("web=30048"), {}, "True Assigned"],
			[
				"its manifest names one",
				{},
				{ ports: [{ ...web, nodePort: 30071 }] },
				"False KeptByManifest: its class releases NodePorts, but test set a nodePort",
			],
		])("keeps them where %s", async (_why, metadata, more, says) => {
			await world.service("x", spec(more), metadata);
			// A Service that came later is done, so this one was looked at.
			await world.service("later", spec());
			await world.ports("later", "web=0 dns=0 dns-tcp=0");
			await world.says("x", says);
			expect(await world.portsOf("x")).toMatch(/^web=3/);
		});

		it("keeps them where server-side apply says that it allocates", async () => {
			await world.kubectl(
				["apply", "--server-side", "-f", "-"],
				JSON.stringify({
					apiVersion: "v1",
					kind: "Service",
					metadata: { name: "x", namespace: "default" },
					spec: spec({ allocateLoadBalancerNodePorts: true }),
				}),
			);
			await world.says(
				"x",
				"False KeptByManifest: its class releases NodePorts, but kubectl applied allocateLoadBalancerNodePorts",
			);
		});

		it("is left alone once somebody has put them back three times", async () => {
			await world.service("x", spec());
			const putBack = async () => {
				await world.ports("x", "web=0 dns=0 dns-tcp=0");
				await world.kubectl([
					...["patch", "svc", "x", "--type=merge", "-p"],
					JSON.stringify({ spec: { allocateLoadBalancerNodePorts: true } }),
				]);
			};
			for (let time = 0; time < 3; time++) await putBack();
			await world.says("x", "False Contested");
			expect(await world.portsOf("x")).toMatch(/^web=3/);
		});
	});
});

it("ports survive a controller that is killed: same names, same ports, whoever is made first", async () => {
	const controller = () =>
		new Fairlead([
			...["controller", "--kubeconfig", world.cluster.kubeconfigPath],
			...["--namespace", home, "--metrics-port", "0", "--no-leader-elect"],
		]);
	await world.pool("edge", "30080-30099");
	const spec = { type: "LoadBalancer" as const, ports: [web, ...dns] };
	const names = ["a", "b", "c"];
	const first = controller();
	for (const name of names) await world.service(name, spec);
	const had = new Map<string, string>();
	for (const name of names) {
		await world.says(name, "True Assigned");
		had.set(name, await world.portsOf(name));
	}
	await first.kill("SIGKILL");
	for (const name of names)
		await world.remove(resources.services, await world.get(name));
	for (const name of [...names].reverse()) await world.service(name, spec);
	const second = controller();
	for (const name of names) await world.ports(name, had.get(name) ?? "");
	expect(new Set(had.values()).size).toBe(3);
	await second.kill("SIGTERM");
});

describe("the API server", () => {
	it.each<[string, string, string | undefined]>([
		["a range", "30000-30063", undefined],
		["one port", "30000", undefined],
		["blanks around the hyphen", "30000 - 30063", undefined],
		["every port there is", "1-65535", undefined],
		["nothing", "", "spec.range"],
		["a word", "edge", "must be a range of ports such as 30000-30063"],
		["port 0", "0-10", "must be a range of ports such as"],
		["a port above 65535", "30000-65536", "must not hold ports above 65535"],
		["ends the wrong way round", "30001-30000", "swap the two"],
		["two ranges", "30000-30001,30005", "must be a range of ports such as"],
	])("judges %s: %j", async (_what, range, refusal) => {
		const made = world.pool("judged", range);
		if (refusal === undefined) await made;
		else await expect(made).rejects.toThrow(refusal);
		expect(parsePortRange(range) !== undefined).toBe(refusal === undefined);
	});

	it("refuses a pool whose name would read as a port", async () => {
		await expect(world.pool("30080", "30080")).rejects.toThrow(
			"metadata.name must not be a number",
		);
	});
});

describe("fairlead nodeports", () => {
	const run = async (...args: string[]) => {
		const asked = new Fairlead([
			"nodeports",
			...["--kubeconfig", world.cluster.kubeconfigPath],
			...args,
		]);
		const { code } = await asked.ended;
		return { code, out: asked.out, log: asked.log };
	};

	it("says who holds which port, what pools keep, and which pods' hostPorts clash, with nothing but a kubeconfig", async () => {
		await world.pool("edge", "30010-30019", of("a"));
		await world.service("front", {
			type: "NodePort",
			ports: dns.map((port) => ({ ...port, nodePort: 30053 })),
		});
		await world.service("stranger", {
			type: "NodePort",
			ports: [{ ...web, nodePort: 30012 }],
		});
		const pod = {
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name: "host", namespace: "default" },
			spec: {
				nodeName: "n1",
				containers: [
					{
						name: "c",
						image: "none",
						ports: [{ containerPort: 53, hostPort: 30053, protocol: "UDP" }],
					},
				],
			},
		};
		await world.kubectl(["apply", "-f", "-"], JSON.stringify(pod));
		const { code, out } = await run();
		// The page shows what the command prints.
		const page = await readFile(
			new URL("../../docs/reference/node-ports.md", import.meta.url),
			"utf8",
		);
		expect(page).toContain(
			`$ fairlead nodeports\n${out.slice(0, -2).join("\n")}\n\`\`\``,
		);
		expect({ code, out }).toEqual({
			code: 0,
			out: [
				"30000-32767, static band 30000-30085: 2 of 2768 NodePorts used, 9 kept by pools, 2757 free",
				"",
				"NodePorts",
				"NODEPORT  PROTOCOL  SERVICE           PORT",
				"30012     TCP       default/stranger  web",
				"30053     TCP       default/front     dns-tcp",
				"30053     UDP       default/front     dns",
				"",
				"Pools",
				"POOL  RANGE        USED  FREE  PROBLEMS",
				"edge  30010-30019  1     9     none",
				"",
				"Conflicts",
				"NODEPORT   KIND          WHO",
				"30053/UDP  HostPort      pod default/host on node n1 has 30053/UDP as hostPort",
				"30012/TCP  OtherService  Service default/stranger holds 30012/TCP",
				"",
				"No agent reports its node's ports: conflicts are of hostPorts alone, not of other processes or the ephemeral range.",
			],
		});
		await world.report("n1", {
			listening: [{ port: 30053, protocol: "TCP", process: "named" }],
		});
		const json = await run("-o", "json");
		expect(JSON.parse(json.out.join("\n"))).toMatchObject({
			used: 2,
			reserved: 9,
			free: 2757,
			conflictsFrom: "agents",
			conflicts: [
				{ port: 30053, protocol: "TCP", kind: "ListeningSocket", node: "n1" },
				{ port: 30012, kind: "OtherService" },
			],
		});
		await world.kubectl(["delete", "pod", "host", "--force"]);
	});

	it("says which range it was given that is none", async () => {
		const { code, log } = await run("--node-port-range", "many");
		expect(code).toBe(2);
		expect(log[0]?.msg).toContain(
			'--node-port-range "many": must be a range of two or more ports within 1 to 65535, for instance 30000-32767',
		);
	});
});

describe("the admission policy", () => {
	beforeAll(async () => {
		await world.applyReleasePolicy();
	});

	const made = async (
		spec: Service["spec"],
		metadata: Partial<Service["metadata"]> = {},
	): Promise<boolean | undefined> => {
		const answer = await world.kubectl(
			["create", "--dry-run=server", "-o", "json", "-f", "-"],
			JSON.stringify({
				apiVersion: "v1",
				kind: "Service",
				metadata: { ...metadata, name: "x", namespace: "default" },
				spec,
			}),
		);
		return (JSON.parse(answer) as Service).spec.allocateLoadBalancerNodePorts;
	};
	const inForce = () =>
		eventually(
			() =>
				made({
					type: "LoadBalancer",
					loadBalancerClass: "fairlead.dev/lan",
					ports: [web],
				}),
			(allocate) => expect(allocate).toBe(false),
		);

	it("turns allocation off for Services of classes that release, and for no others", async () => {
		await world.class("lan", { nodePorts: "Release" });
		await world.class("wide", { nodePorts: "Keep" });
		await world.class("cloud", {
			provider: "HetznerCloud",
			nodePorts: "Release",
			hetznerCloud: {
				location: "fsn1",
				tokenSecretRef: { namespace: home, name: "none" },
			},
		});
		await inForce();
		const row = (
			loadBalancerClass: string | undefined,
			metadata: Partial<Service["metadata"]> = {},
			port: Partial<ServicePort> = {},
		) =>
			made(
				{
					type: "LoadBalancer",
					...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
					ports: [{ ...web, ...port }],
				},
				metadata,
			);
		const keep = { annotations: { [annotations.releaseNodePorts]: "Keep" } };
		const lan = "fairlead.dev/lan";
		expect({
			"class that releases": await row(lan),
			"other annotations": await row(lan, { annotations: { a: "b" } }),
			"class that keeps": await row("fairlead.dev/wide"),
			"class whose provider needs them": await row("fairlead.dev/cloud"),
			"class of somebody else": await row("example.com/lan"),
			"no class, no default": await row(undefined),
			"told to keep": await row(lan, keep),
			"asks for some": await row(lan, asks("web=30049")),
			"names one": await row(lan, {}, { nodePort: 30049 }),
			"no balancer": await made({ type: "NodePort", ports: [web] }),
		}).toEqual({
			"class that releases": false,
			"other annotations": false,
			"class that keeps": true,
			"class whose provider needs them": true,
			"class of somebody else": true,
			"no class, no default": true,
			"told to keep": true,
			"asks for some": true,
			"names one": true,
			"no balancer": undefined,
		});
	});

	it("turns it off for class-less Services where the default class releases", async () => {
		await world.class("lan", { nodePorts: "Release", default: true });
		await inForce();
		await eventually(
			() => made({ type: "LoadBalancer", ports: [web] }),
			(allocate) => expect(allocate).toBe(false),
		);
	});

	it("turns it off where a Service becomes a balancer", async () => {
		await world.class("lan", { nodePorts: "Release" });
		await inForce();
		await world.service("x", { type: "ClusterIP", ports: [web] });
		await world.kubectl([
			...["patch", "svc", "x", "--type=merge", "-p"],
			JSON.stringify({
				spec: {
					type: "LoadBalancer",
					loadBalancerClass: "fairlead.dev/lan",
				},
			}),
		]);
		expect(await world.portsOf("x")).toBe("web=0");
	});

	it("lets 1,400 two-port Services in, more than the range has NodePorts for, and none of them takes one", async () => {
		await world.class("lan", { nodePorts: "Release" });
		await inForce();
		let next = 0;
		const worker = async () => {
			while (next < 1_400)
				await world.service(`many-${next++}`, {
					type: "LoadBalancer",
					loadBalancerClass: "fairlead.dev/lan",
					ports: [web, tls],
				});
		};
		await Promise.all(Array.from({ length: 16 }, worker));
		const { items } = await world.client.list<Service>(resources.services, {
			namespace: "default",
			limit: 2_000,
		});
		const many = items.filter(({ metadata }) =>
			metadata.name.startsWith("many"),
		);
		expect(many).toHaveLength(1_400);
		expect(
			many.filter(({ spec }) => spec.ports?.some(({ nodePort }) => nodePort)),
		).toEqual([]);
		expect(
			many.filter(({ metadata }) =>
				metadata.finalizers?.includes(finalizers.classed),
			),
		).toEqual([]);
	});
});

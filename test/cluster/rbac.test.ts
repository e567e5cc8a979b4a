import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import {
	type KubeClient,
	type Ref,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { setLink } from "../../operator/kernel/links.ts";
import { carryOutIn } from "../../operator/kernel/rtnetlink.ts";
import { listenIn } from "../../operator/kernel/sockets.ts";
import {
	type ApiInNamespace,
	apiInNamespace,
} from "../support/api-in-namespace.ts";
import { chart, ChartPods, helm } from "../support/chart.ts";
import { eventually } from "../support/eventually.ts";
import type { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import {
	auditPolicyFor,
	excessOf,
	grantsOf,
	lackOf,
	type Use,
	usesIn,
} from "../support/rbac.ts";
import { World } from "../support/world.ts";

jest.setTimeout(180_000);

const namespace = "fairlead-system";
const account = (name: string) => `system:serviceaccount:${namespace}:${name}`;
const user = account("fairlead");
/** Of the agents that carry Services, of those that check kube-proxy's rules, and of those that leave the rules alone. */
const agents = {
	full: "fairlead-agent",
	audit: "checking-agent",
	off: "idle-agent",
};

const values = {
	controller: { auditSchedule: "* * * * * *" },
	tokenSecrets: [{ namespace: "kube-system", names: ["cloud-token"] }],
	balancerClasses: { lab: { provider: "Static" } },
	addressPools: { lab: { addresses: ["192.0.2.0/24"], classes: ["lab"] } },
};

let folder: string;
let world: World;
let pods: ChartPods;
let admin: KubeClient;

const auditLog = () => join(folder, "audit.log");
const usesOf = async (who: string) =>
	(await usesIn(auditLog())).filter((use) => use.user === who);
const uses = () => usesOf(user);
const kubectl = (...args: string[]) => world.kubectl(...args);
const used = async (verb: string, resource: string): Promise<Use[]> =>
	(await uses()).filter(
		(use) => use.verb === verb && use.resource === resource,
	);

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-audit-"));
	await writeFile(
		join(folder, "policy.json"),
		auditPolicyFor([user, ...Object.values(agents).map(account)]),
	);
	world = await World.start({
		apiServerArgs: [
			`--audit-policy-file=${join(folder, "policy.json")}`,
			`--audit-log-path=${auditLog()}`,
			// Lists are what the controller falls back to: an older API server has it list every kind.
			"--feature-gates=WatchList=false",
		],
	});
	pods = new ChartPods(world.cluster);
	admin = createKubeClient(
		await loadConnection({
			path: world.cluster.kubeconfigPath,
			clock: systemClock,
			log: quietLog(),
		}),
		{ clock: systemClock, log: quietLog(), userAgent: "test" },
	);
	const { code, stderr } = await helm(
		world.cluster,
		[
			...["install", "fairlead", chart, "-n", namespace],
			...["--create-namespace", "--values", "-"],
		],
		JSON.stringify(values),
	);
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	await kubectl("create", "namespace", "team");
});
afterAll(async () => {
	await pods?.stop();
	admin?.close();
	await world?.stop();
	await rm(folder, { recursive: true, force: true });
});

/**
 * Writes a label of the object as fast as the server takes it, so that what the controller has read is old by the time it
 * writes, and calls `provoke` in between, until the controller has read the object again.
 */
async function jostle(
	resource: Resource,
	ref: Ref,
	provoke: (round: number) => Promise<unknown>,
): Promise<void> {
	const name = `${resource.group}/${resource.plural}`;
	const reads = async () =>
		(await used("get", name)).filter(
			(use) => use.name === ref.name && use.namespace === ref.namespace,
		).length;
	// It may have been jostled by an earlier row's way of going on.
	const before = await reads();
	const read = async () => (await reads()) > before;
	let done = false;
	const push = async (side: number) => {
		for (let at = 0; !done; at++)
			await admin.patch(resource, ref, {
				type: "merge",
				body: { metadata: { labels: { jostled: `${side}-${at}` } } },
			});
	};
	const pushing = Promise.all([push(0), push(1), push(2)]);
	try {
		for (let round = 0; !(await read()); round++) {
			if (round === 30) throw new Error(`${name} was never read again`);
			await provoke(round);
			const end = performance.now() + 2_000;
			while (!(await read()) && performance.now() < end)
				await new Promise((resolve) => setTimeout(resolve, 25));
		}
	} finally {
		done = true;
		await pushing;
	}
}

const wipe = (resource: Resource, ref: Ref) =>
	admin.patch<KubeObject>(
		resource,
		{ ...ref, subresource: "status" },
		{ type: "merge", body: { status: null } },
	);
const lab = { loadBalancerClass: "fairlead.dev/lab" };
const gone = (what: string) =>
	kubectl("wait", "--for=delete", what, "--timeout=20s");

/** Everything there is for the controller to do; each row ends when its effect is there to see. */
const life: [string, () => Promise<unknown>][] = [
	[
		"takes the Lease, and stands by for it",
		async () => {
			for (const address of ["127.0.32.1", "127.0.32.2"]) {
				await pods.start(namespace, "fairlead", address);
				await eventually(
					async () => (await fetch(`http://${address}:9090/readyz`)).text(),
					(text) => expect(text).toBe("ok\n"),
				);
			}
		},
	],
	[
		"gives Services of a Static class their addresses, in two namespaces",
		async () => {
			await world.service("here", lab);
			await world.service("there", lab, "team");
			await world.address("here");
			await world.address("there", "team");
		},
	],
	[
		"makes a balancer in a cloud with the token of a Secret, and follows its Service",
		async () => {
			await world.furnish();
			await world.service("web");
			await world.address("web");
			await world.service("web", { ports: [{ name: "alt", port: 8080 }] });
			await eventually(
				() => world.balancers(),
				([balancer]) => expect(balancer?.services[0]?.listen_port).toBe(8080),
			);
		},
	],
	[
		"says the same thing of a Service once more, in two namespaces",
		async () => {
			for (const where of ["default", "team"]) {
				const patched = async () =>
					(await used("patch", "events.k8s.io/events")).some(
						(use) => use.namespace === where,
					);
				for (let round = 0; !(await patched()); round++) {
					expect(round).toBeLessThan(20);
					await world.service("again", {}, where);
					await world.address("again", where);
					await world.service("again", { type: "ClusterIP" }, where);
					await eventually(
						() => world.get("again", where),
						(found) => expect(found.metadata.finalizers ?? []).toEqual([]),
					);
				}
			}
		},
	],
	[
		"reads a Service again that somebody else wrote first",
		() =>
			jostle(resources.services, { namespace: "default", name: "here" }, () =>
				wipe(resources.services, { namespace: "default", name: "here" }),
			),
	],
	[
		"reads another namespace's Service again, too",
		() =>
			jostle(resources.services, { namespace: "team", name: "there" }, () =>
				wipe(resources.services, { namespace: "team", name: "there" }),
			),
	],
	[
		"reads a pool again that somebody else wrote first",
		() =>
			jostle(resources.addressPools, { name: "lab" }, (round) =>
				world.service(`count-${round}`, lab),
			),
	],
	[
		"keeps reservations, in two namespaces, and reads one again that somebody else wrote first",
		async () => {
			for (const [at, where] of ["default", "team"].entries()) {
				await world.apply("-", {
					apiVersion: "fairlead.dev/v1alpha1",
					kind: "AddressReservation",
					metadata: { namespace: where, name: "kept" },
					spec: { pool: "lab", addresses: [`192.0.2.${100 + at}`] },
				});
				const ref = { namespace: where, name: "kept" };
				await jostle(resources.addressReservations, ref, () =>
					wipe(resources.addressReservations, ref),
				);
			}
		},
	],
	[
		"holds a class that is in use, and reads it again that somebody else wrote first",
		async () => {
			const ref = { name: "cloud" };
			const made: string[] = [];
			await jostle(resources.balancerClasses, ref, async (round) => {
				await admin.patch(resources.balancerClasses, ref, {
					type: "merge",
					body: { metadata: { finalizers: null } },
				});
				await world.service(`more-${round}`);
				made.push(`more-${round}`);
			});
			await eventually(
				() => kubectl("get", "balancerclass", "cloud", "-o", "yaml"),
				(text) => expect(text).toContain("Ready"),
			);
			await kubectl("delete", "svc", ...made, "--timeout=40s");
		},
	],
	[
		"sets NodePorts that are asked for, in two namespaces, and takes back those a class releases",
		async () => {
			for (const [at, where] of ["default", "team"].entries()) {
				const port = 30_010 + at;
				await world.service("asking", lab, where);
				await kubectl(
					...["-n", where, "annotate", "svc", "asking"],
					`fairlead.dev/node-ports=http=${port}`,
				);
				await eventually(
					() => world.get("asking", where),
					({ spec }) => expect(spec.ports?.[0]?.nodePort).toBe(port),
				);
			}
			await kubectl(
				...["patch", "balancerclass", "lab", "--type=merge", "-p"],
				'{"spec":{"nodePorts":"Release"}}',
			);
			await eventually(
				() => world.get("here"),
				({ spec }) => expect(spec.ports?.[0]?.nodePort).toBeUndefined(),
			);
		},
	],
	[
		"holds the NodePorts of a pool, lets some go to who asks, and reads the pool again that somebody else wrote first",
		async () => {
			const held = async () =>
				(
					JSON.parse(
						await kubectl("-n", namespace, "get", "svc", "-o", "json"),
					) as { items: Service[] }
				).items.flatMap(({ spec }) =>
					(spec.ports ?? []).map(({ nodePort }) => nodePort),
				);
			await world.apply("-", {
				apiVersion: "fairlead.dev/v1alpha1",
				kind: "NodePortPool",
				metadata: { name: "high" },
				spec: { range: "31000-31039" },
			});
			await eventually(held, (ports) => expect(ports).toHaveLength(40));
			const ask = async (at: number) => {
				await world.service(`high-${at + 1}`, { type: "NodePort" });
				await kubectl(
					...["annotate", "svc", `high-${at + 1}`],
					"fairlead.dev/node-ports=high",
				);
			};
			await ask(-1);
			await eventually(held, (ports) => expect(ports).toHaveLength(39));
			await jostle(resources.nodePortPools, { name: "high" }, ask);
			await kubectl("delete", "nodeportpool", "high", "--timeout=20s");
			await eventually(held, (ports) => expect(ports).toEqual([]));
		},
	],
	[
		"grants external IPs, writes the grants again that somebody deleted, and gives Services theirs",
		async () => {
			const policy = () =>
				kubectl("get", "externalippolicy", "compiled", "-o", "yaml");
			await world.apply("-", {
				apiVersion: "fairlead.dev/v1alpha1",
				kind: "AddressPool",
				metadata: { name: "outside" },
				spec: { addresses: ["203.0.113.0/28"], uses: ["ExternalIP"] },
			});
			await eventually(policy, (text) =>
				expect(text).toContain("203.0.113.0/28"),
			);
			await kubectl("delete", "externalippolicy", "compiled");
			await eventually(policy, (text) =>
				expect(text).toContain("203.0.113.0/28"),
			);
			for (const where of ["default", "team"]) {
				await world.service("outside", { type: "ClusterIP" }, where);
				await kubectl(
					...["-n", where, "annotate", "svc", "outside"],
					"fairlead.dev/external-ips=auto",
				);
				await eventually(
					() => world.get("outside", where),
					({ spec }) => expect(spec.externalIPs).toHaveLength(1),
				);
			}
		},
	],
	[
		"lets everything go",
		async () => {
			await kubectl("delete", "svc", "here", "web", "--timeout=30s");
			await kubectl("-n", "team", "delete", "svc", "there", "--timeout=30s");
			expect(await world.balancers()).toEqual([]);
			await kubectl("delete", "balancerclass", "cloud", "--timeout=20s");
			await gone("balancerclass/cloud");
		},
	],
];

/** What the chart's roles for one of its parts allow. */
async function granted(component: "controller" | "agent") {
	const { items } = JSON.parse(
		await kubectl(
			...["get", "clusterrole,role", "--all-namespaces", "-o", "json"],
			"-l",
			`app.kubernetes.io/instance=fairlead,app.kubernetes.io/component=${component}`,
		),
	) as { items: Parameters<typeof grantsOf>[0] };
	return grantsOf(items);
}

describe("the controller under the chart's service account", () => {
	let broken = false;
	it.each(life)("%s", async (_what, act) => {
		if (broken) throw new Error("an earlier row failed");
		broken = true;
		await act();
		broken = (await uses()).some(({ code }) => code === 403);
		expect(lackOf([], await uses()).filter((each) => /403/.test(each))).toEqual(
			[],
		);
	});

	it("was granted everything it asked for, and nothing else", async () => {
		await pods.stop();
		const grants = await granted("controller");
		const seen = await uses();
		expect({
			lacking: lackOf(grants, seen),
			tooMuch: excessOf(grants, seen),
		}).toEqual({ lacking: [], tooMuch: [] });
		expect(
			grants.filter(
				(grant) =>
					grant.resource === "/secrets" && grant.namespace === undefined,
			),
		).toEqual([]);
		expect(seen.length).toBeGreaterThan(100);
	});
});

describe("an agent under the chart's service account, with the capabilities of its container", () => {
	/** Ports of the node that somebody else has, by the namespace of the Service whose health check is to be served there. */
	const squatted = { default: [30_071, 30_072], team: [30_073, 30_074] };
	let network: NetworkNamespace;
	let api: ApiInNamespace;
	const closers: (() => unknown)[] = [];

	beforeAll(async () => {
		network = createNetworkNamespace();
		carryOutIn(network, [setLink(1, { up: true })]);
		api = await apiInNamespace(network, world.cluster.server);
		await world.apply("-", {
			apiVersion: "v1",
			kind: "Node",
			metadata: { name: "here" },
			spec: { podCIDRs: ["10.244.7.0/24"] },
		});
	});
	afterAll(async () => {
		for (const close of closers) await close();
		await api?.close();
		network?.close();
	});

	const begin = async (rules: keyof typeof agents): Promise<Fairlead> => {
		const { hostname, port } = new URL(world.cluster.server);
		const { code, stderr } = await helm(
			world.cluster,
			["upgrade", "fairlead", chart, "-n", namespace, "--values", "-"],
			JSON.stringify({
				...values,
				agent: {
					...{ enabled: true, rules },
					apiServer: { host: hostname, port: Number(port) },
					serviceAccount: { name: agents[rules] },
				},
			}),
		);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		return pods.start(namespace, "fairlead-agent", "127.0.0.1", {
			node: "here",
			network,
		});
	};
	const occupy = async (port: number) => {
		const squatter = createServer();
		squatter.listen({ fd: listenIn(network, "0.0.0.0", port) });
		await once(squatter, "listening");
		closers.push(() => squatter.close());
	};
	/** Service `checked` asks for a health check at a port, or for none; resolves when the API server has it so. */
	const ask = async (where: string, port: number | undefined) => {
		await world.service(
			"checked",
			port === undefined
				? { externalTrafficPolicy: "Cluster" }
				: { externalTrafficPolicy: "Local", healthCheckNodePort: port },
			where,
		);
		const { spec } = await world.get("checked", where);
		expect(spec.healthCheckNodePort).toBe(port);
	};
	const usedBy = async (rules: keyof typeof agents, verb: string, of: string) =>
		(await usesOf(account(agents[rules]))).filter(
			(use) => use.verb === verb && use.resource === of,
		);
	const balance = async (rules: keyof typeof agents) => {
		const grants = await granted("agent");
		const seen = await usesOf(account(agents[rules]));
		expect({
			lacking: lackOf(grants, seen),
			tooMuch: excessOf(grants, seen),
		}).toEqual({ lacking: [], tooMuch: [] });
		expect(seen.length).toBeGreaterThan(5);
	};
	/** The Lease is made, and then kept. */
	const reports = (rules: keyof typeof agents) =>
		eventually(
			() => usedBy(rules, "patch", "coordination.k8s.io/leases"),
			(found) => expect(found).not.toEqual([]),
			40_000,
		);

	it("carries Services, says twice what somebody did to its rules and of a Service what it cannot serve, and needs every grant for it", async () => {
		const agent = await begin("full");
		await agent.logged(({ msg }) => msg === "the rules reflect the cluster");
		const events = (verb: string, where: string) =>
			eventually(
				() => usedBy("full", verb, "events.k8s.io/events"),
				(found) => expect(found.map((use) => use.namespace)).toContain(where),
			);
		network.run(() => execFileSync("nft", ["flush", "ruleset"]));
		await events("create", "default");
		for (const [where, ports] of Object.entries(squatted)) {
			for (const port of ports) await occupy(port);
			const [one, other] = ports;
			// The same thing is told anew only when another was told in between.
			for (const port of [one, other, one]) {
				await ask(where, port);
				await eventually(
					async () =>
						agent.log.filter(({ msg }) => msg.startsWith("a healthCheckNode")),
					(said) =>
						expect(said.at(-1)?.["err"]).toMatchObject({
							message: expect.stringContaining(String(port)),
						}),
				);
				await ask(where, undefined);
			}
			await events("create", where);
			await events("patch", where);
		}
		await reports("full");
		expect(await agent.kill("SIGTERM")).toEqual({ code: 0, signal: null });
		await balance("full");
	});

	it("that checks kube-proxy's rules tells Services what is wrong, some of it twice, and needs every grant for it", async () => {
		const wheres = ["default", "team"];
		const offer = async (port: number) => {
			for (const where of wheres)
				await world.service(
					"missed",
					{ type: "ClusterIP", ports: [{ name: "http", port }] },
					where,
				);
		};
		/** While it is another proxy's, nothing is wrong. */
		const handOver = async (to: "other" | undefined) => {
			const label = "service.kubernetes.io/service-proxy-name";
			for (const where of wheres)
				await kubectl(
					...["-n", where, "label", "svc", "missed", "--overwrite"],
					to === undefined ? `${label}-` : `${label}=${to}`,
				);
		};
		await kubectl("-n", namespace, "delete", "lease", "fairlead-agent-here");
		// As of a kube-proxy that writes nothing.
		network.run(() =>
			execFileSync("nft", ["add", "table", "ip", "kube-proxy"]),
		);
		await offer(80);
		const agent = await begin("audit");
		/** It has said so that often, of each of the Services. */
		const said = (msg: string, times: number) =>
			eventually(
				async () =>
					wheres.map(
						(where) =>
							agent.log.filter(
								(line) =>
									line.msg === msg && line["service"] === `${where}/missed`,
							).length,
					),
				(counts) => expect(counts).toEqual(wheres.map(() => times)),
				40_000,
			);
		const wrong = (times: number) =>
			said("kube-proxy's rules are not what they should be", times);
		const right = (times: number) =>
			said("kube-proxy's rules are what they should be", times);
		await wrong(1);
		// The same thing is told anew only when another was told in between.
		for (const [at, port] of [81, 80].entries()) {
			await handOver("other");
			await right(at + 1);
			await offer(port);
			await handOver(undefined);
			await wrong(at + 2);
		}
		for (const verb of ["create", "patch"])
			await eventually(
				() => usedBy("audit", verb, "events.k8s.io/events"),
				(found) =>
					expect(found.map((use) => use.namespace)).toEqual(
						expect.arrayContaining(wheres),
					),
			);
		await reports("audit");
		expect(await agent.kill("SIGTERM")).toEqual({ code: 0, signal: null });
		await balance("audit");
	});

	it("that leaves the rules alone needs less, and is granted less", async () => {
		await kubectl("-n", namespace, "delete", "lease", "fairlead-agent-here");
		const agent = await begin("off");
		await reports("off");
		expect(await agent.kill("SIGTERM")).toEqual({ code: 0, signal: null });
		await balance("off");
	});
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
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
import { chart, ChartPods, helm } from "../support/chart.ts";
import { eventually } from "../support/eventually.ts";
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
const user = `system:serviceaccount:${namespace}:fairlead`;

let folder: string;
let world: World;
let pods: ChartPods;
let admin: KubeClient;

const auditLog = () => join(folder, "audit.log");
const uses = () => usesIn(auditLog());
const kubectl = (...args: string[]) => world.kubectl(...args);
const used = async (verb: string, resource: string): Promise<Use[]> =>
	(await uses()).filter(
		(use) => use.verb === verb && use.resource === resource,
	);

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-audit-"));
	await writeFile(join(folder, "policy.json"), auditPolicyFor(user));
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
		JSON.stringify({
			controller: { auditSchedule: "* * * * * *" },
			tokenSecrets: [{ namespace: "kube-system", names: ["cloud-token"] }],
			balancerClasses: { lab: { provider: "Static" } },
			addressPools: { lab: { addresses: ["192.0.2.0/24"], classes: ["lab"] } },
		}),
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
	const read = async () =>
		(await used("get", name)).some(
			(use) => use.name === ref.name && use.namespace === ref.namespace,
		);
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
		const { items } = JSON.parse(
			await kubectl(
				...["get", "clusterrole,role", "--all-namespaces", "-o", "json"],
				...["-l", "app.kubernetes.io/instance=fairlead"],
			),
		) as { items: Parameters<typeof grantsOf>[0] };
		const grants = grantsOf(items);
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

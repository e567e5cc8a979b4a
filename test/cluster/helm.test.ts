import {
	cp,
	mkdtemp,
	readdir,
	readFile,
	rm,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { validate } from "node-cron";
import { parse, stringify } from "yaml";
import type { Lease, Service } from "../../operator/api/core.ts";
import { chart, ChartPods, helm } from "../support/chart.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

jest.setTimeout(120_000);

interface Crd {
	spec: { versions: { additionalPrinterColumns?: object[] }[] };
}

const namespace = "fairlead-system";
const values = {
	balancerClasses: { lab: { provider: "Static", default: true } },
	addressPools: { lab: { addresses: ["192.0.2.0/29"] } },
};

let cluster: Cluster;
let pods: ChartPods;

beforeAll(async () => {
	cluster = await startCluster();
	pods = new ChartPods(cluster);
});
afterAll(async () => {
	await pods?.stop();
	await cluster?.stop();
});

const kubectl = async (...args: string[]): Promise<string> => {
	const { stdout, stderr, code } = await cluster.kubectl(args);
	if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
	return stdout;
};
const read = async <T>(...args: string[]): Promise<T> =>
	JSON.parse(await kubectl("get", ...args, "-o", "json")) as T;
/** `kind/name` of everything of these kinds that carries the release's label. */
const ours = async (kinds: string): Promise<string[]> =>
	(
		await kubectl(
			"get",
			kinds,
			"--all-namespaces",
			"-l",
			"app.kubernetes.io/instance=fairlead",
			"-o",
			"name",
		)
	)
		.split("\n")
		.filter(Boolean);
const succeeds = async (args: string[], stdin = ""): Promise<string> => {
	const { stdout, stderr, code } = await helm(cluster, args, stdin);
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	return stdout;
};
const upgrade = (more: object) =>
	succeeds(
		["upgrade", "fairlead", chart, "-n", namespace, "--values", "-"],
		JSON.stringify({ ...values, ...more }),
	);
const serve = async (name: string, address: string): Promise<Service> => {
	const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], {
		stdin: JSON.stringify({
			apiVersion: "v1",
			kind: "Service",
			metadata: { namespace: "default", name },
			spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
		}),
	});
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	return eventually(
		() => read<Service>("svc", name),
		(found) =>
			expect(found.status?.loadBalancer?.ingress?.[0]?.ip).toBe(address),
		60_000,
	);
};
const leader = async (): Promise<string> =>
	(await read<Lease>("-n", namespace, "lease", "fairlead-controller")).spec
		?.holderIdentity ?? "";

describe("values that make no sense are refused by helm install, in words", () => {
	it.each<[string, object, RegExp]>([
		[
			"a number that is text",
			{ replicaCount: "two" },
			/at '\/replicaCount': got string, want integer/,
		],
		[
			"a value nobody knows",
			{ replicas: 2 },
			/additional properties 'replicas' not allowed/,
		],
		[
			"a port beyond all ports",
			{ metrics: { port: 70_000 } },
			/at '\/metrics\/port': maximum: got 70,000, want 65,535/,
		],
		[
			"a log level nobody writes",
			{ controller: { logLevel: "loud" } },
			/at '\/controller\/logLevel': value must be one of 'trace', 'debug'/,
		],
		[
			"several controllers without a Lease",
			{ controller: { leaderElect: false } },
			/replicaCount must be 1 where controller\.leaderElect is false/,
		],
		[
			"no ServiceAccount, neither made nor named",
			{ serviceAccount: { create: false } },
			/serviceAccount\.name must be given where serviceAccount\.create is false/,
		],
		[
			"a schedule that is none",
			{ controller: { auditSchedule: "every hour" } },
			/controller\.auditSchedule "every hour" is no cron expression: write minute, hour, day, month and weekday/,
		],
		[
			"a name that no object can have",
			{ nameOverride: "My Balancers" },
			/at '\/nameOverride': 'My Balancers' does not match pattern/,
		],
		[
			"a flag the controller does not have",
			{ controller: { extraArgs: ["--loglevel=debug"] } },
			/at '\/controller\/extraArgs\/0': '--loglevel=debug' does not match pattern '.*\|log-level\)/,
		],
		[
			"memory nobody can measure",
			{ resources: { limits: { memory: "lots" } } },
			/at '\/resources\/limits\/memory'/,
		],
		[
			"an effect that taints do not have",
			{ tolerations: [{ operator: "Exists", effect: "NoScheduling" }] },
			/at '\/tolerations\/0\/effect': value must be one of 'NoSchedule'/,
		],
		[
			"a label that is none",
			{ podLabels: { team: "a b" } },
			/at '\/podLabels\/team': 'a b' does not match pattern/,
		],
		[
			"a provider nobody has",
			{ balancerClasses: { lab: { provider: "Cloud" } } },
			/at '\/balancerClasses\/lab\/provider': value must be one of 'HetznerCloud', 'Layer2', 'Static'/,
		],
		[
			"a field that pools do not have",
			{ addressPools: { lab: { addresses: ["192.0.2.0/24"], clases: ["x"] } } },
			/at '\/addressPools\/lab': additional properties 'clases' not allowed/,
		],
		[
			"rules that agents do not know",
			{ agent: { enabled: true, rules: "some" } },
			/at '\/agent\/rules': value must be one of 'full'/,
		],
		[
			"agents in kube-proxy's place that nobody tells where the API server is",
			{ agent: { enabled: true, rules: "full" } },
			/agent\.apiServer\.host must be given where agent\.rules is full: name the address/,
		],
		[
			"no ServiceAccount for agents, neither made nor named",
			{ agent: { enabled: true, serviceAccount: { create: false } } },
			/agent\.serviceAccount\.name must be given where agent\.serviceAccount\.create is false/,
		],
		[
			"a class without provider",
			{ balancerClasses: { lab: { default: true } } },
			/at '\/balancerClasses\/lab': missing property 'provider'/,
		],
		[
			"a pool with an address that is none, as the API server says it",
			{ addressPools: { lab: { addresses: ["192.0.2.300"] } } },
			/AddressPool.*lab.*addresses/s,
		],
	])("%s", async (_what, wrong, words) => {
		const { stderr, code } = await helm(
			cluster,
			["install", "wrong", chart, "-n", "default", "--values", "-"],
			JSON.stringify(wrong),
		);
		expect(code).toBe(1);
		expect(stderr).toMatch(words);
		expect(stderr).not.toContain("goroutine");
		// A release that failed half-way is there, and in the way of the next.
		await helm(cluster, ["uninstall", "wrong", "-n", "default"]);
	});
});

describe("a schedule for audits", () => {
	it.each([
		"*/10 * * * *",
		"0 4 * * sun",
		"0 0 1 jan-jun,dec 1-5/2",
		"30 */5 * * * *",
		"@hourly",
		"60 * * * *",
		"* 24 * * *",
		"* * 0 * *",
		"* * * 13 *",
		"* * * * 8",
		"* * * *",
		"* * * * * * *",
		"*/0 * * * *",
		"7/3 * * * *",
		"@sometimes",
		"",
	])(
		"is taken by the chart if the controller takes it: %j",
		async (schedule) => {
			const { code } = await helm(
				cluster,
				["template", "any", chart, "--values", "-"],
				JSON.stringify({ controller: { auditSchedule: schedule } }),
			);
			expect(code === 0).toBe(validate(schedule));
		},
	);
});

describe("what the chart makes of its sample values", () => {
	beforeAll(async () => {
		const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], {
			stdin: JSON.stringify({
				apiVersion: "apiextensions.k8s.io/v1",
				kind: "CustomResourceDefinition",
				metadata: { name: "servicemonitors.monitoring.coreos.com" },
				spec: {
					group: "monitoring.coreos.com",
					scope: "Namespaced",
					names: {
						kind: "ServiceMonitor",
						listKind: "ServiceMonitorList",
						plural: "servicemonitors",
						singular: "servicemonitor",
					},
					versions: [
						{
							name: "v1",
							served: true,
							storage: true,
							schema: {
								openAPIV3Schema: {
									type: "object",
									"x-kubernetes-preserve-unknown-fields": true,
								},
							},
						},
					],
				},
			}),
		});
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		await kubectl("apply", "--server-side", "-f", join(chart, "crds"));
		await kubectl("wait", "--for=condition=Established", "crd", "--all");
	});

	it.each(["cloud", "lab", "others"])(
		"passes lint and the API server's own checks for ci/%s-values.yaml",
		async (name) => {
			const file = join(chart, "ci", `${name}-values.yaml`);
			await succeeds(["lint", "--strict", chart, "--values", file]);
			const manifest = await succeeds([
				"template",
				"sample",
				chart,
				...["--namespace", "default", "--kube-version", "1.37.0"],
				...["--values", file],
			]);
			const { stderr, code } = await cluster.kubectl(
				[
					"apply",
					"--server-side",
					"--dry-run=server",
					"--validate=strict",
					"-f",
					"-",
				],
				{ stdin: manifest },
			);
			expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		},
	);

	afterAll(async () => {
		await kubectl("delete", "crd", "--all");
	});
});

describe("a release", () => {
	const file = "crds/addresspool.yaml";
	let first: Awaited<ReturnType<ChartPods["start"]>>;
	let folder: string;
	let shownColumns = 0;
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "fairlead-older-chart-"));
	});
	afterAll(() => rm(folder, { recursive: true }));

	/** The chart as it might have been: its pools show no columns. */
	const olderChart = async (): Promise<string> => {
		await cp(chart, folder, { recursive: true });
		const crd = parse(await readFile(join(chart, file), "utf8")) as Crd;
		const [version] = crd.spec.versions;
		shownColumns = version?.additionalPrinterColumns?.length ?? 0;
		expect(shownColumns).toBeGreaterThan(0);
		delete version?.additionalPrinterColumns;
		await writeFile(join(folder, file), stringify(crd));
		return folder;
	};
	const columns = async () =>
		(await read<Crd>("crd", "addresspools.fairlead.dev")).spec.versions[0]
			?.additionalPrinterColumns;

	it("is installed with one command, kinds, classes and pools included, and says what to do next", async () => {
		const notes = await succeeds(
			[
				...["install", "fairlead", await olderChart(), "-n", namespace],
				...["--create-namespace", "--values", "-"],
			],
			JSON.stringify(values),
		);
		expect(notes).toContain("STATUS: deployed");
		expect(notes).toContain("kubectl describe service NAME");
		expect(await ours("balancerclass,addresspool")).toEqual([
			"balancerclass.fairlead.dev/lab",
			"addresspool.fairlead.dev/lab",
		]);
	});

	it("runs under its own service account and flags, and gives a Service its address", async () => {
		first = await pods.start(namespace, "fairlead", "127.0.31.1");
		await serve("web", "192.0.2.0");
		const ready = await fetch("http://127.0.31.1:9090/readyz");
		expect({ status: ready.status, text: await ready.text() }).toEqual({
			status: 200,
			text: "ok\n",
		});
		const metrics = await fetch("http://127.0.31.1:9090/metrics");
		expect(await metrics.text()).toContain("fairlead_controller_leading 1");
	});

	it("goes on with its second replica when the first one ends", async () => {
		const second = await pods.start(namespace, "fairlead", "127.0.31.2");
		await eventually(
			async () => (await fetch("http://127.0.31.2:9090/readyz")).status,
			(status) => expect(status).toBe(200),
		);
		const before = await leader();
		expect(await first.kill("SIGTERM")).toEqual({ code: 0, signal: null });
		await serve("second", "192.0.2.1");
		expect(await leader()).not.toBe(before);
		expect(await second.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});

	it("is upgraded, kinds, pools and flags included", async () => {
		expect(await columns()).toBeUndefined();
		await upgrade({
			addressPools: { lab: { addresses: ["192.0.2.0/29", "198.51.100.0/24"] } },
			controller: { workers: 4 },
		});
		expect(await columns()).toHaveLength(shownColumns);
		const pool = await read<{ spec: { addresses: string[] } }>(
			...["addresspool", "lab"],
		);
		expect(pool.spec.addresses).toHaveLength(2);
		expect(
			await kubectl("-n", namespace, "get", "deploy", "fairlead", "-o", "yaml"),
		).toContain("--workers=4");
		const third = await pods.start(namespace, "fairlead", "127.0.31.3");
		await serve("third", "192.0.2.2");
		expect(await third.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});

	it("is uninstalled without taking a kind, a class, a pool or an address from anybody", async () => {
		const before = await read<Service>("svc", "web");
		await succeeds(["uninstall", "fairlead", "-n", namespace]);
		expect(
			await ours(
				"deploy,sa,role,rolebinding,clusterrole,clusterrolebinding,pdb,validatingadmissionpolicy,mutatingadmissionpolicy",
			),
		).toEqual([]);
		expect(await ours("balancerclass,addresspool")).toHaveLength(2);
		const kinds = await readdir(join(chart, "crds"));
		expect(
			(await kubectl("get", "crd", "-o", "name")).trim().split("\n"),
		).toHaveLength(kinds.length);
		expect(await read<Service>("svc", "web")).toEqual(before);
	});

	it("is installed again over what was left, and changes nobody's address", async () => {
		const before = await read<Service>("svc", "web");
		await succeeds(
			["install", "fairlead", chart, "-n", namespace, "--values", "-"],
			JSON.stringify(values),
		);
		const again = await pods.start(namespace, "fairlead", "127.0.31.4");
		await serve("fourth", "192.0.2.3");
		expect(await read<Service>("svc", "web")).toEqual(before);
		expect(await again.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});
});

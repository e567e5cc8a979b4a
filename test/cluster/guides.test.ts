import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import { chart, ChartPods, helm } from "../support/chart.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { binariesFolder } from "../support/cluster-binaries.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { commandsOf, normalised, runShown } from "../support/guide.ts";

jest.setTimeout(300_000);

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");
const namespace = "fairlead-system";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-guide-"));
	// What npx finds in a clone; npx itself takes a second each time.
	const npx = join(folder, "npx");
	await writeFile(
		npx,
		`#!/bin/sh\nshift\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${root}cli/main.ts" "$@"\n`,
	);
	await chmod(npx, 0o755);
	// Guides are followed in a clone, which the tests write nothing into.
	for (const name of ["helm", "crds", "examples", "README.md"])
		await symlink(`${root}${name}`, join(folder, name));
});
afterEach(() => rm(folder, { recursive: true }));

/** Runs every command a page shows, as a reader would; each must print what the page says. */
async function follow(
	page: string,
	kubeconfig: string,
	after: (command: string) => Promise<void> = async () => {},
): Promise<number> {
	const shown = commandsOf(read(page));
	for (const { command, output, line } of shown) {
		const printed = await runShown(command, {
			cwd: folder,
			env: {
				...process.env,
				HOME: folder,
				KUBECONFIG: kubeconfig,
				PATH: `${folder}:${binariesFolder(["kubectl", "helm"])}:${process.env["PATH"]}`,
			},
			timeoutMs: 60_000,
		});
		expect({ line, command, output: normalised(printed) }).toEqual({
			line,
			command,
			output: normalised(output),
		});
		await after(command);
	}
	return shown.length;
}

describe("docs/guides/services.md", () => {
	let sandbox: Fairlead;
	afterEach(() => sandbox.kill("SIGINT"));

	it("says what its commands print, from the first to the last", async () => {
		sandbox = new Fairlead(["sandbox"], { PATH: process.env["PATH"] ?? "" });
		const [, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		await sandbox.printed(/curl -x/);
		expect(await follow("docs/guides/services.md", kubeconfig)).toBeGreaterThan(
			40,
		);
	});
});

describe("on a real control plane", () => {
	let cluster: Cluster;
	let pods: ChartPods;
	beforeEach(async () => {
		cluster = await startCluster();
		pods = new ChartPods(cluster);
	});
	afterEach(async () => {
		await pods.stop();
		await cluster.stop();
	});

	const apply = async (...items: object[]): Promise<void> => {
		const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], {
			stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
		});
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	};

	it("docs/guides/install-with-helm.md says what its commands print, its values.yaml included", async () => {
		const [, values = ""] =
			/^```yaml\n(.*?)^```/ms.exec(read("docs/guides/install-with-helm.md")) ??
			[];
		await writeFile(join(folder, "values.yaml"), values);
		let pod: Fairlead | undefined;
		await follow(
			"docs/guides/install-with-helm.md",
			cluster.kubeconfigPath,
			async (command) => {
				if (!/^helm (install|upgrade|uninstall)/.test(command)) return;
				await pod?.kill("SIGTERM");
				pod = command.startsWith("helm uninstall")
					? undefined
					: await pods.start(namespace, "fairlead", "127.0.34.1");
			},
		);
	});

	it("docs/guides/migrate-from-metallb.md says what its commands print, and keeps a Service its address", async () => {
		const kinds = ["IPAddressPool", "BGPAdvertisement"];
		await apply(...kinds.map(metallbKind));
		await cluster.kubectl([
			...["wait", "--for=condition=Established", "crd", "--all"],
		]);
		await apply(
			{
				apiVersion: "v1",
				kind: "Namespace",
				metadata: { name: "metallb-system" },
			},
			metallb("IPAddressPool", "production", {
				addresses: ["203.0.113.0/24"],
			}),
			metallb("BGPAdvertisement", "out", { ipAddressPools: ["production"] }),
			metallbController,
			{
				apiVersion: "v1",
				kind: "Service",
				metadata: { name: "web", namespace: "default" },
				spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
			},
		);
		const shown = await cluster.kubectl([
			...["patch", "service", "web", "--subresource=status", "--type=merge"],
			...[
				"-p",
				JSON.stringify({
					status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } },
				}),
			],
		]);
		expect(shown.code).toBe(0);
		await follow(
			"docs/guides/migrate-from-metallb.md",
			cluster.kubeconfigPath,
			async (command) => {
				if (command.startsWith("helm install"))
					await pods.start(namespace, "fairlead", "127.0.34.2");
			},
		);
	});

	it("docs/reference/explain.md shows what the command prints of a Service that waits", async () => {
		const { code, stderr } = await helm(
			cluster,
			[
				...["install", "fairlead", chart, "-n", namespace],
				...["--create-namespace", "--values", "-"],
			],
			JSON.stringify({
				balancerClasses: {
					fast: { provider: "Static", default: true },
					cloud: {
						provider: "HetznerCloud",
						hetznerCloud: {
							tokenSecretRef: { namespace, name: "hcloud" },
							location: "fsn1",
						},
					},
				},
				addressPools: {
					a: { addresses: ["192.0.2.0/30"] },
					b: {
						addresses: ["198.51.100.0/28"],
						namespaceSelector: { matchLabels: { team: "ops" } },
					},
				},
			}),
		);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		await pods.start(namespace, "fairlead", "127.0.34.3");
		await cluster.kubectl(["create", "namespace", "shop"]);
		const service = (name: string) => ({
			apiVersion: "v1",
			kind: "Service",
			metadata: { name, namespace: "shop" },
			spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
		});
		const reasonOf = async (name: string, of: string) => {
			const { stdout } = await cluster.kubectl([
				...["-n", "shop", "get", "service", name, "-o", "json"],
			]);
			return (JSON.parse(stdout) as Service).status?.conditions?.find(
				({ type }) => type === `fairlead.dev/${of}`,
			)?.reason;
		};
		for (const name of ["one", "two", "three", "four"]) {
			await apply(service(name));
			await eventually(
				() => reasonOf(name, "AddressAssigned"),
				(reason) => expect(reason).toBe("Assigned"),
			);
		}
		await apply(service("web"), {
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: {
				name: "web-1",
				namespace: "shop",
				labels: { "kubernetes.io/service-name": "web" },
			},
			addressType: "IPv4",
			endpoints: [2, 3, 4].map((last) => ({ addresses: [`10.244.0.${last}`] })),
			ports: [{ port: 80 }],
		});
		for (const [of, expected] of [
			["AddressAssigned", "NoAddressAvailable"],
			["Programmed", "NoAgents"],
		] as const)
			await eventually(
				() => reasonOf("web", of),
				(reason) => expect(reason).toBe(expected),
			);
		await follow("docs/reference/explain.md", cluster.kubeconfigPath);
	});
});

/** MetalLB's kind without its schema. */
function metallbKind(kind: string): object {
	const singular = kind.toLowerCase();
	return {
		apiVersion: "apiextensions.k8s.io/v1",
		kind: "CustomResourceDefinition",
		metadata: { name: `${singular}s.metallb.io` },
		spec: {
			group: "metallb.io",
			scope: "Namespaced",
			names: { plural: `${singular}s`, kind, singular },
			versions: [
				{
					name: "v1beta1",
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
	};
}

function metallb(kind: string, name: string, spec: object): object {
	return {
		apiVersion: "metallb.io/v1beta1",
		kind,
		metadata: { namespace: "metallb-system", name },
		spec,
	};
}

/** As MetalLB's manifests name it. */
const metallbController = {
	apiVersion: "apps/v1",
	kind: "Deployment",
	metadata: { namespace: "metallb-system", name: "controller" },
	spec: {
		selector: { matchLabels: { component: "controller" } },
		template: {
			metadata: { labels: { component: "controller" } },
			spec: { containers: [{ name: "controller", image: "controller" }] },
		},
	},
};

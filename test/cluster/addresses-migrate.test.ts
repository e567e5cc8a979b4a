import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { AddressLab } from "../support/address-lab.ts";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(60_000);

let lab: AddressLab;
beforeAll(async () => {
	lab = await AddressLab.start();
	await lab.kubectl("delete", "balancerclass", "lan");
	await lab.kubectl("create", "namespace", "metallb-system");
	await apply(...kinds.map(definition));
	await lab.kubectl(
		...["wait", "--for=condition=Established", "--timeout=30s", "crd"],
		...kinds.map(([plural]) => `${plural}.metallb.io`),
	);
});
afterAll(() => lab?.stop());

const kinds = [
	["ipaddresspools", "IPAddressPool"],
	["l2advertisements", "L2Advertisement"],
	["bgpadvertisements", "BGPAdvertisement"],
] as const;

/** MetalLB's kind without its schema. */
const definition = ([plural, kind]: (typeof kinds)[number]) => ({
	apiVersion: "apiextensions.k8s.io/v1",
	kind: "CustomResourceDefinition",
	metadata: { name: `${plural}.metallb.io` },
	spec: {
		group: "metallb.io",
		scope: "Namespaced",
		names: { plural, kind, singular: kind.toLowerCase() },
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
});

const metallb = (kind: string, name: string, spec: object) => ({
	apiVersion: "metallb.io/v1beta1",
	kind,
	metadata: { namespace: "metallb-system", name },
	spec,
});

async function apply(...items: object[]): Promise<void> {
	await applyText(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

async function applyText(stdin: string): Promise<void> {
	const { code, stderr } = await lab.cluster.kubectl(["apply", "-f", "-"], {
		stdin,
	});
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

async function migrate(
	...args: string[]
): Promise<{ code: number | null; out: string; said: string }> {
	const command = new Fairlead(["migrate", "metallb", ...args]);
	const { code } = await command.ended;
	return {
		code,
		out: command.out.join("\n"),
		said: command.log.map(({ msg }) => msg).join("\n"),
	};
}

const inCluster = () => ["--kubeconfig", lab.cluster.kubeconfigPath];

test("without any pool of MetalLB there is nothing to migrate, which is said", async () => {
	const { code, out, said } = await migrate(...inCluster());
	expect({ code, out }).toEqual({ code: 1, out: "" });
	expect(said).toBe(
		"fairlead migrate: there is no IPAddressPool of MetalLB in the cluster; give its objects with --file",
	);
});

test("a Service keeps the address MetalLB gave it, through the commands and the objects that are printed", async () => {
	await apply(
		metallb("IPAddressPool", "front", { addresses: ["10.1.0.0/28"] }),
		metallb("BGPAdvertisement", "out", { ipAddressPools: ["front"] }),
	);
	// Nobody serves them yet: what MetalLB left behind.
	for (const [name, ip] of [
		["web", "10.1.0.9"],
		["api", "10.1.0.4"],
	]) {
		await lab.service(name ?? "");
		await lab.kubectl(
			...["-n", "shop", "patch", "service", name ?? "", "--subresource=status"],
			...["--type=merge", "-p"],
			JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } }),
		);
	}
	const { code, out } = await migrate(...inCluster(), "-o", "commands");
	expect(code).toBe(3);
	const commands = out.split("\n");
	expect(commands).toHaveLength(2);
	for (const command of commands)
		await lab.kubectl(...command.split(" ").slice(1));
	const yaml = await migrate(...inCluster());
	expect(yaml.out).not.toContain("kubectl annotate");
	expect(yaml.out).toContain("# BGPAdvertisement out: becomes a Static class");
	await applyText(yaml.out);
	await lab.run();
	await lab.service("newcomer");
	await lab.has("web", "10.1.0.9");
	await lab.has("api", "10.1.0.4");
	await lab.has("newcomer", "10.1.0.0");
	await lab.clear();
	await lab.kubectl("delete", "balancerclass", "metallb-static");
	await lab.halt();
});

test.each(["yaml", "json"])(
	"everything that can be turned is taken by the API server as %s, from a file",
	async (format) => {
		const file = join(lab.cluster.folder, `metallb-${format}.json`);
		await writeFile(
			file,
			JSON.stringify({
				apiVersion: "v1",
				kind: "List",
				items: [
					metallb("IPAddressPool", "a", {
						addresses: ["10.1.0.7/24", "10.2.0.1-10.2.0.9", "2001:db8::/64"],
						autoAssign: false,
						avoidBuggyIPs: true,
						serviceAllocation: {
							priority: 7,
							namespaces: ["shop"],
							serviceSelectors: [{ matchLabels: { tier: "front" } }],
						},
					}),
					metallb("IPAddressPool", "b", { addresses: ["10.3.0.0/24"] }),
					metallb("L2Advertisement", "l2", {
						ipAddressPools: ["a"],
						interfaces: ["eth0"],
						nodeSelectors: [{ matchLabels: { rack: "r1" } }],
					}),
				],
			}),
		);
		const { code, out, said } = await migrate("-f", file, "-o", format);
		expect({ code, said: format === "yaml" ? said : "" }).toEqual({
			code: 3,
			said: "",
		});
		expect(format === "yaml" ? out : said).toMatch(
			/provider Layer2 is not part of this version.*\[lost\]/,
		);
		expect(out).not.toMatch(/default"?: true/);
		if (format === "json") expect(said).toContain("the same addresses");
		await applyText(out);
		const listed = await lab.kubectl(
			...["get", "addresspools,balancerclasses", "-o", "name"],
		);
		expect(listed.trim().split("\n").sort()).toEqual([
			"addresspool.fairlead.dev/a",
			"addresspool.fairlead.dev/b",
			"balancerclass.fairlead.dev/metallb-layer2",
			"balancerclass.fairlead.dev/metallb-static",
		]);
		await lab.clear();
		await lab.kubectl("delete", "balancerclasses", "--all");
	},
);

test.each<[string, string[], number, RegExp]>([
	["something else than MetalLB", ["cilium"], 2, /must be metallb/],
	["a file that is not there", ["metallb", "-f", "/no/such"], 2, /\/no\/such/],
	["an unknown format", ["metallb", "-o", "xml"], 2, /must be yaml, json or/],
])("%s is refused in one line", async (_what, args, expected, line) => {
	const command = new Fairlead(["migrate", ...args]);
	const { code } = await command.ended;
	expect(code).toBe(expected);
	expect(command.log).toHaveLength(1);
	expect(command.log[0]?.msg).toMatch(line);
});

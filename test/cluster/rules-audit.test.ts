import { jest } from "@jest/globals";
import type { KubeObject } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import {
	type BesideKubeProxy,
	besideKubeProxy,
	nodeName,
	podCidrs,
} from "../support/beside-kube-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(120_000);

let lab: BesideKubeProxy;
const started: Fairlead[] = [];

beforeAll(async () => {
	lab = await besideKubeProxy();
	await apply(...everyKindOfService());
	await status("local", ["203.0.113.10", "2001:db8:113::10"]);
	await status("ranges", ["203.0.113.11", "2001:db8:113::11"]);
	await status("nobody-here", ["203.0.113.12", "2001:db8:113::12"]);
	// The last of what was written is in kube-proxy's rules.
	await apply(service("last", {}), ...slices("last", ["pod-1"]));
	await eventually(
		() => rules(),
		(listed) => {
			for (const [, text] of listed)
				expect(text).toMatch(/service-\w+-default\/last\/udp\/udp \{/);
		},
	);
});

afterEach(async () => {
	for (const each of started.splice(0)) await each.kill("SIGKILL");
});

afterAll(() => lab?.close());

const families = ["ip", "ip6"] as const;
type Places = ("pod-1" | "pod-2" | "pod-3")[];

function service(name: string, spec: object, labels?: object): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace: "default", ...(labels && { labels }) },
		spec: {
			ipFamilyPolicy: "RequireDualStack",
			ports: ["TCP", "UDP"].map((protocol) => ({
				name: protocol.toLowerCase(),
				port: 80,
				protocol,
			})),
			...spec,
		},
	};
}

function slices(of: string, places: Places): object[] {
	return (["IPv4", "IPv6"] as const).map((family) => ({
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			name: `${of}-${family.toLowerCase()}`,
			namespace: "default",
			labels: { "kubernetes.io/service-name": of },
		},
		addressType: family,
		endpoints: places.map((place) => ({
			addresses: [lab.world.addressOf(place, family)],
			nodeName: place === "pod-3" ? "node-2" : nodeName,
		})),
		ports: ["TCP", "UDP"].map((protocol) => ({
			name: protocol.toLowerCase(),
			protocol,
			port: 8080,
		})),
	}));
}

function everyKindOfService(): object[] {
	return [
		service("plain", {}),
		...slices("plain", ["pod-1", "pod-2", "pod-3"]),
		service("one", { type: "NodePort" }),
		...slices("one", ["pod-1"]),
		service("empty", { type: "NodePort" }),
		service("sticky", { type: "NodePort", sessionAffinity: "ClientIP" }),
		...slices("sticky", ["pod-1", "pod-3"]),
		service("local", { type: "LoadBalancer", externalTrafficPolicy: "Local" }),
		...slices("local", ["pod-1", "pod-3"]),
		service("nobody-here", {
			type: "LoadBalancer",
			externalTrafficPolicy: "Local",
			internalTrafficPolicy: "Local",
		}),
		...slices("nobody-here", ["pod-3"]),
		service("ranges", {
			type: "LoadBalancer",
			loadBalancerSourceRanges: ["192.0.2.0/24", "2001:db8:2::/64"],
		}),
		...slices("ranges", ["pod-1", "pod-2"]),
		service("external", { externalIPs: ["198.51.100.7", "2001:db8:100::7"] }),
		...slices("external", ["pod-2"]),
		service(
			"another-proxy",
			{},
			{ "service.kubernetes.io/service-proxy-name": "another" },
		),
	];
}

async function apply(...objects: object[]): Promise<void> {
	const { code, stderr } = await lab.cluster.kubectl(["apply", "-f", "-"], {
		stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
	});
	if (code !== 0) throw new Error(stderr);
}

async function status(name: string, addresses: string[]): Promise<void> {
	await lab.client.patch(
		resources.services,
		{ namespace: "default", name, subresource: "status" },
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
}

const rules = () =>
	families.map(
		(family) =>
			[family, lab.nft("list", "table", family, "kube-proxy")] as const,
	);

function audit(...args: string[]): Fairlead {
	const process = lab.world
		.namespaceOf("node")
		.run(
			() =>
				new Fairlead([
					...["agent", "--rules", "audit", "--node", nodeName],
					...["--kubeconfig", lab.cluster.kubeconfigPath],
					...["--cluster-cidr", podCidrs.join(","), "--metrics-port", "0"],
					...args,
				]),
		);
	started.push(process);
	return process;
}

async function auditOnce(): Promise<{ code: number | null; found: unknown }> {
	const process = audit("--once", "-o", "json");
	const { code } = await process.ended;
	if (code !== 0 && code !== 3)
		throw new Error(process.log.map((each) => each.msg).join("\n"));
	return { code, found: JSON.parse(process.out.join("\n")) as unknown };
}

/** The chain of a Service's port that clients in the cluster are led to. */
function chainOf(name: string, protocol: string): string {
	const found = new RegExp(
		`chain (service-\\w+-default/${name}/${protocol}/${protocol}) `,
	).exec(lab.nft("list", "table", "ip", "kube-proxy"));
	if (!found?.[1]) throw new Error(`no chain of ${name}`);
	return found[1];
}

it("finds nothing in the rules of a real kube-proxy, and writes nothing", async () => {
	const before = rules();
	expect(await auditOnce()).toEqual({ code: 0, found: {} });
	expect(rules()).toEqual(before);
	expect(lab.nft("list", "tables")).not.toContain("fairlead");
});

interface Warned extends KubeObject {
	reason: string;
	regarding: { name: string };
}

describe("where somebody has changed kube-proxy's rules, fairlead agent --rules audit --once names exactly the Service", () => {
	const undo: string[] = [];
	afterEach(() => {
		for (const command of undo.splice(0)) lab.nft(...command.split(" "));
	});

	it("whose ClusterIP is gone", async () => {
		const { spec } = await lab.client.get<{
			metadata: { name: string };
			spec: { clusterIP: string };
		}>(resources.services, { namespace: "default", name: "plain" });
		const element = `ip kube-proxy service-ips { ${spec.clusterIP} . tcp . 80`;
		const chain = chainOf("plain", "tcp");
		lab.nft(...`delete element ${element} }`.split(" "));
		undo.push(`add element ${element} : goto ${chain} }`);
		expect(await auditOnce()).toEqual({
			code: 3,
			found: {
				"default/plain": [`ClusterIP ${spec.clusterIP} TCP 80 is missing`],
			},
		});
	});

	it("that leads to nobody", async () => {
		const chain = chainOf("one", "udp");
		lab.nft("flush", "chain", "ip", "kube-proxy", chain);
		const pod = lab.world.addressOf("pod-1", "IPv4");
		undo.push(
			`add rule ip kube-proxy ${chain} meta l4proto udp dnat to ${pod}:8080`,
		);
		const { code, found } = await auditOnce();
		expect(code).toBe(3);
		expect(found).toEqual({
			"default/one": [
				expect.stringMatching(
					/^ClusterIP \S+ UDP 80 does not lead to 10.244.1.2 8080$/,
				),
				expect.stringMatching(
					/^NodePort UDP \d+ \(IPv4\) does not lead to 10.244.1.2 8080$/,
				),
			],
		});
	});

	it("that nobody wants", async () => {
		const chain = chainOf("one", "tcp");
		lab.nft(
			...`add element ip kube-proxy service-ips { 198.51.100.99 . tcp . 80 : goto ${chain} }`.split(
				" ",
			),
		);
		undo.push(
			"delete element ip kube-proxy service-ips { 198.51.100.99 . tcp . 80 }",
		);
		expect(await auditOnce()).toEqual({
			code: 3,
			found: {
				"default/one": ["198.51.100.99 TCP 80 is there and should not be"],
			},
		});
	});

	it("whose source ranges are not kept", async () => {
		const element = "ip kube-proxy firewall-ips { 203.0.113.11 . tcp . 80";
		lab.nft(...`delete element ${element} }`.split(" "));
		const chain = /chain (firewall-\w+-default\/ranges\/tcp\/tcp) /.exec(
			lab.nft("list", "table", "ip", "kube-proxy"),
		)?.[1];
		undo.push(`add element ${element} : goto ${chain} }`);
		expect(await auditOnce()).toEqual({
			code: 3,
			found: {
				"default/ranges": [
					"LoadBalancer 203.0.113.11 TCP 80 admits everybody, whatever its ranges",
				],
			},
		});
	});
});

it("goes on looking, tells a Service what was found with one event, and hears when it is over", async () => {
	const process = audit();
	await process.logged(({ msg }) => /checks kube-proxy's/.test(msg));
	const chain = chainOf("external", "tcp");
	lab.nft("flush", "chain", "ip", "kube-proxy", chain);
	// A change makes it look sooner than its schedule does.
	await apply(service("trigger", {}), ...slices("trigger", ["pod-1"]));
	const warning = await process.logged(
		({ service: about }) => about === "default/external",
	);
	expect(warning.msg).toBe("kube-proxy's rules are not what they should be");
	await eventually(
		() =>
			lab.client.list<Warned>(resources.events, {
				namespace: "default",
			}),
		({ items }) =>
			expect(
				items.filter(
					({ reason, regarding }) =>
						reason === "KubeProxyRulesDiffer" && regarding.name === "external",
				),
			).toHaveLength(1),
	);
	const pod = lab.world.addressOf("pod-2", "IPv4");
	lab.nft(
		...`add rule ip kube-proxy ${chain} meta l4proto tcp dnat to ${pod}:8080`.split(
			" ",
		),
	);
	await apply(...slices("trigger", ["pod-2"]));
	await process.logged(
		({ msg, service: about }) =>
			msg === "kube-proxy's rules are what they should be" &&
			about === "default/external",
	);
	expect((await process.kill("SIGTERM")).code).toBe(0);
});

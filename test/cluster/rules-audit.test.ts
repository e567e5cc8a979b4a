import { jest } from "@jest/globals";
import type { KubeObject } from "../../operator/api/meta.ts";
import { resources } from "../../operator/cluster/kube.ts";
import {
	type AuditedKubeProxy,
	auditedKubeProxy,
} from "../support/audited-kube-proxy.ts";
import { eventually } from "../support/eventually.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(120_000);

let lab: AuditedKubeProxy;

const families = ["ip", "ip6"] as const;

const listed = ({ nft }: Pick<AuditedKubeProxy, "nft">) =>
	families.map((family) => nft("list", "table", family, "kube-proxy"));

beforeAll(async () => {
	lab = await auditedKubeProxy("nftables", (beside) => {
		for (const text of listed(beside))
			expect(text).toMatch(/service-\w+-default\/last\/udp\/udp \{/);
	});
});

afterEach(() => lab?.endAgents());

afterAll(() => lab?.close());

/** The chain of a Service's port that clients in the cluster are led to. */
function chainOf(name: string, protocol: string): string {
	const found = new RegExp(
		`chain (service-\\w+-default/${name}/${protocol}/${protocol}) `,
	).exec(lab.nft("list", "table", "ip", "kube-proxy"));
	if (!found?.[1]) throw new Error(`no chain of ${name}`);
	return found[1];
}

it("finds nothing in the rules of a real kube-proxy, and writes nothing", async () => {
	const before = listed(lab);
	expect(await lab.auditOnce()).toEqual({ code: 0, found: {} });
	expect(listed(lab)).toEqual(before);
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
		const clusterIP = await lab.clusterIPOf("plain");
		const element = `ip kube-proxy service-ips { ${clusterIP} . tcp . 80`;
		const chain = chainOf("plain", "tcp");
		lab.nft(...`delete element ${element} }`.split(" "));
		undo.push(`add element ${element} : goto ${chain} }`);
		expect(await lab.auditOnce()).toEqual({
			code: 3,
			found: {
				"default/plain": [`ClusterIP ${clusterIP} TCP 80 is missing`],
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
		const { code, found } = await lab.auditOnce();
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
		expect(await lab.auditOnce()).toEqual({
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
		expect(await lab.auditOnce()).toEqual({
			code: 3,
			found: {
				"default/ranges": [
					"LoadBalancer 203.0.113.11 TCP 80 admits everybody, whatever its ranges",
				],
			},
		});
	});
});

it("names the chains that all Services share and somebody has emptied", async () => {
	const saved = lab.nft("list", "table", "ip", "kube-proxy");
	const shared = [
		"filter-forward",
		"firewall-check",
		"nodeport-endpoints-check",
		"masquerading",
	];
	for (const chain of shared)
		lab.nft("flush", "chain", "ip", "kube-proxy", chain);
	const found = await lab.auditOnce();
	// nft takes rules as it lists them.
	for (const chain of shared)
		for (const rule of rulesOf(saved, chain))
			lab.nft(...`add rule ip kube-proxy ${chain} ${rule}`.split(" "));
	expect(found).toEqual({
		code: 3,
		found: {
			"": [
				"IPv4: chain filter-forward does not lead to chain service-endpoints-check",
				"IPv4: chain filter-forward does not lead to chain cluster-ips-check",
				"IPv4: chain firewall-check does not ask map firewall-ips",
				"IPv4: chain nodeport-endpoints-check does not ask map no-endpoint-nodeports",
				"IPv4: chain masquerading masquerades nothing",
			],
		},
	});
	expect(await lab.auditOnce()).toEqual({ code: 0, found: {} });
});

/** The rules of a chain in a listing, a line each. */
function rulesOf(listing: string, chain: string): string[] {
	const lines = listing.split("\n").map((line) => line.trim());
	const from = lines.indexOf(`chain ${chain} {`);
	return lines
		.slice(from + 1, lines.indexOf("}", from))
		.filter((line) => line !== "" && !line.startsWith("type "));
}

it("goes on looking, tells a Service what was found with one event, and hears when it is over", async () => {
	const process = lab.audit();
	await process.logged(({ msg }) => /checks kube-proxy's/.test(msg));
	const chain = chainOf("external", "tcp");
	lab.nft("flush", "chain", "ip", "kube-proxy", chain);
	// A change makes it look sooner than its schedule does.
	await lab.apply(
		lab.service("trigger", {}),
		...lab.slices("trigger", ["pod-1"]),
	);
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
	await lab.apply(...lab.slices("trigger", ["pod-2"]));
	await process.logged(
		({ msg, service: about }) =>
			msg === "kube-proxy's rules are what they should be" &&
			about === "default/external",
	);
	expect((await process.kill("SIGTERM")).code).toBe(0);
});

import { jest } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	type AuditedKubeProxy,
	auditedKubeProxy,
} from "../support/audited-kube-proxy.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(120_000);

const families = ["iptables", "ip6tables"] as const;

let lab: AuditedKubeProxy;
let folder: string;

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "rules-audit-"));
	lab = await auditedKubeProxy("iptables", ({ onNode }) => {
		for (const family of families)
			expect(onNode(`${family}-save`, "-t", "nat")).toMatch(
				/-A KUBE-SERVICES .*"default\/last:udp cluster IP".* -j KUBE-SVC-/,
			);
	});
});

afterAll(async () => {
	await lab?.close();
	rmSync(folder, { recursive: true, force: true });
});

/** The rules of a family without counters and times. */
const rules = (family: (typeof families)[number]): string[] =>
	lab
		.onNode(`${family}-save`)
		.split("\n")
		.filter((line) => !line.startsWith("#"));

it("finds nothing in the rules of a real kube-proxy in iptables mode, and writes nothing", async () => {
	const before = families.map(rules);
	expect(await lab.auditOnce()).toEqual({ code: 0, found: {} });
	expect(families.map(rules)).toEqual(before);
});

/** What a rule leads to, of those that match. */
function targetOf(family: (typeof families)[number], pattern: RegExp): string {
	const line = rules(family).find((each) => pattern.test(each));
	const target = / -j (\S+)/.exec(line ?? "")?.[1];
	if (target === undefined) throw new Error(`no rule like ${pattern}`);
	return target;
}

const clusterIPRule = (name: string, protocol: string) =>
	new RegExp(`^-A KUBE-SERVICES .*"default/${name}:${protocol} cluster IP"`);

describe("where somebody has changed the rules of kube-proxy in iptables mode", () => {
	beforeEach(() => {
		for (const family of families)
			writeFileSync(join(folder, family), rules(family).join("\n"));
	});

	afterEach(() => {
		for (const family of families)
			lab.onNode(`${family}-restore`, join(folder, family));
	});

	/** Takes away the rules of a table that match. */
	function remove(family: (typeof families)[number], pattern: RegExp): void {
		let table = "";
		const kept = rules(family).filter((line) => {
			if (line.startsWith("*")) table = line;
			return !pattern.test(`${table} ${line}`);
		});
		expect(kept.length).toBeLessThan(rules(family).length);
		const path = join(folder, "damaged");
		writeFileSync(path, kept.join("\n"));
		lab.onNode(`${family}-restore`, path);
	}

	it("names exactly the Services, and what is wrong with each", async () => {
		const plain = await lab.clusterIPOf("plain");
		const one = await lab.clusterIPOf("one");
		const empty = await lab.clusterIPOf("empty");
		const sticky = await lab.clusterIPOf("sticky");
		const pod = lab.world.addressOf("pod-1", "IPv4");
		remove("iptables", /^\*nat -A KUBE-SERVICES .*"default\/plain:tcp cluster/);
		const chain = targetOf("iptables", clusterIPRule("one", "udp"));
		const endpoint = targetOf(
			"iptables",
			new RegExp(`^-A ${chain} .*KUBE-SEP`),
		);
		lab.onNode("iptables", "-t", "nat", "-F", endpoint);
		remove("iptables", /^\*filter -A KUBE-SERVICES .*"default\/empty:tcp has/);
		remove(
			"iptables",
			/^\*filter -A KUBE-PROXY-FIREWALL .*"default\/ranges:tcp /,
		);
		remove(
			"iptables",
			/^\*nat -A KUBE-FW-\S+ -s 198\.18\.0\.0\/16 .*ranges:udp /,
		);
		remove("iptables", /^\*nat .*"default\/sticky:tcp -> .* --rcheck /);
		const elsewhere = targetOf("ip6tables", clusterIPRule("last", "tcp"));
		lab.onNode(
			...["ip6tables", "-t", "nat", "-I", elsewhere, "1", "-p", "tcp"],
			...["-j", "DNAT", "--to-destination", "[2001:db8:bad::1]:8080"],
		);
		lab.onNode(
			...["iptables", "-t", "nat", "-A", "KUBE-SERVICES", "-p", "udp"],
			...["-d", "198.51.100.99", "--dport", "80", "-j", chain],
		);
		const { code, found } = await lab.auditOnce();
		expect(code).toBe(3);
		expect(found).toEqual({
			"": ["198.51.100.99 UDP 80 is there and should not be"],
			"default/plain": [`ClusterIP ${plain} TCP 80 is missing`],
			"default/one": [
				`ClusterIP ${one} UDP 80 does not lead to ${pod} 8080`,
				expect.stringMatching(
					/^NodePort UDP \d+ \(IPv4\) does not lead to \S+ 8080$/,
				),
			],
			"default/empty": [
				`ClusterIP ${empty} TCP 80 has no endpoint here, and packets are not rejected`,
			],
			"default/ranges": [
				"LoadBalancer 203.0.113.11 TCP 80 does not drop what its source ranges keep out",
				"LoadBalancer 203.0.113.11 UDP 80 keeps out 198.18.0.0/22, 198.18.4.0/23, 198.18.6.0/24 and 5 more of its source ranges",
			],
			"default/sticky": [
				`ClusterIP ${sticky} TCP 80 does not keep a client with its endpoint`,
				expect.stringMatching(
					/^NodePort TCP \d+ \(IPv4\) does not keep a client with its endpoint$/,
				),
			],
			"default/last": [
				expect.stringMatching(
					/^ClusterIP \S+ TCP 80 does not lead to \S+ 8080 and leads to 2001:db8:bad::1 8080 as well$/,
				),
			],
		});
	});

	it("names what concerns all of them", async () => {
		lab.onNode("iptables", "-t", "nat", "-F", "KUBE-MARK-MASQ");
		remove("iptables", /^\*nat -A OUTPUT .*KUBE-SERVICES/);
		remove("iptables", /^\*nat -A KUBE-SERVICES .*-j KUBE-NODEPORTS/);
		remove("ip6tables", /^\*filter -A FORWARD .*-j KUBE-PROXY-FIREWALL/);
		lab.onNode("ip6tables", "-F", "KUBE-FORWARD");
		expect(await lab.auditOnce()).toEqual({
			code: 3,
			found: {
				"": [
					"IPv4: chain OUTPUT of table nat does not lead to chain KUBE-SERVICES",
					"IPv4: chain KUBE-MARK-MASQ of table nat marks nothing for masquerading",
					"IPv6: chain FORWARD of table filter does not lead to chain KUBE-PROXY-FIREWALL",
					"IPv6: chain KUBE-FORWARD of table filter accepts nothing",
					"IPv4: nothing leads to the NodePorts",
				],
			},
		});
	});
});

import { jest } from "@jest/globals";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { parsePoolEntry } from "../../operator/model/addresses/cidr.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";

jest.setTimeout(120_000);

const folder = join(import.meta.dirname, "../../crds");
const kinds = { AddressPool: "addresspools", BalancerClass: "balancerclasses" };
type Kind = keyof typeof kinds;

let cluster: Cluster;
const agent = new Agent({ keepAlive: true });
beforeAll(async () => {
	cluster = await startCluster();
	const applied = await cluster.kubectl(["apply", `--filename=${folder}`]);
	if (applied.code !== 0) throw new Error(applied.stderr);
	const established = await cluster.kubectl([
		...["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"],
	]);
	if (established.code !== 0) throw new Error(established.stderr);
});
afterAll(() => {
	agent.destroy();
	return cluster.stop();
});

/** What the API server says to an object it is asked to check without keeping: "accepted", or the refusal. */
async function check(kind: Kind, spec: object, name = "it"): Promise<string> {
	const sent = request(
		`${cluster.server}/apis/fairlead.dev/v1alpha1/${kinds[kind]}?dryRun=All&fieldValidation=Strict`,
		{
			agent,
			ca: cluster.ca,
			method: "POST",
			headers: {
				authorization: `Bearer ${cluster.adminToken}`,
				"content-type": "application/json",
			},
		},
	);
	const answered = once(sent, "response") as Promise<[IncomingMessage]>;
	sent.end(
		JSON.stringify({
			apiVersion: "fairlead.dev/v1alpha1",
			kind,
			metadata: { name },
			spec,
		}),
	);
	const [answer] = await answered;
	const { message } = (await json(answer)) as { message?: string };
	return answer.statusCode === 201 ? "accepted" : String(message);
}

const pool = (addresses: string[], more: object = {}) => ({
	addresses,
	...more,
});
const ten = ["10.0.0.0/24"];

test.each<[string, object]>([
	[
		"CIDRs and ranges of both families",
		pool([
			"10.0.0.0/24",
			"10.1.0.1-10.1.0.9",
			"2001:db8::/64",
			"2001:db8:1::a - 2001:db8:1::1:0",
		]),
	],
	["a range of one address", pool(["10.0.0.1-10.0.0.1"])],
	["a range whose ends differ in their last bit", pool(["10.0.0.0-10.0.0.1"])],
	["a range whose ends differ in their first bit", pool(["2001:db8::-9000::"])],
	[
		"an IPv6 range whose ends differ in their last bit",
		pool(["2001:db8::-2001:db8::1"]),
	],
	[
		"256 ranges of IPv6",
		pool(
			Array.from(
				{ length: 256 },
				(_, index) =>
					`2001:db8:${index.toString(16)}:ffff:ffff:ffff:ffff:0-2001:db8:${index.toString(16)}:ffff:ffff:ffff:ffff:ffff`,
			),
		),
	],
	[
		"everything a pool can say",
		pool(ten, {
			uses: ["LoadBalancer", "ExternalIP"],
			classes: ["lan"],
			autoAssign: false,
			priority: 0,
			avoidFirstAndLast: true,
			retention: "1h30m",
			namespaceSelector: { matchLabels: { team: "a" } },
			serviceSelector: {
				matchExpressions: [
					{ key: "tier", operator: "In", values: ["front"] },
					{ key: "x", operator: "Exists" },
				],
			},
		}),
	],
])("an AddressPool with %s is accepted", async (_what, spec) => {
	expect(await check("AddressPool", spec)).toBe("accepted");
});

test.each<[string, object, string]>([
	["no addresses", {}, "spec.addresses: Required value"],
	["an empty list of addresses", pool([]), "spec.addresses: Invalid value"],
	[
		"257 addresses",
		pool(
			Array.from(
				{ length: 257 },
				(_, index) => `10.${index >> 8}.${index & 255}.0/24`,
			),
		),
		"spec.addresses: Too many: 257: must have at most 256 items",
	],
	[
		"a word",
		pool(["house"]),
		'spec.addresses[0]: Invalid value: "house": must be a CIDR such as 203.0.113.0/24 or a range',
	],
	[
		"an address alone",
		pool([...ten, "10.1.0.1"]),
		'spec.addresses[1]: Invalid value: "10.1.0.1": must be a CIDR such as 203.0.113.0/24 or a range such as 203.0.113.10-203.0.113.20 (no leading zeros, no IPv4-mapped IPv6); write one address as ADDRESS/32',
	],
	["a leading zero", pool(["010.0.0.0/24"]), "must be a CIDR"],
	["a prefix that is too long", pool(["10.0.0.0/33"]), "must be a CIDR"],
	[
		"an IPv4-mapped range",
		pool(["::ffff:10.0.0.1-::ffff:10.0.0.9"]),
		"must be a CIDR",
	],
	[
		"a range of three ends",
		pool(["10.0.0.1-10.0.0.2-10.0.0.3"]),
		"must be a CIDR",
	],
	["a range with a bad end", pool(["10.0.0.1-10.0.0.256"]), "must be a CIDR"],
	[
		"host bits",
		pool(["10.0.0.5/24"]),
		"must not have host bits set: write the network's own address",
	],
	["IPv6 host bits", pool(["2001:db8::1/64"]), "must not have host bits set"],
	[
		"a range of two families",
		pool(["10.0.0.1-2001:db8::1"]),
		"must be a range within one family",
	],
	[
		"a range backwards",
		pool(["10.0.0.9-10.0.0.1"]),
		"must be a range whose first address is not above its last: swap the two",
	],
	[
		"a range backwards in the first bit",
		pool(["192.168.0.0-10.0.0.0"]),
		"swap the two",
	],
	[
		"a range backwards in the last bit",
		pool(["10.0.0.1-10.0.0.0"]),
		"swap the two",
	],
	[
		"an IPv6 range backwards",
		pool(["2001:db8::1:0-2001:db8::ffff"]),
		"swap the two",
	],
	[
		"loopback addresses",
		pool(["127.0.0.1/32"]),
		"must not hold unspecified, loopback, link-local, multicast or broadcast addresses",
	],
	[
		"link-local addresses",
		pool(["fe80::/64"]),
		"must not hold unspecified, loopback, link-local",
	],
	["all of IPv4", pool(["0.0.0.0/0"]), "must not hold unspecified"],
	[
		"the same CIDR twice",
		pool(["10.0.0.0/24", "10.0.0.0/24"]),
		'spec.addresses[1]: Duplicate value: "10.0.0.0/24"',
	],
	[
		"an unknown use",
		pool(ten, { uses: ["Pods"] }),
		'spec.uses[0]: Unsupported value: "Pods": supported values: "LoadBalancer", "ExternalIP"',
	],
	["no use at all", pool(ten, { uses: [] }), "spec.uses: Invalid value"],
	[
		"a negative priority",
		pool(ten, { priority: -1 }),
		"spec.priority: Invalid value: -1",
	],
	[
		"a priority beyond a million",
		pool(ten, { priority: 1_000_001 }),
		"spec.priority: Invalid value: 1000001",
	],
	[
		"a retention without unit",
		pool(ten, { retention: "10" }),
		"must be a Go duration that is not negative, such as 10m or 1h30m",
	],
	[
		"a negative retention",
		pool(ten, { retention: "-10m" }),
		"must be a Go duration that is not negative",
	],
	[
		"a retention in days",
		pool(ten, { retention: "1d" }),
		"must be a Go duration that is not negative",
	],
	[
		"an operator nobody knows",
		pool(ten, {
			serviceSelector: {
				matchExpressions: [{ key: "x", operator: "Gt", values: ["1"] }],
			},
		}),
		'operator: Unsupported value: "Gt"',
	],
	[
		"In without values",
		pool(ten, {
			serviceSelector: { matchExpressions: [{ key: "x", operator: "In" }] },
		}),
		"values must not be empty with operator In or NotIn: list the values",
	],
	[
		"Exists with values",
		pool(ten, {
			namespaceSelector: {
				matchExpressions: [{ key: "x", operator: "Exists", values: ["1"] }],
			},
		}),
		"values must be empty with operator Exists or DoesNotExist: remove them",
	],
	[
		"a class that is no name",
		pool(ten, { classes: ["fairlead.dev/lan"] }),
		"spec.classes[0]: Invalid value",
	],
	[
		"a field nobody knows",
		pool(ten, { adresses: [] }),
		'unknown field "spec.adresses"',
	],
])("an AddressPool with %s is refused", async (_what, spec, message) => {
	expect(await check("AddressPool", spec)).toContain(message);
});

test("the API server and the model refuse the same entries, but for special addresses in the middle", async () => {
	const ends = [
		...["10.0.0.0", "10.0.0.1", "10.0.1.0", "192.168.0.255", "255.255.255.255"],
		...[
			"2001:db8::",
			"2001:db8::1",
			"2001:db8::1:0",
			"fd00::ffff",
			"::1",
			"10.0.0",
		],
	];
	const lengths = [0, 8, 24, 32, 64, 128];
	const entries = ends.flatMap((first) => [
		...ends.map((last) => `${first}-${last}`),
		...lengths.map((length) => `${first}/${length}`),
	]);
	for (const entry of entries) {
		const said = await check("AddressPool", pool([entry]));
		const read = parsePoolEntry(entry);
		// CEL sees the ends of a range only.
		const inTheMiddle =
			!read.ok &&
			entry.includes("-") &&
			read.reason.includes("no balancer can have") &&
			said === "accepted";
		expect(`${entry} ${said === "accepted"}`).toBe(
			`${entry} ${read.ok || inTheMiddle}`,
		);
	}
});

const cloud = (more: object = {}, base: object = { location: "fsn1" }) => ({
	provider: "HetznerCloud",
	hetznerCloud: {
		tokenSecretRef: { namespace: "fairlead-system", name: "token" },
		...base,
		...more,
	},
});

test.each<[string, object]>([
	["a location", cloud()],
	["a network zone", cloud({ networkZone: "eu-central" }, {})],
	["an endpoint of its own", cloud({ endpoint: "http://127.0.0.1:8080/v1" })],
	[
		"an endpoint with an IPv6 address",
		cloud({ endpoint: "https://[fd00::1]:8443/v1" }),
	],
	["provider Static alone", { provider: "Static" }],
	["provider Layer2 alone", { provider: "Layer2" }],
	[
		"everything Layer2 can say",
		{
			provider: "Layer2",
			default: true,
			nodePorts: "Release",
			layer2: {
				interfaces: ["eth0", "bond0.100"],
				announcers: 3,
				nodeSelector: { matchLabels: { edge: "" } },
			},
		},
	],
])("a BalancerClass with %s is accepted", async (_what, spec) => {
	expect(await check("BalancerClass", spec)).toBe("accepted");
});

test.each<[string, object, string]>([
	["no provider", {}, "spec.provider: Required value"],
	[
		"an unknown provider",
		{ provider: "BGP" },
		'spec.provider: Unsupported value: "BGP": supported values: "HetznerCloud", "Layer2", "Static"',
	],
	[
		"a cloud provider without its section",
		{ provider: "HetznerCloud" },
		"hetznerCloud must be given with provider HetznerCloud, and with no other",
	],
	[
		"the cloud's section for another provider",
		{ ...cloud(), provider: "Static" },
		"hetznerCloud must be given with provider HetznerCloud, and with no other",
	],
	[
		"the layer2 section for another provider",
		{ provider: "Static", layer2: {} },
		"layer2 must be given with provider Layer2 only: remove it, or change provider",
	],
	[
		"no place",
		cloud({}, {}),
		"exactly one of location and networkZone must be given",
	],
	[
		"two places",
		cloud({ networkZone: "eu-central" }),
		"exactly one of location and networkZone must be given",
	],
	[
		"no token",
		{ provider: "HetznerCloud", hetznerCloud: { location: "fsn1" } },
		"spec.hetznerCloud.tokenSecretRef: Required value",
	],
	[
		"a token without namespace",
		cloud({ tokenSecretRef: { name: "token" } }),
		"spec.hetznerCloud.tokenSecretRef.namespace: Required value",
	],
	[
		"an endpoint that is no URL",
		cloud({ endpoint: "house" }),
		"endpoint must be an http or https URL with a host, such as https://api.example.com/v1",
	],
	[
		"an endpoint of another scheme",
		cloud({ endpoint: "ftp://api.example.com/v1" }),
		"endpoint must be an http or https URL",
	],
	[
		"an endpoint without host",
		cloud({ endpoint: "https:///v1" }),
		"endpoint must be an http or https URL",
	],
	[
		"an endpoint with a query",
		cloud({ endpoint: "https://api.example.com/v1?token=x" }),
		"endpoint must not have a query, a fragment or a user",
	],
	[
		"an endpoint with a user",
		cloud({ endpoint: "https://me:x@api.example.com/v1" }),
		"endpoint must not have a query, a fragment or a user",
	],
	[
		"an interface name no kernel takes",
		{ provider: "Layer2", layer2: { interfaces: ["an-interface-too-long"] } },
		"spec.layer2.interfaces[0]: Too long",
	],
	[
		"no announcer",
		{ provider: "Layer2", layer2: { announcers: 0 } },
		"spec.layer2.announcers: Invalid value: 0",
	],
	[
		"another way with NodePorts",
		{ provider: "Static", nodePorts: "Drop" },
		'spec.nodePorts: Unsupported value: "Drop": supported values: "Keep", "Release"',
	],
])("a BalancerClass with %s is refused", async (_what, spec, message) => {
	expect(await check("BalancerClass", spec)).toContain(message);
});

test.each<[Kind, object]>([
	["AddressPool", pool(ten)],
	["BalancerClass", { provider: "Static" }],
])("the name of %s has at most 63 characters", async (kind, spec) => {
	expect(await check(kind, spec, "n".repeat(63))).toBe("accepted");
	expect(await check(kind, spec, "n".repeat(64))).toContain(
		"metadata.name must have at most 63 characters",
	);
});

test("the provider of a BalancerClass cannot be changed", async () => {
	const made = (provider: string) =>
		cluster.kubectl(["apply", "--filename=-"], {
			stdin: JSON.stringify({
				apiVersion: "fairlead.dev/v1alpha1",
				kind: "BalancerClass",
				metadata: { name: "fixed" },
				spec: { provider },
			}),
		});
	expect((await made("Static")).code).toBe(0);
	const changed = await made("Layer2");
	expect(changed.code).not.toBe(0);
	expect(changed.stderr).toContain(
		"provider cannot be changed, since what the old one made would be orphaned",
	);
});

test("kubectl shows pools and classes by their short names, with defaults filled in and what the status counts", async () => {
	const applied = await cluster.kubectl(["apply", "--filename=-"], {
		stdin: JSON.stringify({
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "AddressPool",
			metadata: { name: "shown" },
			spec: { addresses: ten },
		}),
	});
	expect(applied.stderr).toBe("");
	const count = { capacity: "256", assigned: "7", available: "249" };
	const wide = { ...count, available: "18446744073709551609" };
	const ready = {
		...{ type: "Ready", status: "True", reason: "Usable", message: "" },
		lastTransitionTime: "2026-01-01T00:00:00Z",
	};
	const status = await cluster.kubectl([
		...["patch", "ap", "shown", "--subresource=status", "--type=merge"],
		...[
			"--patch",
			JSON.stringify({
				status: { ipv4: count, ipv6: wide, conditions: [ready] },
			}),
		],
	]);
	expect(status.stderr).toBe("");
	const shown = await cluster.kubectl(["get", "ap", "shown"]);
	expect(shown.stdout.split("\n")[0]?.split(/\s{2,}/)).toEqual([
		...["NAME", "ADDRESSES", "PRIORITY", "AUTO"],
		...["USED4", "FREE4", "USED6", "FREE6", "READY", "AGE"],
	]);
	expect(shown.stdout).toMatch(
		/shown +\["10.0.0.0\/24"\] +100 +true +7 +249 +7 +18446744073709551609 +True/,
	);
	const classes = await cluster.kubectl(["get", "bc"]);
	expect(classes.code).toBe(0);
});

test.each<[string, string[], string[]]>([
	["bc", ["PROVIDER", "DEFAULT", "READY"], ["REASON"]],
	["ap", [], ["REASON", "USES", "CLASSES"]],
	["ar", ["POOL", "SERVICE", "ADDRESSES", "BOUND", "READY"], ["REASON"]],
	["npp", ["RANGE", "USED", "FREE", "READY"], ["REASON"]],
	["externalippolicies", ["POOLS"], ["DENIED"]],
])(
	"kubectl get %s shows what is looked for first, and -o wide why",
	async (kind, usual, more) => {
		const samples = [
			...[
				["BalancerClass", { provider: "Static" }],
				["AddressPool", pool(ten)],
			],
			...[["NodePortPool", { range: "30000" }]],
			...[["AddressReservation", { pool: "shown" }]],
			...[["ExternalIPPolicy", { grants: [], denied: [] }]],
		].map(([of, spec]) => ({
			apiVersion: "fairlead.dev/v1alpha1",
			kind: of,
			metadata: {
				name: of === "ExternalIPPolicy" ? "compiled" : "columns",
				...(of === "AddressReservation" ? { namespace: "default" } : {}),
			},
			spec,
		}));
		const applied = await cluster.kubectl(["apply", "--filename=-"], {
			stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items: samples }),
		});
		expect(applied.stderr).toBe("");
		const head = async (...args: string[]) =>
			(await cluster.kubectl(["get", kind, ...args])).stdout
				.split("\n")[0]
				?.split(/\s{2,}/);
		const columns = await head();
		expect(columns).toEqual(expect.arrayContaining(["NAME", ...usual, "AGE"]));
		expect(await head("-o", "wide")).toEqual(
			expect.arrayContaining([...(columns ?? []), ...more]),
		);
		for (const only of more) expect(columns).not.toContain(only);
	},
);

import { spawnSync } from "node:child_process";
import { jest } from "@jest/globals";
import fc from "fast-check";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Backend,
	type Frontend,
	frontendKey,
	type HeldAddress,
	type Program,
} from "../../operator/model/rules/program.ts";
import { diff } from "../../operator/model/rules/program-change.ts";

// A ceiling for a machine that is busy with other things: none of these takes a second on a quiet one.
jest.setTimeout(60_000);

let namespace: NetworkNamespace;
let backend: NftablesBackend;

beforeEach(() => {
	namespace = createNetworkNamespace();
	backend = new NftablesBackend(namespace);
});

afterEach(() => {
	backend.close();
	namespace.close();
});

function nft(inside: NetworkNamespace, ...words: string[]): string {
	const { status, stdout, stderr } = inside.run(() =>
		spawnSync("nft", words, { encoding: "utf8" }),
	);
	if (status !== 0) throw new Error(stderr);
	return stdout;
}

const web: Frontend = {
	kind: "LoadBalancer",
	family: "IPv4",
	address: "203.0.113.10",
	protocol: "TCP",
	port: 80,
	service: "shop/web",
	portName: "http",
	endpoints: [
		{ address: "10.244.1.2", port: 8080, local: true },
		{ address: "10.244.2.2", port: 8080, local: false },
	],
	internalEndpoints: [],
	whenEmpty: "drop",
	masquerade: "node",
	affinitySeconds: 10800,
	sourceRanges: ["192.0.2.0/24", "0.0.0.0/0"],
};

const program: Program = {
	frontends: new Map([
		[frontendKey(web), web],
		["dns", { ...web, protocol: "UDP", port: 53, service: "kube-system/dns" }],
		["sctp", { ...web, protocol: "SCTP", portName: "" }],
	]),
	held: new Map([[web.address, { address: web.address, echo: true }]]),
	podCidrs: ["10.244.0.0/17", "10.244.128.0/17", "10.244.3.0/24"],
	masqueradeAll: false,
};

/** The lines within a block of a listing, such as `chain prerouting`. */
function block(listing: string, name: string): string[] {
	const lines = listing.split("\n").map((line) => line.trim());
	const start = lines.indexOf(`${name} {`);
	if (start < 0) throw new Error(`no ${name} in\n${listing}`);
	return lines.slice(start + 1, lines.indexOf("}", start));
}

let listing: string | undefined;

/** The listing of `program`, which every row below looks at. */
function listOnce(): string {
	if (listing !== undefined) return listing;
	backend.replace({
		...program,
		frontends: new Map(
			[...program.frontends].map(([key, frontend]) => [
				key,
				{ ...frontend, sourceRanges: ["192.0.2.0/24"] },
			]),
		),
	});
	listing = nft(namespace, "list", "table", "ip", "fairlead");
	return listing;
}

test.each([
	[
		"chain prerouting",
		"jump any-source",
		"ip saddr @pods goto from-inside",
		"goto from-anywhere",
	],
	["chain output", "jump any-source", "goto from-inside"],
	[
		"chain any-source",
		"ip daddr . meta l4proto . th dport @restricted jump sources",
		"ip daddr . meta l4proto . th dport @affine jump remembered",
	],
	[
		"chain remembered",
		"meta priority set ip saddr . ip daddr . meta l4proto . th dport map @affinity dnat ip to ip daddr . meta l4proto . th dport . meta priority map @affine-endpoints",
		"ip saddr @pods meta priority set ip saddr . ip daddr . meta l4proto . th dport map @affinity dnat ip to ip daddr . meta l4proto . th dport . meta priority map @affine-endpoints-inside",
		"fib saddr type local meta priority set ip saddr . ip daddr . meta l4proto . th dport map @affinity dnat ip to ip daddr . meta l4proto . th dport . meta priority map @affine-endpoints-inside",
		"delete @affinity { ip saddr . ip daddr . meta l4proto . th dport : meta priority }",
	],
	[
		"chain sources",
		"ip daddr . meta l4proto . th dport . ip saddr & 255.255.255.0 @sources-24 return",
		"drop",
	],
	[
		"chain from-inside",
		"meta priority set ip daddr . meta l4proto . th dport map @services-inside meta priority vmap @balance-inside",
		"goto from-anywhere",
	],
	[
		"chain from-anywhere",
		"meta priority set ip daddr . meta l4proto . th dport map @services meta priority vmap @balance",
		"ip daddr @echo icmp type echo-request redirect",
	],
	[
		"chain lb-2",
		"dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints",
		"dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints",
	],
	["chain postrouting", "ct status dnat goto translated"],
	[
		"chain translated",
		"ct original ip daddr . meta l4proto . ct original proto-dst @affine-10800 meta priority set ct original ip daddr . meta l4proto . ct original proto-dst . ip daddr . th dport map @affine-ids update @affinity { ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst timeout 3h : meta priority }",
		"ip saddr . ip daddr @hairpin masquerade fully-random",
		"ct original ip daddr . meta l4proto . ct original proto-dst @masquerade-always masquerade fully-random",
		"ct original ip daddr . meta l4proto . ct original proto-dst @masquerade-node fib saddr type local masquerade fully-random",
		"ip saddr @unmasqueraded accept",
		"ct original ip daddr . meta l4proto . ct original proto-dst @masquerade-outside masquerade fully-random",
	],
	[
		"chain unserved-prerouting",
		"ct state established,related,untracked accept",
		"ct status dnat goto led-on",
		"ip daddr . meta l4proto . th dport @no-endpoints-drop drop",
		"ip daddr . meta l4proto . th dport @no-endpoints-reject goto refuse",
		"ip daddr @held goto refuse",
	],
	["chain led-on", "ip daddr @held goto refuse"],
	["chain refuse", "reject with tcp reset", "reject"],
	[
		"map services",
		'203.0.113.10 . tcp . 80 comment "shop/web:http" : 0x00000002',
		'203.0.113.10 . udp . 53 comment "kube-system/dns:http" : 0x00000002',
		'203.0.113.10 . sctp . 80 comment "shop/web" : 0x00000002',
	],
	[
		"map endpoints",
		"203.0.113.10 . tcp . 80 . 0x00000000 : 10.244.1.2 . 8080",
		"203.0.113.10 . tcp . 80 . 0x00000001 : 10.244.2.2 . 8080",
	],
	["map balance", "0x00000002 : goto lb-2"],
	["set pods", "10.244.0.0/16"],
])("nft lists %s so that a person can read it", (name, ...lines) => {
	const listed = block(listOnce(), name)
		.map((line) => line.replace(/^elements = \{ /, "").replace(/[,}\s]+$/, ""))
		.map((line) => (line.endsWith(" : meta priority") ? `${line} }` : line));
	expect(listed.filter((line) => lines.includes(line)).sort()).toEqual(
		[...lines].sort(),
	);
	if (name.startsWith("chain"))
		expect(listed.filter((line) => !line.startsWith("type "))).toEqual(lines);
});

test("the number of chains and rules does not depend on the number of Services", () => {
	const sized = (services: number): Program => ({
		...program,
		frontends: new Map(
			Array.from({ length: services }, (_, port) => [
				`${port}`,
				{ ...web, port: 1000 + port },
			]),
		),
	});
	const count = () =>
		(nft(namespace, "list", "chains").match(/chain /g) ?? []).length;
	backend.replace(sized(1));
	const one = count();
	backend.replace(sized(500));
	expect(count()).toBe(one);
});

/** Small worlds, in which frontends of two programs meet often. */
const backends: fc.Arbitrary<Backend[]> = fc.uniqueArray(
	fc.record({
		address: fc.constantFrom("a", "b", "c", "d"),
		port: fc.constantFrom(80, 8080),
		local: fc.boolean(),
	}),
	{ maxLength: 4, selector: ({ address, port }) => `${address}${port}` },
);

const frontends: fc.Arbitrary<Frontend> = fc
	.record(
		{
			kind: fc.constantFrom("ClusterIP", "NodePort", "LoadBalancer"),
			family: fc.constantFrom("IPv4", "IPv6"),
			address: fc.constantFrom("1", "2"),
			protocol: fc.constantFrom("TCP", "UDP", "SCTP"),
			port: fc.constantFrom(53, 80),
			service: fc.constantFrom("default/a", "default/b"),
			portName: fc.constantFrom("", "http"),
			endpoints: backends,
			internalEndpoints: backends,
			whenEmpty: fc.constantFrom("reject", "drop"),
			masquerade: fc.constantFrom("always", "outside", "node"),
			affinitySeconds: fc.constantFrom(60, 10800),
			sourceRanges: fc.uniqueArray(fc.constantFrom("0", "1", "2")),
		} as const,
		{
			requiredKeys: [
				"kind",
				"family",
				"address",
				"protocol",
				"port",
				"service",
				"portName",
				"endpoints",
				"whenEmpty",
				"masquerade",
			],
		},
	)
	.map((drawn) => placed(drawn));

const ranges = {
	IPv4: ["0.0.0.0/0", "192.0.2.0/24", "198.18.0.0/15"],
	IPv6: ["::/0", "2001:db8::/32", "2001:db8:1::/47"],
};

/** Turns the letters and numbers that were drawn into addresses of its family. */
function placed(drawn: Frontend): Frontend {
	const { family, internalEndpoints, sourceRanges } = drawn;
	const prefix = family === "IPv4" ? "10.0.0." : "2001:db8::";
	const place = (list: readonly Backend[]) =>
		list.map((backend) => ({
			...backend,
			address: `${prefix}${backend.address.charCodeAt(0)}`,
		}));
	return {
		...drawn,
		address: `${prefix}${drawn.address}`,
		endpoints: place(drawn.endpoints),
		...(internalEndpoints
			? { internalEndpoints: place(internalEndpoints) }
			: {}),
		...(sourceRanges
			? {
					sourceRanges: sourceRanges.map(
						(index) => ranges[family][Number(index)] as string,
					),
				}
			: {}),
	};
}

const programs: fc.Arbitrary<Program> = fc
	.record({
		frontends: fc.uniqueArray(frontends, {
			maxLength: 8,
			selector: frontendKey,
		}),
		held: fc.uniqueArray(
			fc.record({
				address: fc.constantFrom("10.0.0.1", "10.0.0.2", "2001:db8::1"),
				echo: fc.boolean(),
			}),
			{ selector: ({ address }: HeldAddress) => address },
		),
		podCidrs: fc.uniqueArray(
			fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"),
		),
		masqueradeAll: fc.boolean(),
	})
	.map(({ frontends: list, held, ...settings }) => ({
		...settings,
		frontends: new Map(
			list.map((frontend) => [frontendKey(frontend), frontend]),
		),
		held: new Map(held.map((address) => [address.address, address])),
	}));

/** What matters of the ruleset: elements and rules, but not what only frontends of the past needed. */
function essence(inside: NetworkNamespace): string[] {
	const { nftables } = JSON.parse(nft(inside, "-j", "list", "ruleset")) as {
		nftables: Record<string, Listed>[];
	};
	const objects = nftables.flatMap((entry) => Object.entries(entry));
	const elements = objects
		.filter(([kind]) => kind === "set" || kind === "map")
		.flatMap(([, { family, name, elem = [] }]) =>
			elem.map((element) => `${family} ${name} ${JSON.stringify(element)}`),
		);
	const used = (family: string, set: string) =>
		elements.some((element) => element.startsWith(`${family} ${set} `));
	const rules = objects
		.filter(([kind]) => kind === "rule")
		.map(([, { family, chain, expr }]) => ({
			family,
			line: `${family} ${chain} ${JSON.stringify(expr)}`,
		}))
		.filter(({ family, line }) => {
			const onDemand = /@((?:affine|sources)-\d+)/.exec(line)?.[1];
			return !onDemand || used(family, onDemand);
		})
		.map(({ line }) => line);
	return [...elements, ...rules]
		.filter((line) => !/^ip6? (balance|lb-)/.test(line))
		.sort();
}

interface Listed {
	family: string;
	name: string;
	chain?: string;
	elem?: unknown[];
	expr?: unknown;
}

test("programs reached change by change are the programs written at once", () => {
	const other = createNetworkNamespace();
	const atOnce = new NftablesBackend(other);
	try {
		fc.assert(
			fc.property(
				fc.array(programs, { minLength: 2, maxLength: 8 }),
				(sequence) => {
					sequence.forEach((next, index) => {
						const before = sequence[index - 1];
						if (before) backend.apply(diff(before, next));
						else backend.replace(next);
					});
					expect(backend.drift()).toBeUndefined();
					atOnce.replace(sequence.at(-1) as Program);
					expect(essence(namespace)).toEqual(essence(other));
				},
			),
			{ numRuns: 10 },
		);
	} finally {
		atOnce.close();
		other.close();
	}
});

test("what is more than one datagram may hold is written in several, to the same end", () => {
	const many: Program = {
		...program,
		frontends: new Map(
			Array.from({ length: 500 }, (_, port) => {
				const frontend = { ...web, port: 1000 + port };
				return [frontendKey(frontend), frontend];
			}),
		),
	};
	backend.replace(many);
	const other = createNetworkNamespace();
	const small = new NftablesBackend(other, { bufferBytes: 1 << 16 });
	try {
		small.replace(many);
		expect(small.drift()).toBeUndefined();
		expect(essence(other)).toEqual(essence(namespace));
		const fewer = { ...many, frontends: program.frontends };
		small.apply(diff(many, fewer));
		backend.apply(diff(many, fewer));
		expect(small.drift()).toBeUndefined();
		expect(essence(other)).toEqual(essence(namespace));
	} finally {
		small.close();
		other.close();
	}
});

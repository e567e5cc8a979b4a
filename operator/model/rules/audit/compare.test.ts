import {
	node1,
	serviceOf,
	sliceOf,
} from "../../../../test/support/rules-world.ts";
import type { Service } from "../../../api/core.ts";
import { cidrRange, parseCidr } from "../../addresses/cidr.ts";
import { type Interval, mergeIntervals } from "../../addresses/intervals.ts";
import { compareRules } from "./compare.ts";
import type { FoundFrontend } from "./kube-proxy-rules.ts";
import { wantedFrontends } from "./wanted-frontends.ts";

const clusterIP = "10.96.0.10|TCP|80";
const nodePort = "IPv4|NodePort|TCP|30080";
const balancer = "203.0.113.10|TCP|80";
const pods = ["10.244.1.2 8080", "10.244.2.2 8080"];

const led = (
	to: readonly string[],
	more: Partial<FoundFrontend> = {},
): FoundFrontend => ({
	service: "default/web",
	endpoints: new Set(to),
	internalEndpoints: new Set(to),
	affinity: false,
	...more,
});

const web = serviceOf(
	{
		type: "LoadBalancer",
		ports: [{ name: "http", port: 80, nodePort: 30080 }],
		loadBalancerSourceRanges: ["192.0.2.0/24"],
	},
	{
		ingress: [{ ip: "203.0.113.10" }],
		annotations: { "fairlead.dev/assigned": "not kube-proxy's business" },
	},
);
const wantedOf = (
	services: Service[],
	slices = [sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"])],
) => wantedFrontends({ services, slices, node: node1, families: new Set() });
const handedOver = serviceOf(
	{ clusterIPs: ["10.96.0.99"] },
	{
		name: "handed-over",
		labels: { "service.kubernetes.io/service-proxy-name": "fairlead.dev" },
	},
);
const wanted = wantedOf([web, handedOver]);
const ranges = (...texts: string[]): Interval[] =>
	mergeIntervals(
		texts.map((text) => {
			const cidr = parseCidr(text);
			if (!cidr.ok) throw new RangeError(cidr.reason);
			return cidrRange(cidr.value);
		}),
	);
const sources = ranges("192.0.2.0/24", "203.0.113.10/32");
const right: [string, FoundFrontend][] = [
	[clusterIP, led(pods)],
	[nodePort, led(pods)],
	[balancer, led(pods, { sources })],
];

const rows: [
	sentence: string,
	change: [string, FoundFrontend | undefined][],
	findings: string[],
][] = [
	["what is as it should be", [], []],
	[
		"a frontend that is missing",
		[[nodePort, undefined]],
		["NodePort TCP 30080 (IPv4) is missing"],
	],
	[
		"an endpoint that is missing, and one too many",
		[[clusterIP, led([pods[0] ?? "", "10.244.9.9 8080"])]],
		[
			"ClusterIP 10.96.0.10 TCP 80 does not lead to 10.244.2.2 8080 and leads to 10.244.9.9 8080 as well",
		],
	],
	[
		"pods that are led elsewhere",
		[[nodePort, led(pods, { internalEndpoints: new Set([pods[0] ?? ""]) })]],
		[
			"NodePort TCP 30080 (IPv4) does not lead to 10.244.2.2 8080 (for pods and the node)",
		],
	],
	[
		"a refusal of what has endpoints",
		[[clusterIP, led(pods, { refuses: "reject" })]],
		[
			"ClusterIP 10.96.0.10 TCP 80 has endpoints, and packets are rejected all the same",
		],
	],
	[
		"other source ranges",
		[[balancer, led(pods, { sources: ranges("198.18.0.0/15") })]],
		[
			"LoadBalancer 203.0.113.10 TCP 80 keeps out 192.0.2.0/24 of its source ranges",
			"LoadBalancer 203.0.113.10 TCP 80 admits 198.18.0.0/15 beside its source ranges",
		],
	],
	[
		"an address that nobody wants there",
		[["198.51.100.9|UDP|53", led(pods)]],
		["198.51.100.9 UDP 53 is there and should not be"],
	],
];

it.each(rows)("says of %s what it should", (_, change, findings) => {
	const frontends = new Map(right);
	for (const [key, frontend] of change)
		if (frontend) frontends.set(key, frontend);
		else frontends.delete(key);
	expect(compareRules(wanted, { frontends })).toEqual(
		new Map(findings.length > 0 ? [["default/web", findings]] : []),
	);
});

it.each([
	["touch", ["192.0.2.0/25", "192.0.2.128/25"]],
	["overlap", ["192.0.2.0/24", "192.0.2.64/26"]],
])("finds nothing in source ranges that %s, which nft merges", (_, given) => {
	const spec = { ...web.spec, loadBalancerSourceRanges: given };
	expect(
		compareRules(wantedOf([{ ...web, spec }]), { frontends: new Map(right) }),
	).toEqual(new Map());
});

it("asks for no source ranges where nobody serves", () => {
	const refused = led([], { refuses: "reject" });
	expect(
		compareRules(wantedOf([web], []), {
			frontends: new Map(right.map(([key]) => [key, refused])),
		}),
	).toEqual(new Map());
});

it("says that nobody refuses what nobody serves", () => {
	const findings = compareRules(wantedOf([web], []), { frontends: new Map() });
	expect(findings.get("default/web")).toEqual([
		"ClusterIP 10.96.0.10 TCP 80 has no endpoint here, and packets are not rejected",
		"NodePort TCP 30080 (IPv4) has no endpoint here, and packets are not rejected",
		"LoadBalancer 203.0.113.10 TCP 80 has no endpoint here, and packets are not rejected",
	]);
});

it("says where packets that source ranges keep out are let by", () => {
	const frontends = new Map(right);
	frontends.set(balancer, led(pods, { sources, letsOthersBy: true }));
	expect(compareRules(wanted, { frontends }).get("default/web")).toEqual([
		"LoadBalancer 203.0.113.10 TCP 80 does not drop what its source ranges keep out",
	]);
});

describe("an address that several Services want", () => {
	const address = "198.51.100.7";
	const key = `${address}|TCP|80`;
	const of = (name: string, clusterIP: string, more = {}) =>
		serviceOf(
			{ clusterIPs: [clusterIP], externalIPs: [address], ...more },
			{ name },
		);
	const both = wantedOf(
		[of("a", "10.96.0.1"), of("b", "10.96.0.2")],
		[
			sliceOf(["10.244.1.2@node-1"], { service: "a" }),
			sliceOf(["10.244.1.3@node-1"], { service: "b" }),
		],
	);
	const a = led(["10.244.1.2 8080"], { service: "default/a" });
	const b = led(["10.244.1.3 8080"], { service: "default/b" });
	const findings = (there: FoundFrontend) =>
		compareRules(both, {
			frontends: new Map([
				["10.96.0.1|TCP|80", a],
				["10.96.0.2|TCP|80", b],
				[key, there],
			]),
		});

	it("may lead to any of them", () => {
		expect(findings(a)).toEqual(new Map());
		expect(findings(b)).toEqual(new Map());
		expect(findings({ ...b, refuses: "reject" })).toEqual(new Map());
	});

	it("may lead to nobody else", () => {
		expect(
			findings(led(["10.244.9.9 8080"], { service: "default/b" })),
		).toEqual(
			new Map([
				[
					"default/b",
					[
						"ExternalIP 198.51.100.7 TCP 80 does not lead to 10.244.1.3 8080 and leads to 10.244.9.9 8080 as well",
					],
				],
			]),
		);
	});
});

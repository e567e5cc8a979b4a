import { parse } from "yaml";
import type { Service } from "../../api/core.ts";
import { migrateMetallb, servedPools } from "./metallb.ts";
import { metallbObjects } from "./metallb-kinds.ts";
import { keepCommand, servicesToKeep } from "./metallb-services.ts";

/** `IPAddressPool p: {addresses: [10.0.0.0/24]}` */
function objects(...lines: string[]) {
	return metallbObjects(
		lines.map((line) => {
			const [, kind = "", name = "", spec = "{}"] =
				/^(\w+) (\S+?)(?:: (.*))?$/.exec(line) ?? [];
			return {
				apiVersion: "metallb.io/v1beta1",
				kind,
				metadata: { name, labels: { tier: name } },
				spec: parse(spec) as object,
			};
		}),
	);
}

const turned = (...lines: string[]) => {
	const { classes, pools, notes } = migrateMetallb(objects(...lines), {
		makeDefault: true,
	});
	return {
		classes: Object.fromEntries(
			classes.map(({ metadata, spec }) => [metadata.name, spec]),
		),
		pools: Object.fromEntries(
			pools.map(({ metadata, spec }) => [metadata.name, spec]),
		),
		notes: notes.map(
			({ about, kind, message }) => `${kind} ${about}: ${message}`,
		),
	};
};

const ten = "IPAddressPool p: {addresses: [10.0.0.0/24]}";
const everywhere = "L2Advertisement all";

describe("a pool of MetalLB", () => {
	test.each<[string, string, object]>([
		[
			"keeps its CIDRs and ranges",
			"{addresses: [10.0.0.0/24, 10.1.0.1-10.1.0.9, '2001:db8::/64']}",
			{ addresses: ["10.0.0.0/24", "10.1.0.1-10.1.0.9", "2001:db8::/64"] },
		],
		[
			"loses host bits, which mean nothing",
			"{addresses: [10.0.0.7/24]}",
			{ addresses: ["10.0.0.0/24"] },
		],
		[
			"is not drawn from by itself",
			"{addresses: [10.0.0.0/24], autoAssign: false}",
			{ addresses: ["10.0.0.0/24"], autoAssign: false },
		],
		[
			"avoids .0 and .255",
			"{addresses: [10.0.0.0/24], avoidBuggyIPs: true}",
			{ addresses: ["10.0.0.0/24"], avoidFirstAndLast: true },
		],
		[
			"admits namespaces by name",
			"{addresses: [10.0.0.0/24], serviceAllocation: {priority: 50, namespaces: [b, a]}}",
			{
				addresses: ["10.0.0.0/24"],
				priority: 50,
				namespaceSelector: {
					matchExpressions: [
						{
							key: "kubernetes.io/metadata.name",
							operator: "In",
							values: ["a", "b"],
						},
					],
				},
			},
		],
		[
			"admits namespaces of either label value, and Services by one selector",
			"{addresses: [10.0.0.0/24], serviceAllocation: {namespaceSelectors: [{matchLabels: {team: b}}, {matchExpressions: [{key: team, operator: In, values: [a]}]}], serviceSelectors: [{matchLabels: {tier: front, app: web}}]}}",
			{
				addresses: ["10.0.0.0/24"],
				priority: 500_000,
				namespaceSelector: {
					matchExpressions: [
						{ key: "team", operator: "In", values: ["a", "b"] },
					],
				},
				serviceSelector: { matchLabels: { tier: "front", app: "web" } },
			},
		],
	])("%s", (_sentence, spec, expected) => {
		const { pools, notes } = turned(`IPAddressPool p: ${spec}`, everywhere);
		expect(pools).toEqual({ p: expected });
		expect(
			notes.filter((note) => note.startsWith("Lost IPAddressPool")),
		).toEqual([]);
	});

	test("without serviceAllocation comes after those that have it", () => {
		const { pools } = turned(
			"IPAddressPool a: {addresses: [10.0.0.0/24]}",
			"IPAddressPool b: {addresses: [10.1.0.0/24], serviceAllocation: {priority: 0}}",
			"IPAddressPool c: {addresses: [10.2.0.0/24], serviceAllocation: {priority: 20}}",
			everywhere,
		);
		expect(pools).toMatchObject({
			a: { priority: 1_000_000 },
			b: { priority: 500_000 },
			c: { priority: 20 },
		});
	});

	test.each<[string, string, object | undefined, RegExp]>([
		[
			"an address no balancer can have",
			"{addresses: [10.0.0.0/24, 169.254.0.0/24]}",
			{ addresses: ["10.0.0.0/24"] },
			/^Lost IPAddressPool p: spec\.addresses\[1\] is left out: .*link-local/,
		],
		[
			"nothing but such addresses",
			"{addresses: [nowhere]}",
			undefined,
			/^Lost IPAddressPool p: has no address that Fairlead can hand out; left out$/,
		],
		[
			"alternatives that one selector cannot say",
			"{addresses: [10.0.0.0/24], serviceAllocation: {namespaces: [a], namespaceSelectors: [{matchLabels: {team: b}}]}}",
			{
				addresses: ["10.0.0.0/24"],
				priority: 500_000,
				namespaceSelector: {
					matchExpressions: [
						{
							key: "kubernetes.io/metadata.name",
							operator: "In",
							values: ["a"],
						},
					],
				},
			},
			/^Lost IPAddressPool p: .*only the first is taken, which admits fewer/,
		],
	])("with %s says what is lost", (_what, spec, expected, note) => {
		const { pools, notes } = turned(`IPAddressPool p: ${spec}`, everywhere);
		expect(pools).toEqual(expected ? { p: expected } : {});
		expect(notes).toContainEqual(expect.stringMatching(note));
	});
});

describe("advertisements of MetalLB become classes:", () => {
	test.each<[string, string[], object, object]>([
		[
			"one for Layer 2, which is not the default while no version has it",
			[ten, everywhere],
			{ "metallb-layer2": { provider: "Layer2" } },
			{ p: { addresses: ["10.0.0.0/24"] } },
		],
		[
			"with its interfaces and nodes",
			[
				ten,
				"L2Advertisement one: {interfaces: [eth1, eth0], nodeSelectors: [{matchLabels: {rack: r1}}, {matchLabels: {rack: r2}}]}",
			],
			{
				"metallb-layer2": {
					provider: "Layer2",
					layer2: {
						interfaces: ["eth0", "eth1"],
						nodeSelector: {
							matchExpressions: [
								{ key: "rack", operator: "In", values: ["r1", "r2"] },
							],
						},
					},
				},
			},
			{ p: { addresses: ["10.0.0.0/24"] } },
		],
		[
			"several where interfaces differ, each with the pools it names or selects",
			[
				"IPAddressPool a: {addresses: [10.0.0.0/24]}",
				"IPAddressPool b: {addresses: [10.1.0.0/24]}",
				"L2Advertisement one: {ipAddressPools: [a], interfaces: [eth0]}",
				"L2Advertisement two: {ipAddressPoolSelectors: [{matchLabels: {tier: b}}], interfaces: [eth1]}",
			],
			{
				"metallb-layer2": {
					provider: "Layer2",
					layer2: { interfaces: ["eth0"] },
				},
				"metallb-layer2-2": {
					provider: "Layer2",
					layer2: { interfaces: ["eth1"] },
				},
			},
			{
				a: { addresses: ["10.0.0.0/24"], classes: ["metallb-layer2"] },
				b: { addresses: ["10.1.0.0/24"], classes: ["metallb-layer2-2"] },
			},
		],
		[
			"a Static one for BGP",
			[
				ten,
				"BGPAdvertisement out: {communities: [65535:65282], localPref: 100}",
			],
			{ "metallb-static": { provider: "Static", default: true } },
			{ p: { addresses: ["10.0.0.0/24"] } },
		],
		[
			"a Static one for what nothing announces",
			[ten],
			{ "metallb-static": { provider: "Static", default: true } },
			{ p: { addresses: ["10.0.0.0/24"] } },
		],
		[
			"by the protocol of the older kind AddressPool",
			[
				"AddressPool a: {addresses: [10.0.0.0/24], protocol: layer2}",
				"AddressPool b: {addresses: [10.1.0.0/24], protocol: bgp}",
			],
			{
				"metallb-layer2": { provider: "Layer2" },
				"metallb-static": { provider: "Static" },
			},
			{
				a: { addresses: ["10.0.0.0/24"], classes: ["metallb-layer2"] },
				b: { addresses: ["10.1.0.0/24"], classes: ["metallb-static"] },
			},
		],
	])("%s", (_sentence, lines, classes, pools) => {
		const made = turned(...lines);
		expect(made).toMatchObject({ classes, pools });
		expect(made.pools).toEqual(pools);
		expect(made.classes).toEqual(classes);
	});

	test("and what BGP was told beside is named as lost", () => {
		const { notes } = turned(
			ten,
			"BGPAdvertisement out: {communities: [65535:65282], localPref: 100}",
			"BGPPeer router",
		);
		expect(notes).toContainEqual(
			expect.stringMatching(
				/^Lost BGPAdvertisement out: becomes a Static class.*\(communities, localPref\)$/,
			),
		);
		expect(notes).toContainEqual(
			expect.stringMatching(/^Lost BGPPeer router: /),
		);
	});

	test("and one that no provider serves yet is lost, while MetalLB keeps its Services", () => {
		const lines = [
			"IPAddressPool a: {addresses: [10.0.0.0/24]}",
			"IPAddressPool b: {addresses: [10.1.0.0/24]}",
			"L2Advertisement one: {ipAddressPools: [a]}",
		];
		expect(turned(...lines).notes).toContainEqual(
			expect.stringMatching(
				/^Lost BalancerClass metallb-layer2: .*keep MetalLB's controller and speakers/,
			),
		);
		const migration = migrateMetallb(objects(...lines), { makeDefault: true });
		expect(servedPools(migration).map(({ metadata }) => metadata.name)).toEqual(
			["b"],
		);
	});

	test("but not an L2Advertisement that selects no pool, which is said", () => {
		const { classes, notes } = turned(
			ten,
			"L2Advertisement none: {ipAddressPools: [gone]}",
		);
		expect(Object.keys(classes)).toEqual(["metallb-static"]);
		expect(notes).toContainEqual(
			expect.stringMatching(/^Changed L2Advertisement none: selects no/),
		);
	});

	test("and none is the default where that is not wanted", () => {
		const { classes } = migrateMetallb(objects(ten), {
			makeDefault: false,
		});
		expect(classes.map(({ spec }) => spec)).toEqual([{ provider: "Static" }]);
	});
});

describe("a Service that MetalLB serves", () => {
	const service = (
		annotations: Record<string, string>,
		...ips: string[]
	): Service => ({
		metadata: { namespace: "shop", name: "web", annotations },
		spec: {
			type: "LoadBalancer",
			ipFamilies: ["IPv4", "IPv6"],
			ports: [{ port: 80 }],
		},
		status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
	});
	const { pools } = migrateMetallb(
		objects(
			"IPAddressPool p: {addresses: [10.0.0.0/24, '2001:db8::/64']}",
			everywhere,
		),
		{ makeDefault: true },
	);
	const asks = "metallb.io/loadBalancerIPs";
	const annotate = "kubectl annotate service --overwrite --namespace shop web";
	test.each<[string, Service, string[]]>([
		[
			"must ask for the addresses it has, and be handed over",
			service({}, "10.0.0.5", "2001:db8::5"),
			[
				`${annotate} fairlead.dev/addresses=10.0.0.5,2001:db8::5 fairlead.dev/adopt=no`,
			],
		],
		[
			"must ask for the one it does not ask for yet",
			service({ [asks]: "10.0.0.5" }, "10.0.0.5", "2001:db8::5"),
			[
				`${annotate} fairlead.dev/addresses=10.0.0.5,2001:db8::5 fairlead.dev/adopt=no`,
			],
		],
		[
			"asks for it already, but must be handed over",
			service({ [asks]: "10.0.0.5,2001:db8::5" }, "10.0.0.5", "2001:db8::5"),
			[`${annotate} fairlead.dev/adopt=no`],
		],
		[
			"has been told everything",
			service({ [asks]: "10.0.0.5", "fairlead.dev/adopt": "no" }, "10.0.0.5"),
			[],
		],
		[
			"has been told what MetalLB's Services cannot be",
			service(
				{ [asks]: "10.0.0.5", "fairlead.dev/adopt": "hcloud-ccm" },
				"10.0.0.5",
			),
			[`${annotate} fairlead.dev/adopt=no`],
		],
		["has an address of somebody else's", service({}, "192.0.2.1"), []],
		["has none yet", service({}), []],
	])("and %s", (_what, found, commands) => {
		expect(servicesToKeep([found], pools).keep.map(keepCommand)).toEqual(
			commands,
		);
	});

	test("through a class of its own cannot be handed over, which is said", () => {
		const found = service({}, "10.0.0.5");
		found.spec.loadBalancerClass = "metallb";
		expect(servicesToKeep([found], pools)).toEqual({
			keep: [],
			notes: [
				expect.objectContaining({
					about: "Service shop/web",
					kind: "Lost",
					message: expect.stringContaining("which cannot be changed"),
				}),
			],
		});
	});
});

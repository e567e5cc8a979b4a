import fc from "fast-check";
import type { AddressPool } from "../../api/fairlead.ts";
import { parsePoolEntry, rangeContains } from "../addresses/cidr.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import { matchesSelector } from "../addresses/labels.ts";
import { arrangePools, compilePool } from "../addresses/pool.ts";
import { compilePolicy, policyBounds } from "./compiled-policy.ts";
import { grantOf, isGranted, readGrants } from "./grants.ts";

const range = (entry: string) => {
	const read = parsePoolEntry(entry);
	if (!read.ok) throw new Error(read.reason);
	return read.value;
};
const pool = (
	name: string,
	addresses: string[],
	spec: Partial<AddressPool["spec"]> = {},
): AddressPool => ({
	metadata: { name },
	spec: { addresses, uses: ["ExternalIP"], ...spec },
});
const compile = (pools: AddressPool[], own: string[] = []) =>
	compilePolicy(arrangePools(pools.map(compilePool)).pools, own.map(range));

test("pools are granted in the order they are drawn from, as CIDRs, with their selectors", () => {
	const team = { matchLabels: { team: "a" } };
	const front = {
		matchExpressions: [{ key: "tier", operator: "Exists" as const }],
	};
	expect(
		compile([
			pool("b", ["198.51.100.0/24", "2001:db8::/64"], {
				serviceSelector: front,
			}),
			pool("c", ["203.0.113.9-203.0.113.10"], {
				priority: 1,
				namespaceSelector: team,
			}),
		]),
	).toEqual({
		spec: {
			grants: [
				{
					pool: "c",
					cidrs: ["203.0.113.9/32", "203.0.113.10/32"],
					namespaceSelector: team,
				},
				{
					pool: "b",
					cidrs: ["198.51.100.0/24", "2001:db8::/64"],
					serviceSelector: front,
				},
			],
			denied: [],
		},
		leftOut: [],
	});
});

test.each<[string, AddressPool[], string[], string[]]>([
	[
		"a pool for LoadBalancer addresses alone grants nothing",
		[pool("a", ["192.0.2.0/30"], { uses: ["LoadBalancer"] })],
		[],
		[],
	],
	[
		"a pool without uses grants nothing",
		[{ metadata: { name: "a" }, spec: { addresses: ["192.0.2.0/30"] } }],
		[],
		[],
	],
	[
		"a pool for both uses grants its addresses",
		[pool("a", ["192.0.2.0/30"], { uses: ["LoadBalancer", "ExternalIP"] })],
		["a: 192.0.2.0/30"],
		[],
	],
	[
		"an address of two pools is granted by the first alone",
		[pool("a", ["192.0.2.0/31"]), pool("b", ["192.0.2.0/30"])],
		["a: 192.0.2.0/31", "b: 192.0.2.2/31"],
		[],
	],
	[
		"a pool whose selector means nothing grants nothing",
		[
			pool("a", ["192.0.2.0/30"], {
				namespaceSelector: { matchExpressions: [{ key: "k", operator: "In" }] },
			}),
		],
		[],
		[],
	],
	[
		"a node's address in a pool is denied",
		[pool("a", ["192.0.2.0/30"])],
		["a: 192.0.2.0/30"],
		["192.0.2.2/32"],
	],
	[
		"what no pool holds needs no denial",
		[pool("a", ["198.51.100.0/30"])],
		["a: 198.51.100.0/30"],
		[],
	],
])("%s", (_says, pools, grants, denied) => {
	const { spec } = compile(pools, ["192.0.2.2/32"]);
	expect(
		spec.grants.map(({ pool: name, cidrs }) => `${name}: ${cidrs.join(", ")}`),
	).toEqual(grants);
	if (denied.length > 0 || grants.length === 0)
		expect(spec.denied).toEqual(denied);
});

test("a Service CIDR inside of a pool is denied, exactly as far as the pool goes", () => {
	const { spec } = compile([pool("a", ["10.0.0.0-10.0.0.9"])], ["10.0.0.8/29"]);
	expect(spec.denied).toEqual(["10.0.0.8/31"]);
});

test("a pool of more CIDRs than a grant may have is granted in parts, all of them its own", () => {
	const entries = Array.from(
		{ length: 200 },
		(_, index) => `10.${index}.0.1-10.${index}.0.14`,
	);
	const { spec, leftOut } = compile([pool("a", entries)]);
	expect(leftOut).toEqual([]);
	expect(
		spec.grants.map(({ pool: name, cidrs }) => `${name} ${cidrs.length}`),
	).toEqual(["a 1024", "a 176"]);
});

test("a pool beyond the bounds of the policy is left out whole and named; later ones that fit are not", () => {
	const many = (second: number) =>
		Array.from(
			{ length: 255 },
			(_, index) => `10.${second}.${index}.1-10.${second}.${index}.254`,
		);
	const { spec, leftOut } = compile([
		pool("a", many(1)),
		pool("b", many(2)),
		pool("c", ["192.0.2.0/24"]),
	]);
	expect(leftOut).toEqual(["b"]);
	expect([...new Set(spec.grants.map((grant) => grant.pool))]).toEqual([
		"a",
		"c",
	]);
	const cidrs = spec.grants.reduce((sum, grant) => sum + grant.cidrs.length, 0);
	expect(cidrs).toBeLessThanOrEqual(policyBounds.cidrs);
});

test.each<
	[string, string, Record<string, string>, Record<string, string>, object]
>([
	[
		"an address of a pool that admits both",
		"192.0.2.1",
		{ team: "a" },
		{ tier: "front" },
		{ kind: "Granted", pool: "a" },
	],
	[
		"an address of a pool for another namespace",
		"192.0.2.1",
		{},
		{ tier: "front" },
		{ kind: "NotGranted", pool: "a" },
	],
	[
		"an address of a pool for other Services",
		"192.0.2.1",
		{ team: "a" },
		{},
		{ kind: "NotGranted", pool: "a" },
	],
	[
		"an address of no pool",
		"8.8.8.8",
		{ team: "a" },
		{ tier: "front" },
		{ kind: "NotGranted" },
	],
	[
		"a node's address",
		"192.0.2.2",
		{ team: "a" },
		{ tier: "front" },
		{ kind: "Denied" },
	],
])(
	"%s is judged as such",
	(_what, text, namespaceLabels, serviceLabels, verdict) => {
		const { spec } = compile(
			[
				pool("a", ["192.0.2.0/30"], {
					namespaceSelector: { matchLabels: { team: "a" } },
					serviceSelector: { matchLabels: { tier: "front" } },
				}),
			],
			["192.0.2.2/32"],
		);
		const address = parseIp(text);
		expect(
			address.ok &&
				grantOf(
					readGrants(spec),
					namespaceLabels,
					serviceLabels,
					address.value,
				),
		).toMatchObject(verdict);
		expect(
			isGranted(readGrants(spec), namespaceLabels, serviceLabels, text),
		).toBe(JSON.stringify(verdict).includes('"Granted"'));
	},
);

test("what cannot be read is not granted", () => {
	const { spec } = compile([pool("a", ["1.0.0.0/8"])]);
	expect(isGranted(readGrants(spec), {}, {}, "1.2.3.04")).toBe(false);
});

const entries = fc
	.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 12 }))
	.map(([first, size]) => `192.0.2.${first}-192.0.2.${first + size}`);
const selectors = fc.option(
	fc.oneof(
		fc.record({
			matchLabels: fc.dictionary(
				fc.constantFrom("team", "tier"),
				fc.constantFrom("a", "b"),
			),
		}),
		fc.record({
			matchExpressions: fc.array(
				fc.oneof(
					fc.record({
						key: fc.constantFrom("team", "tier"),
						operator: fc.constantFrom("In" as const, "NotIn" as const),
						values: fc.array(fc.constantFrom("a", "b"), {
							minLength: 1,
							maxLength: 2,
						}),
					}),
					fc.record({
						key: fc.constantFrom("team", "tier"),
						operator: fc.constantFrom(
							"Exists" as const,
							"DoesNotExist" as const,
						),
					}),
				),
				{ maxLength: 2 },
			),
		}),
	),
	{ nil: undefined },
);
const labels = fc.dictionary(
	fc.constantFrom("team", "tier"),
	fc.constantFrom("a", "b", "c"),
);

test("the compiled policy grants what the first pool with the address admits, and nothing that is the cluster's own", () => {
	fc.assert(
		fc.property(
			fc.array(
				fc.tuple(
					fc.array(entries, { minLength: 1, maxLength: 3 }),
					fc.boolean(),
					selectors,
					selectors,
				),
				{ maxLength: 4 },
			),
			fc.array(entries, { maxLength: 2 }),
			fc.integer({ min: 0, max: 60 }),
			labels,
			labels,
			(list, own, last, namespaceLabels, serviceLabels) => {
				const pools = list.map(
					([addresses, external, namespaceSelector, serviceSelector], index) =>
						pool(`p${index}`, addresses, {
							uses: [external ? "ExternalIP" : "LoadBalancer"],
							...(namespaceSelector ? { namespaceSelector } : {}),
							...(serviceSelector ? { serviceSelector } : {}),
						}),
				);
				const address = parseIp(`192.0.2.${last}`);
				if (!address.ok) throw new Error(address.reason);
				const has = (texts: string[]) =>
					texts.some((text) => rangeContains(range(text), address.value));
				const first = pools.find(({ spec }) => has(spec.addresses));
				const expected =
					first !== undefined &&
					!has(own) &&
					first.spec.uses?.includes("ExternalIP") === true &&
					matchesSelector(first.spec.namespaceSelector, namespaceLabels) &&
					matchesSelector(first.spec.serviceSelector, serviceLabels);
				const { spec } = compile(pools, own);
				expect(
					isGranted(
						readGrants(spec),
						namespaceLabels,
						serviceLabels,
						formatIp(address.value),
					),
				).toBe(expected);
			},
		),
		{ numRuns: 300 },
	);
});

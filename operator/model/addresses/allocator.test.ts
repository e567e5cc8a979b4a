import {
	both,
	held,
	pool,
	said,
	service,
} from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";

test("addresses are handed out by priority, then pool name, then value", () => {
	const allocator = new Allocator([
		pool("c", "10.0.3.0/31"),
		pool("b", "10.0.2.0/31"),
		pool("z", "10.0.1.0/31", { priority: 1 }),
	]);
	const order = ["a", "b", "c", "d", "e", "f"].map((name) =>
		held(allocator.allocate(service(name))).join(),
	);
	expect(order).toEqual([
		"10.0.1.0 of z",
		"10.0.1.1 of z",
		"10.0.2.0 of b",
		"10.0.2.1 of b",
		"10.0.3.0 of c",
		"10.0.3.1 of c",
	]);
});

test("asking again changes nothing", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	const first = allocator.allocate(service("a"));
	const before = JSON.stringify(allocator.snapshot());
	expect(allocator.allocate(service("a"))).toEqual(first);
	expect(JSON.stringify(allocator.snapshot())).toBe(before);
});

test("after a release the lowest free address is the next one handed out", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	for (const name of ["a", "b", "c", "d"]) allocator.allocate(service(name));
	allocator.release("c");
	expect(allocator.release("b")).toEqual({
		freed: [{ ip: "10.0.0.1", family: "IPv4", pool: "p" }],
		wake: [],
	});
	expect(held(allocator.allocate(service("e")))).toEqual(["10.0.0.1 of p"]);
	expect(held(allocator.allocate(service("f")))).toEqual(["10.0.0.2 of p"]);
	expect(held(allocator.allocate(service("g")))).toEqual(["10.0.0.4 of p"]);
});

test("avoided addresses are never handed out, not even on request", () => {
	const allocator = new Allocator([
		pool("p", "10.0.0.254-10.0.1.1", { avoidFirstAndLast: true }),
	]);
	expect(held(allocator.allocate(service("a")))).toEqual(["10.0.0.254 of p"]);
	expect(held(allocator.allocate(service("b")))).toEqual(["10.0.1.1 of p"]);
	expect(said(allocator.allocate(service("c")))).toEqual([
		"pool p: full (2 of 2)",
	]);
	expect(
		said(allocator.allocate(service("d", { wants: ["10.0.0.255"] }))),
	).toEqual(["pool p: 10.0.0.255 is left out by avoidFirstAndLast"]);
});

test("a pool of 2^64 addresses works like any other", () => {
	const allocator = new Allocator([
		pool("p", ["10.0.0.0/24", "2001:db8::/64"]),
	]);
	allocator.allocate(service("a", { families: ["IPv6"] }));
	allocator.allocate(
		service("b", {
			families: ["IPv6"],
			wants: ["2001:db8::ffff:ffff:ffff:ffff"],
		}),
	);
	expect(allocator.counts()).toEqual([
		{
			pool: "p",
			ipv4: { capacity: "256", assigned: "0", available: "256" },
			ipv6: {
				capacity: "18446744073709551616",
				assigned: "2",
				available: "18446744073709551614",
			},
		},
	]);
});

test("a Service that gets nothing hears from every pool why", () => {
	const pools = [
		pool("full", "10.0.0.0/32"),
		pool("six", "2001:db8::/64"),
		pool("team", "10.0.1.0/24", {
			namespaceSelector: { matchLabels: { team: "bank" } },
		}),
		pool("tier", "10.0.2.0/24", {
			serviceSelector: { matchLabels: { tier: "front" } },
		}),
		pool("wan", "10.0.3.0/24", { classes: ["wan", "edge"] }),
		pool("extern", "10.0.4.0/24", { uses: ["ExternalIP"] }),
		pool("asked", "10.0.5.0/24", { autoAssign: false }),
	];
	const allocator = new Allocator(pools);
	allocator.allocate(service("a"));
	const refused = allocator.allocate(service("b"));
	expect(refused).toMatchObject({ ok: false, addresses: [] });
	expect(said(refused)).toEqual([
		"pool asked: autoAssign is false; ask for the pool with annotation fairlead.dev/pool",
		"pool extern: is not for LoadBalancer addresses (uses: ExternalIP)",
		"pool full: full (1 of 1)",
		"pool six: no IPv4 addresses",
		"pool team: namespace shop is not admitted by namespaceSelector",
		"pool tier: the labels of the Service are not admitted by serviceSelector",
		"pool wan: class lan is not admitted (classes: wan, edge)",
	]);
	expect(allocator.explain(service("b"))).toEqual(refused.reasons);
});

test.each<[string, Parameters<typeof service>[1], string[]]>([
	["an address of a pool", { wants: ["10.0.0.7"] }, ["10.0.0.7 of auto"]],
	[
		"an address of a pool without autoAssign",
		{ wants: ["10.1.0.7"] },
		["10.1.0.7 of asked"],
	],
	["a pool", { requestedPool: "asked" }, ["10.1.0.0 of asked"]],
	[
		"a pool and an address of it",
		{ requestedPool: "asked", wants: ["10.1.0.7"] },
		["10.1.0.7 of asked"],
	],
	[
		"one address, and has two families",
		{ ...both, policy: "RequireDualStack", wants: ["2001:db8::7"] },
		["10.0.0.1 of auto", "2001:db8::7 of six"],
	],
	[
		"both, IPv6 first",
		{
			families: ["IPv6", "IPv4"],
			policy: "RequireDualStack",
			wants: ["10.1.0.7"],
		},
		["2001:db8:: of six", "10.1.0.7 of asked"],
	],
])("a Service that asks for %s gets it", (_what, wishes, addresses) => {
	const allocator = new Allocator([
		pool("auto", "10.0.0.0/24"),
		pool("asked", "10.1.0.0/24", { autoAssign: false }),
		pool("six", "2001:db8::/64"),
	]);
	allocator.allocate(service("a"));
	const result = allocator.allocate(service("b", wishes));
	expect(result).toMatchObject({ ok: true, reasons: [] });
	expect(held(result)).toEqual(addresses);
});

test.each<[string, Parameters<typeof service>[1], string]>([
	[
		"an address in no pool",
		{ wants: ["192.0.2.1"] },
		"192.0.2.1 is in no pool; add it to one, or ask for another",
	],
	[
		"an address somebody holds",
		{ wants: ["10.0.0.0"] },
		"pool auto: 10.0.0.0 is held by shop/a, and this Service has no sharing key",
	],
	[
		"an address of another pool than it asks for",
		{ wants: ["10.0.0.7"], requestedPool: "team" },
		"pool team: 10.0.0.7 is in pool auto, and the Service asks for both",
	],
	[
		"an address of a pool that does not admit it",
		{ wants: ["10.1.0.7"] },
		"pool team: namespace shop is not admitted by namespaceSelector",
	],
	[
		"a pool that does not exist",
		{ requestedPool: "moon" },
		"pool moon: does not exist, and the Service asks for it",
	],
	[
		"a pool that does not admit it",
		{ requestedPool: "team" },
		"pool team: namespace shop is not admitted by namespaceSelector",
	],
	[
		"a pool without its family",
		{ requestedPool: "auto", families: ["IPv6"] },
		"pool auto: no IPv6 addresses",
	],
])(
	"a Service that asks for %s gets none, and hears why",
	(_what, wishes, reason) => {
		const allocator = new Allocator([
			pool("auto", "10.0.0.0/24"),
			pool("team", "10.1.0.0/24", {
				namespaceSelector: { matchLabels: { team: "bank" } },
			}),
		]);
		allocator.allocate(service("a"));
		const result = allocator.allocate(service("b", wishes));
		expect(result).toMatchObject({ ok: false, addresses: [] });
		expect(said(result)).toContain(reason);
	},
);

test("without any pool the Service is told to create one", () => {
	expect(said(new Allocator([]).allocate(service("a")))).toEqual([
		"there is no AddressPool; create one",
	]);
});

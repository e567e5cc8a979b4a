import { jest } from "@jest/globals";
import {
	AdmissionWorld,
	compiled,
	pool,
	servicesOf,
	type Wish,
} from "../support/admission-world.ts";
import { eventually } from "../support/eventually.ts";

jest.setTimeout(120_000);

let world: AdmissionWorld;
beforeAll(async () => {
	world = await AdmissionWorld.start();
	await world.namespace("shop", { team: "a" });
	await world.namespace("other", { team: "b" });
	await world.namespace("plain", {});
	// What was there before anybody asked whether it may be.
	const hold = { finalizers: ["test.dev/hold"] };
	await world.make({ name: "old", externalIPs: ["8.8.8.8"], ...hold });
	await world.make({ name: "old-two", externalIPs: ["8.8.8.8", "1.1.1.1"] });
	await world.make({ name: "leaving", externalIPs: ["9.9.9.9"], ...hold });
	await world.admit();
});
afterAll(() => world?.stop());

describe("before the policy is there", () => {
	it("every Service is refused, for nobody knows what is granted, and the refusal says what is missing", async () => {
		await eventually(
			() => world.create({}),
			(said) =>
				expect(said).toContain(
					"no params found for policy binding with `Deny` parameterNotFoundAction",
				),
			10_000,
		);
	});

	it("status is not held up, nor is the deletion of a Service", async () => {
		await world.must(
			"PATCH",
			`${servicesOf()}/leaving/status`,
			{ metadata: { annotations: { seen: "yes" } } },
			"application/merge-patch+json",
		);
		await world.must("DELETE", `${servicesOf()}/leaving`);
	});
});

describe("with pools, ranges and both families", () => {
	beforeAll(async () => {
		await world.policy(
			compiled(
				[
					pool("everybody", ["198.51.100.0/28"]),
					pool("team-a", ["203.0.113.10-203.0.113.20", "2001:db8::/64"], {
						namespaceSelector: { matchLabels: { team: "a" } },
					}),
					pool("front", ["2001:db8:1::5-2001:db8:1::9"], {
						serviceSelector: {
							matchExpressions: [
								{ key: "tier", operator: "In", values: ["front", "edge"] },
							],
						},
					}),
					pool("balanced", ["192.0.2.0/28"], { uses: ["LoadBalancer"] }),
					pool("of-the-cluster", ["10.0.0.0/24", "10.96.0.0/24"]),
				],
				["10.0.0.1-10.0.0.3", "10.96.0.0/16"],
			),
		);
	});

	test.each<[string, Wish]>([
		["no external IP", {}],
		["an address granted to everybody", { externalIPs: ["198.51.100.3"] }],
		[
			"an address granted to everybody, in another namespace",
			{ externalIPs: ["198.51.100.3"], namespace: "plain" },
		],
		["the first address of a range", { externalIPs: ["203.0.113.10"] }],
		["the last address of a range", { externalIPs: ["203.0.113.20"] }],
		["an IPv6 address in another spelling", { externalIPs: ["2001:DB8:0::7"] }],
		[
			"addresses of two pools and both families",
			{ externalIPs: ["198.51.100.3", "2001:db8::7"] },
		],
		[
			"an address granted to Services with its label",
			{ externalIPs: ["2001:db8:1::9"], labels: { tier: "edge" } },
		],
		["an address of a pool beside a node's", { externalIPs: ["10.0.0.4"] }],
	])("a Service with %s is accepted", async (_what, wish) => {
		expect(await world.create(wish)).toBe("accepted");
	});

	test.each<[string, Wish, string]>([
		[
			"an address that other people's traffic goes to (CVE-2020-8554)",
			{ externalIPs: ["8.8.8.8"] },
			"spec.externalIPs: 8.8.8.8: no AddressPool with uses ExternalIP grants it to namespace shop (granted: everybody, of-the-cluster, team-a)",
		],
		[
			"the address before a range",
			{ externalIPs: ["203.0.113.9"] },
			"203.0.113.9: no AddressPool",
		],
		[
			"the address after a range",
			{ externalIPs: ["203.0.113.21"] },
			"203.0.113.21: no AddressPool",
		],
		[
			"the IPv6 address after a range",
			{ externalIPs: ["2001:db8:1::a"], labels: { tier: "edge" } },
			"2001:db8:1::a: no AddressPool",
		],
		[
			"an address granted to another namespace",
			{ externalIPs: ["203.0.113.11"], namespace: "other" },
			"to namespace other (granted: everybody",
		],
		[
			"an address granted to other Services",
			{ externalIPs: ["2001:db8:1::9"], labels: { tier: "back" } },
			"2001:db8:1::9: no AddressPool",
		],
		[
			"an address of a pool for balancers alone",
			{ externalIPs: ["192.0.2.3"] },
			"192.0.2.3: no AddressPool",
		],
		[
			"one granted and one ungranted address",
			{ externalIPs: ["198.51.100.3", "8.8.8.8"] },
			"spec.externalIPs: 8.8.8.8: no AddressPool",
		],
		[
			"a node's address",
			{ externalIPs: ["10.0.0.2"] },
			"10.0.0.2: an address of the cluster itself",
		],
		[
			"the cluster's DNS address",
			{ externalIPs: ["10.96.0.10"] },
			"10.96.0.10: an address of the cluster itself",
		],
		[
			"an address that programs read differently",
			{ externalIPs: ["198.51.100.03"] },
			"198.51.100.03",
		],
	])(
		"a Service with %s is refused, and told why",
		async (_what, wish, says) => {
			expect(await world.create(wish)).toContain(says);
		},
	);

	test.each<[string, string, object, string]>([
		[
			"keeps its ungranted address while its labels change",
			"old",
			{ metadata: { labels: { a: "b" } } },
			"accepted",
		],
		[
			"keeps it while its ports change",
			"old",
			{ spec: { ports: [{ port: 81 }] } },
			"accepted",
		],
		[
			"loses its finalizer",
			"old",
			{ metadata: { finalizers: [] } },
			"accepted",
		],
		[
			"gives up one of its addresses",
			"old-two",
			{ spec: { externalIPs: ["8.8.8.8"] } },
			"accepted",
		],
		[
			"gives up all of them",
			"old",
			{ spec: { externalIPs: null } },
			"accepted",
		],
		[
			"gains a granted address beside it",
			"old",
			{ spec: { externalIPs: ["8.8.8.8", "198.51.100.3"] } },
			"accepted",
		],
		[
			"gains another ungranted address",
			"old",
			{ spec: { externalIPs: ["8.8.8.8", "9.9.9.9"] } },
			"spec.externalIPs: 9.9.9.9: no AddressPool",
		],
		[
			"swaps it for another ungranted one",
			"old",
			{ spec: { externalIPs: ["9.9.9.9"] } },
			"spec.externalIPs: 9.9.9.9: no AddressPool",
		],
	])("an old Service %s", async (_what, name, patch, says) => {
		expect(await world.update(name, patch)).toContain(says);
	});

	it("a Service being deleted gains no ungranted address, and its last finalizer goes", async () => {
		expect(
			await world.update("leaving", {
				spec: { externalIPs: ["9.9.9.9", "8.8.4.4"] },
			}),
		).toContain("8.8.4.4: no AddressPool");
		expect(
			await world.update("leaving", { metadata: { finalizers: [] } }, false),
		).toBe("accepted");
		expect((await world.call("GET", `${servicesOf()}/leaving`)).code).toBe(404);
	});

	it("a namespace where nothing is granted is told that", async () => {
		await world.policy(
			compiled([
				pool("team-a", ["203.0.113.0/24"], {
					namespaceSelector: { matchLabels: { team: "a" } },
				}),
			]),
		);
		expect(
			await world.create({ externalIPs: ["203.0.113.1"], namespace: "plain" }),
		).toContain("(none grants it anything)");
	});
});

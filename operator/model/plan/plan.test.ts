import type { Service } from "../../api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	BalancerClass,
} from "../../api/fairlead.ts";
import { annotations } from "../../api/names.ts";
import { ClusterFacts } from "../explain/cluster-facts.ts";
import type { Edit } from "./edit.ts";
import { type Plan, planEdits } from "./plan.ts";

const fast: BalancerClass = {
	metadata: { name: "fast" },
	spec: { provider: "Static", default: true },
};
const pool = (
	name: string,
	spec: Partial<AddressPool["spec"]> = {},
): AddressPool => ({
	metadata: { name },
	spec: { addresses: ["192.0.2.0/31"], ...spec },
});
const service = (
	name: string,
	ip?: string,
	from = "a",
	spec: Partial<Service["spec"]> = {},
): Service => ({
	metadata: {
		namespace: "shop",
		name,
		uid: `u-${name}`,
		creationTimestamp: "2026-01-01T00:00:00Z",
		annotations: ip
			? {
					[annotations.assigned]: JSON.stringify({
						addresses: [ip],
						class: "fast",
						pools: [from],
						number: "1",
					}),
				}
			: {},
	},
	spec: {
		type: "LoadBalancer",
		ipFamilies: ["IPv4"],
		ports: [{ port: 80 }],
		...spec,
	},
	...(ip ? { status: { loadBalancer: { ingress: [{ ip }] } } } : {}),
});
const apply = (object: AddressPool): Edit => ({
	do: "apply",
	kind: "AddressPool",
	object,
});
const applyClass = (
	name: string,
	spec: Partial<BalancerClass["spec"]>,
): Edit => ({
	do: "apply",
	kind: "BalancerClass",
	object: { metadata: { name }, spec: { provider: "Static", ...spec } },
});
const remove = (name: string): Edit => ({
	do: "delete",
	kind: "AddressPool",
	name,
});
const planned = (
	services: Service[],
	pools: AddressPool[],
	edits: Edit[],
	classes: BalancerClass[] = [fast],
	reservations: AddressReservation[] = [],
): Plan => planEdits(factsOf(services, pools, classes, reservations), edits);
const factsOf = (
	services: Service[],
	pools: AddressPool[],
	classes: BalancerClass[],
	reservations: AddressReservation[],
) =>
	new ClusterFacts({
		services,
		pools,
		classes,
		namespaces: [{ metadata: { name: "shop" } }],
		nodes: [],
		slices: [],
		reservations,
		controller: { state: "Unknown" },
		unread: [],
		at: 0,
	});
const brief = ({ services }: Plan) =>
	services.map(
		({ service: key, change, before, after }) =>
			`${key} ${change} ${before.addresses.join()}>${after.addresses.join()}`,
	);

const full = [
	service("one", "192.0.2.0"),
	service("two", "192.0.2.1"),
	service("late"),
	service("later"),
];

describe("what an edit would change", () => {
	it.each<[string, Service[], AddressPool[], Edit[], string[], RegExp]>([
		[
			"nothing, for the same pool again",
			full.slice(0, 2),
			[pool("a")],
			[apply(pool("a"))],
			[],
			/^$/,
		],
		[
			"a pool that grows by one serves the first who waits, and the other goes on waiting",
			full,
			[pool("a")],
			[apply(pool("a", { addresses: ["192.0.2.0/31", "192.0.2.9/32"] }))],
			["shop/late Gains >192.0.2.9", "shop/later StillWaits >"],
			/^pool a: full \(3 of 3\)$/,
		],
		[
			"a pool that shrinks under a holder leaves it the address, out of order",
			full.slice(0, 2),
			[pool("a")],
			[apply(pool("a", { addresses: ["192.0.2.0/32"] }))],
			["shop/two Unadmitted 192.0.2.1>192.0.2.1"],
			/^pool a: 192\.0\.2\.1 is kept, though the pool no longer has it$/,
		],
		[
			"a deleted pool leaves its holders what they have",
			full.slice(0, 1),
			[pool("a")],
			[remove("a")],
			["shop/one Unadmitted 192.0.2.0>192.0.2.0"],
			/^pool a: 192\.0\.2\.0 is kept, though the pool does not exist any more$/,
		],
		[
			"a pool that is renamed, new one first, keeps everybody's address",
			full.slice(0, 1),
			[pool("a")],
			[apply(pool("b")), remove("a")],
			["shop/one Renamed 192.0.2.0>192.0.2.0"],
			/^$/,
		],
		[
			"a selector that shuts a holder out leaves it the address, out of order",
			full.slice(0, 1),
			[pool("a")],
			[
				apply(
					pool("a", { namespaceSelector: { matchLabels: { team: "ops" } } }),
				),
			],
			["shop/one Unadmitted 192.0.2.0>192.0.2.0"],
			/^pool a: namespace shop is not admitted by namespaceSelector$/,
		],
		[
			"a pool that takes a holder in again puts it in order",
			[service("one", "192.0.2.0")],
			[pool("a", { classes: ["gold"] })],
			[apply(pool("a"))],
			["shop/one Readmitted 192.0.2.0>192.0.2.0"],
			/^$/,
		],
		[
			"a class that is default no more takes the address away",
			full.slice(0, 1),
			[pool("a")],
			[applyClass("fast", { default: false })],
			["shop/one Loses 192.0.2.0>"],
			/no BalancerClass is default/,
		],
		[
			"a class that takes over as default serves those who wait all the same",
			[service("late")],
			[pool("a")],
			[
				applyClass("fast", { default: false }),
				applyClass("slow", { default: true }),
			],
			[],
			/^$/,
		],
	])("%s", (_row, services, pools, edits, expected, why) => {
		const plan = planned(services, pools, edits);
		expect(brief(plan)).toEqual(expected);
		expect(plan.services.at(-1)?.why ?? "").toMatch(why);
		expect(plan.services.length + plan.unaffected).toBe(services.length);
	});

	it("counts every pool before and after, and names what is wrong in the edited ones", () => {
		const { pools, problems } = planned(
			full,
			[pool("a")],
			[apply(pool("b", { addresses: ["192.0.2.1-192.0.2.4", "nonsense"] }))],
		);
		expect(
			pools.map(({ pool: name, before, after }) => [
				name,
				before && `${before.ipv4.assigned}/${before.ipv4.capacity}`,
				after && `${after.ipv4.assigned}/${after.ipv4.capacity}`,
			]),
		).toEqual([
			["a", "2/2", "2/2"],
			["b", null, "2/3"],
		]);
		expect(
			problems.map(({ object, code, field }) => [object, code, field]),
		).toEqual([
			["AddressPool b", "InvalidEntry", "spec.addresses[1]"],
			["AddressPool b", "Overlap", "spec.addresses"],
		]);
	});

	it("leaves a reserved address alone where somebody waits and another pool is edited", () => {
		const plan = planned(
			full.slice(1),
			[pool("a")],
			[apply(pool("b", { addresses: ["198.51.100.0/32"], autoAssign: false }))],
			[fast],
			[
				{
					metadata: { namespace: "shop", name: "kept", uid: "r" },
					spec: { pool: "a", addresses: ["192.0.2.0"] },
				},
			],
		);
		expect(brief(plan)).toEqual([
			"shop/late StillWaits >",
			"shop/later StillWaits >",
		]);
	});

	it("keeps one address, and always the same, for a reservation that names none and has none yet", () => {
		const plan = planned(
			[service("late"), service("later")],
			[pool("a", { addresses: ["192.0.2.0/32"] })],
			[
				apply(pool("b", { addresses: ["198.51.100.0/31"] })),
				apply(pool("c", { addresses: ["203.0.113.0/32"], autoAssign: false })),
				apply(pool("d", { addresses: ["203.0.113.9/32"], autoAssign: false })),
			],
			[fast],
			[
				{
					metadata: { namespace: "shop", name: "kept", uid: "r" },
					spec: { pool: "a" },
				},
			],
		);
		// pool a has one address, which the reservation keeps from the moment it is planned.
		expect(brief(plan)).toEqual([
			"shop/late Gains >198.51.100.0",
			"shop/later Gains >198.51.100.1",
		]);
		expect(plan.pools[0]?.after?.ipv4).toEqual({
			capacity: "1",
			assigned: "0",
			available: "0",
		});
	});

	it("moves the choice of such a reservation no further with each document", () => {
		const plan = planned(
			[],
			[pool("a", { addresses: ["192.0.2.0/29"], autoAssign: false })],
			["b", "c", "d"].map((name, at) =>
				apply(pool(name, { addresses: [`198.51.100.${at}/32`] })),
			),
			[fast],
			[
				{
					metadata: { namespace: "shop", name: "kept", uid: "r" },
					spec: { pool: "a" },
				},
			],
		);
		expect(plan.pools[0]?.after?.ipv4.available).toBe("7");
	});

	it("leaves out what the API server refuses, and says so and what it could not be asked about", () => {
		const refused = apply(pool("a", { addresses: ["10.0.0.0/31"] }));
		const taken = apply(pool("b", { addresses: ["198.51.100.0/32"] }));
		const plan = planEdits(
			factsOf([service("one", "192.0.2.0")], [pool("a")], [fast], []),
			[refused, taken],
			{
				refused: new Map([
					[
						refused,
						[
							{
								object: "AddressPool a",
								code: "Refused",
								field: "spec.addresses[0]",
								message: "no",
							},
						],
					],
				]),
				unchecked: ["AddressPool b: may not be asked"],
			},
		);
		expect(plan.problems.map(({ message }) => message)).toEqual(["no"]);
		expect(plan.services).toEqual([]);
		expect(plan.pools.map(({ pool: name }) => name)).toEqual(["a", "b"]);
		expect(plan.unchecked).toEqual(["AddressPool b: may not be asked"]);
	});

	it.each<[string, BalancerClass[], Edit, string, string[]]>([
		[
			"another provider, which the API server refuses",
			[{ ...fast, spec: { provider: "HetznerCloud", default: true } }],
			applyClass("fast", { default: true }),
			"Refused spec.provider",
			[],
		],
		[
			"a second default class, which leaves those who wait without any",
			[fast],
			applyClass("slow", { default: true }),
			"AmbiguousDefaultClass spec.default",
			["shop/late Loses 192.0.2.0>"],
		],
		[
			"a provider that this version does not have",
			[fast],
			applyClass("lan", { provider: "Layer2" }),
			"ProviderUnavailable spec.provider",
			[],
		],
		[
			"the end of a class in use, which stays until its Services are gone",
			[{ ...fast, metadata: { name: "fast", finalizers: ["in-use"] } }],
			{ do: "delete", kind: "BalancerClass", name: "fast" },
			"ClassDeleting metadata.deletionTimestamp",
			["shop/late Loses 192.0.2.0>"],
		],
	])("names as a problem %s", (_what, classes, edit, problem, services) => {
		const plan = planned(
			[service("one", "192.0.2.1"), service("late")],
			[pool("a")],
			[edit],
			classes,
		);
		expect(plan.problems.map(({ code, field }) => `${code} ${field}`)).toEqual([
			problem,
		]);
		expect(brief(plan)).toEqual(services);
	});

	it("shows the address a cloud chose as the one that is lost", () => {
		const cloud: BalancerClass = {
			metadata: { name: "fast" },
			spec: { provider: "HetznerCloud", default: true },
		};
		const served = service("one");
		served.metadata.annotations = {
			[annotations.assigned]: JSON.stringify({
				addresses: ["203.0.113.7"],
				class: "fast",
				number: "1",
			}),
		};
		const without = { ...applyClass("fast", { provider: "HetznerCloud" }) };
		expect(brief(planned([served], [], [without], [cloud]))).toEqual([
			"shop/one Loses 203.0.113.7>",
		]);
	});
});

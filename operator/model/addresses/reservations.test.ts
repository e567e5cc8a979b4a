import fc from "fast-check";
import {
	held,
	ip,
	pool,
	service,
} from "../../../test/support/address-requests.ts";
import type { AddressReservation } from "../../api/fairlead.ts";
import { Allocator } from "./allocator.ts";
import { formatIp } from "./ip.ts";
import {
	type ReservationStanding,
	reservedCode,
	settleReservations,
} from "./reservations.ts";

/** The number is its age: 0 is the oldest. */
const reservation = (
	age: number,
	spec: Partial<AddressReservation["spec"]> = {},
	status: AddressReservation["status"] = {},
): AddressReservation => ({
	metadata: {
		namespace: "shop",
		name: `r${age}`,
		uid: `u${age}`,
		creationTimestamp: `2026-01-01T00:00:0${age}Z`,
	},
	spec: { pool: "p", ...spec },
	status,
});

const sameSecond = (
	key: string,
	uid: string,
	spec: Partial<AddressReservation["spec"]>,
): AddressReservation => {
	const made = reservation(0, spec);
	const [namespace = "", name = ""] = key.split("/");
	return { ...made, metadata: { ...made.metadata, namespace, name, uid } };
};

function settle(
	allocator: Allocator,
	reservations: AddressReservation[],
	chosen: Record<string, string[]> = {},
): ReservationStanding[] {
	return settleReservations(reservations, {
		book: allocator.book,
		namespaceLabels: () => ({ team: "shop" }),
		heldBy: (_namespace, name) =>
			allocator.addressesOf(name).map((each) => each.ip),
		chosen: (key) => chosen[key] ?? [],
	});
}

/** `r0 Reserved 10.0.0.0 for web` */
const told = (standings: ReservationStanding[]) =>
	standings.map(({ key, ready, addresses, bound }) =>
		[
			key.split("/")[1],
			ready.reason,
			...addresses,
			...(bound ? [`bound to ${bound}`] : []),
		].join(" "),
	);

const some = { addresses: ["10.0.0.1"] };
const web = { serviceName: "web" };

test.each<[string, AddressReservation[], string[], string[]]>([
	[
		"reserves what it names",
		[reservation(0, some)],
		[],
		["r0 Reserved 10.0.0.1"],
	],
	[
		"reads any spelling of an address",
		[reservation(0, { addresses: ["2001:DB8:0::1", "10.0.0.1"] })],
		[],
		["r0 Reserved 2001:db8::1 10.0.0.1"],
	],
	[
		"chooses the lowest free address of each family",
		[reservation(0)],
		["a"],
		["r0 Reserved 10.0.0.1 2001:db8::"],
	],
	[
		"keeps to what its status says was chosen",
		[reservation(0, {}, { addresses: ["10.0.0.3", "2001:db8::2"] })],
		[],
		["r0 Reserved 10.0.0.3 2001:db8::2"],
	],
	[
		"chooses anew what its status says of another pool",
		[reservation(0, {}, { addresses: ["10.9.0.3"] })],
		[],
		["r0 Reserved 10.0.0.0 2001:db8::"],
	],
	[
		"chooses what its Service has",
		[reservation(0, web)],
		["a", "web"],
		["r0 Reserved 10.0.0.1 2001:db8:: bound to web"],
	],
	[
		"chooses nothing that a younger one names",
		[reservation(0), reservation(1, { addresses: ["10.0.0.0", "2001:db8::"] })],
		[],
		["r0 Reserved 10.0.0.1 2001:db8::1", "r1 Reserved 10.0.0.0 2001:db8::"],
	],
	[
		"yields to an older one",
		[
			reservation(1, some),
			reservation(0, { addresses: ["10.0.0.1", "10.0.0.2"] }),
		],
		[],
		["r0 Reserved 10.0.0.1 10.0.0.2", "r1 AddressReserved"],
	],
	[
		"yields to one of the same second whose name comes first, whatever its UID",
		[sameSecond("shop/b", "u1", some), sameSecond("shop/a", "u2", some)],
		[],
		["a Reserved 10.0.0.1", "b AddressReserved"],
	],
	[
		"yields to one of the same second whose namespace comes first",
		[sameSecond("shop/a", "u1", some), sameSecond("bank/b", "u2", some)],
		[],
		["b Reserved 10.0.0.1", "a AddressReserved"],
	],
	[
		"yields to an older one whose name comes later",
		[
			{
				...sameSecond("shop/a", "u1", some),
				metadata: reservation(1).metadata,
			},
			sameSecond("shop/z", "u2", some),
		],
		[],
		["z Reserved 10.0.0.1", "r1 AddressReserved"],
	],
	[
		"waits for who holds the address",
		[reservation(0, { ...web, addresses: ["10.0.0.0"] })],
		["a"],
		["r0 AddressInUse"],
	],
	[
		"reserves the rest of what it names",
		[
			reservation(0, {
				addresses: ["10.0.0.0", "10.0.0.2", "10.9.0.0", "here"],
			}),
		],
		["a"],
		["r0 AddressInvalid 10.0.0.2"],
	],
	[
		"needs its pool",
		[reservation(0, { ...some, pool: "q" })],
		[],
		["r0 PoolNotFound"],
	],
	[
		"needs to be admitted",
		[reservation(0, { pool: "closed" })],
		[],
		["r0 NamespaceNotAdmitted"],
	],
])("a reservation %s", (_what, reservations, services, expected) => {
	const allocator = new Allocator([
		pool("p", ["10.0.0.0/30", "2001:db8::/126"]),
		pool("closed", "10.8.0.0/30", {
			namespaceSelector: { matchLabels: { team: "other" } },
			priority: 1,
		}),
	]);
	for (const name of services)
		allocator.allocate(service(name, { requestedPool: "p" }));
	expect(told(settle(allocator, reservations))).toEqual(expected);
});

test("a reservation says what is in its way, in words that help", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/30")]);
	allocator.allocate(service("a"));
	const [first] = settle(allocator, [
		reservation(0, { addresses: ["10.0.0.0", "10.9.0.0"] }),
	]);
	expect(first?.ready.message).toBe(
		"10.0.0.0 is held by shop/a, and reserved once that Service leaves it; pool p: it does not have 10.9.0.0",
	);
});

const wish = fc.record({
	age: fc.nat(9),
	addresses: fc.uniqueArray(
		fc.nat(5).map((last) => `10.0.0.${last}`),
		{ maxLength: 2 },
	),
	serviceName: fc.constantFrom(undefined, "s0", "s1", "s2"),
});
const wishes = fc
	.uniqueArray(wish, { selector: ({ age }) => age, maxLength: 6 })
	.map((list) =>
		list.map(({ age, addresses, serviceName }) =>
			reservation(age, { addresses, ...(serviceName ? { serviceName } : {}) }),
		),
	);

test("no address is reserved twice, in whatever order reservations are read, and settling again changes nothing", () => {
	fc.assert(
		fc.property(
			wishes.chain((list) =>
				fc.tuple(
					fc.constant(list),
					fc.shuffledSubarray(list, { minLength: list.length }),
				),
			),
			fc.subarray(["s0", "s1", "s2", "s3"]),
			([list, shuffled], names) => {
				const allocator = new Allocator([pool("p", "10.0.0.0/29")]);
				for (const name of names) allocator.allocate(service(name));
				const standings = settle(allocator, list);
				expect(settle(allocator, shuffled)).toEqual(standings);
				const all = standings.flatMap(({ holds }) =>
					holds.map(({ address }) => formatIp(address)),
				);
				expect(new Set(all).size).toBe(all.length);
				for (const { holds } of standings)
					for (const { address, hold } of holds) allocator.hold(address, hold);
				const chosen = Object.fromEntries(
					standings.map(({ key, addresses }) => [key, addresses]),
				);
				expect(settle(allocator, list, chosen)).toEqual(standings);
				// A restart knows only what the statuses say.
				const written = list.map((each) => ({
					...each,
					status: { addresses: chosen[`shop/${each.metadata.name}`] ?? [] },
				}));
				for (const each of all) allocator.unhold(ip(each), reservedCode);
				expect(settle(allocator, written)).toEqual(standings);
			},
		),
	);
});

test("one that yields is told to whom, and why to that one", () => {
	const [, second] = settle(new Allocator([pool("p", "10.0.0.0/30")]), [
		sameSecond("shop/b", "u1", some),
		sameSecond("shop/a", "u2", some),
	]);
	expect(second?.ready.message).toBe(
		"10.0.0.1 is reserved by AddressReservation shop/a, which comes first: the older does, and of one second the lesser namespace/name",
	);
});

test("who a reservation is for gets it, whoever else waits, and others get it once it is gone", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/32")]);
	const [standing] = settle(allocator, [
		reservation(0, { ...web, addresses: ["10.0.0.0"] }),
	]);
	for (const { address, hold } of standing?.holds ?? [])
		allocator.hold(address, hold);
	expect(held(allocator.allocate(service("a")))).toEqual([]);
	expect(held(allocator.allocate(service("web")))).toEqual(["10.0.0.0 of p"]);
	allocator.release("web");
	expect(allocator.unhold(ip("10.0.0.0"), reservedCode).wake).toEqual(["a"]);
});

test.each([
	["when its pool comes", "p", [], [pool("p", "10.0.0.0/32")]],
	[
		"when its pool grows",
		"p",
		[pool("p", "10.0.0.9/32")],
		[pool("p", ["10.0.0.9/32", "10.0.0.0/32"])],
	],
	[
		"when its pool no longer leaves it out",
		"p",
		[pool("p", "10.0.0.0/24", { avoidFirstAndLast: true, autoAssign: false })],
		[pool("p", "10.0.0.0/32")],
	],
])(
	"an address that a reservation names goes to nobody who waits %s",
	(_when, name, before, after) => {
		const allocator = new Allocator(before);
		allocator.allocate(service("first"));
		const waits = allocator.allocate(service("a"));
		expect(waits.ok).toBe(false);
		const reservations = [
			reservation(0, { ...web, pool: name, addresses: ["10.0.0.0"] }),
		];
		for (const { holds } of settle(allocator, reservations))
			for (const { address, hold } of holds) allocator.hold(address, hold);
		expect(held(allocator.allocate(service("web")))).toEqual([]);
		expect(allocator.setPools(after).wake).toEqual(["web"]);
		expect(allocator.addressesOf("a")).toEqual([]);
		expect(told(settle(allocator, reservations))).toEqual([
			"r0 Reserved 10.0.0.0 bound to web",
		]);
	},
);

test("nobody keeps an address of a pool that it is not admitted to, by naming a pool that is not there", () => {
	const allocator = new Allocator([
		pool("closed", "10.8.0.0/30", {
			namespaceSelector: { matchLabels: { team: "other" } },
		}),
	]);
	const holds = settle(allocator, [
		reservation(0, { pool: "closed", addresses: ["10.8.0.0", "10.9.0.0"] }),
		reservation(1, { pool: "q", addresses: ["10.8.0.0"] }),
	]).flatMap((each) => each.holds);
	expect(holds).toEqual([]);
});

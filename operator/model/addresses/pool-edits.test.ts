import { held, pool, service } from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";
import type { Pool } from "./pool.ts";
import type { AddressRequest } from "./request.ts";

const holders = (pools: Pool[], ...requests: AddressRequest[]) => {
	const allocator = new Allocator(pools);
	for (const request of requests) allocator.allocate(request);
	return allocator;
};

test("growing a pool serves who waited, the oldest first", () => {
	const allocator = holders(
		[pool("p", "10.0.0.0/32")],
		...["a", "d", "b", "c"].map((name) => service(name)),
	);
	expect(allocator.setPools([pool("p", "10.0.0.0-10.0.0.2")])).toEqual({
		changed: [],
		freed: [],
		wake: ["b", "c"],
	});
});

test("what a Service leaves for a new pool is for the oldest who waits, tried before or not", () => {
	const allocator = holders(
		[pool("p", "10.0.0.0/32", { autoAssign: false })],
		service("b", { requestedPool: "p" }),
		service("b", { requestedPool: "q" }),
		service("a"),
		service("c"),
	);
	const { wake } = allocator.setPools([
		pool("p", "10.0.0.0/32"),
		pool("q", "10.0.1.0/32", { autoAssign: false }),
	]);
	expect(wake).toEqual(["b", "a"]);
	expect(allocator.addressesOf("a")).toMatchObject([{ ip: "10.0.0.0" }]);
});

test.each<[string, Pool[], string | undefined, string, string]>([
	[
		"shrunk under its holder",
		[pool("p", "10.0.0.8/29")],
		undefined,
		"OutsidePool",
		"p",
	],
	["deleted", [], undefined, "PoolGone", "p"],
	["renamed", [pool("r", "10.0.0.0/24")], "r", "", "r"],
	[
		"made to avoid the address",
		[pool("p", "10.0.0.0/24", { avoidFirstAndLast: true })],
		undefined,
		"AddressAvoided",
		"p",
	],
	[
		"closed to the Service's class",
		[pool("p", "10.0.0.0/24", { classes: ["wan"] })],
		"p",
		"ClassNotAdmitted",
		"p",
	],
	[
		"taken over by a pool that comes first",
		[pool("p", "10.0.0.0/24"), pool("o", "10.0.0.0/28")],
		"o",
		"",
		"o",
	],
])(
	"when its pool is %s the holder keeps the address",
	(_what, pools, to, code, recorded) => {
		const allocator = holders([pool("p", "10.0.0.0/24")], service("a"));
		const { changed } = allocator.setPools(pools);
		expect(changed).toMatchObject([
			{
				uid: "a",
				ip: "10.0.0.0",
				from: "p",
				...(to ? { to } : {}),
				...(code ? { notice: { code } } : {}),
			},
		]);
		const after = allocator.allocate(service("a"));
		expect(after).toMatchObject({ ok: true, freed: [] });
		expect(held(after)).toEqual([`10.0.0.0 of ${recorded}`]);
		expect(after.notices.map((notice) => notice.code)).toEqual(
			code ? [code] : [],
		);
	},
);

test("an address outside every pool is not handed out again once it is free", () => {
	const allocator = holders([pool("p", "10.0.0.0/31")], service("a"));
	allocator.setPools([pool("p", "10.0.0.1/32")]);
	allocator.release("a");
	expect(held(allocator.allocate(service("b")))).toEqual(["10.0.0.1 of p"]);
	expect(allocator.allocate(service("c")).ok).toBe(false);
});

test("a Service that asked for its pool by name stays where it is when the pool is split", () => {
	const request = service("a", { requestedPool: "p" });
	const allocator = holders([pool("p", "10.0.0.0/31")], request);
	allocator.setPools([pool("p", "10.0.0.1/32"), pool("q", "10.0.0.0/32")]);
	expect(held(allocator.allocate(request))).toEqual(["10.0.0.0 of p"]);
});

test("a Service that asks for another pool than it has moves there when it can", () => {
	const allocator = holders(
		[pool("p", "10.0.0.0/32"), pool("q", "10.1.0.0/32")],
		service("a"),
		service("b"),
	);
	const asked = allocator.allocate(service("a", { requestedPool: "q" }));
	expect(asked).toMatchObject({ ok: false });
	expect(held(asked)).toEqual(["10.0.0.0 of p"]);
	expect(allocator.release("b").wake).toEqual(["a"]);
	expect(held({ addresses: allocator.addressesOf("a") })).toEqual([
		"10.1.0.0 of q",
	]);
});

test("an address that changed its pool and then lost it is recorded under the last that had it, with a restart between or without", () => {
	const edits = [
		[pool("p", "10.0.0.0/24"), pool("o", "10.0.0.0/28")],
		[pool("p", "10.0.1.0/24")],
	];
	const going = holders([pool("p", "10.0.0.0/24")], service("a"));
	for (const pools of edits) {
		const restarted = new Allocator(going.pools());
		restarted.adopt([
			{ request: service("a"), addresses: going.addressesOf("a") },
		]);
		restarted.setPools(pools);
		going.setPools(pools);
		expect(restarted.snapshot()).toEqual(going.snapshot());
	}
	expect(going.addressesOf("a")).toMatchObject([{ pool: "o" }]);
});

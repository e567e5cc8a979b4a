import type { HeldAddress } from "../../api/fairlead.ts";
import {
	addHeld,
	heldEntries,
	holdOf,
	isReleased,
	nextExpiry,
	readHeld,
	standingHeld,
} from "./held.ts";

const now = Date.UTC(2026, 0, 1);
const kept = (
	last: number,
	service = "shop/web",
	until = "2026-01-01T00:10:00Z",
): HeldAddress => ({
	address: `10.0.0.${last}`,
	reason: "Retained",
	service,
	until,
});
const releasing = (released?: string): HeldAddress => ({
	address: "10.0.0.1",
	reason: "Releasing",
	service: "shop/web",
	...(released === undefined ? {} : { released }),
});

test.each<[string, number, boolean, HeldAddress[]]>([
	["from a pool without retention is free", 0, false, []],
	[
		"from a pool with retention is kept that long, in whole seconds",
		599_001,
		false,
		[kept(1)],
	],
	[
		"that nodes announce is kept until they have stopped",
		0,
		true,
		[releasing()],
	],
	["may be kept for both reasons", 600_000, true, [releasing(), kept(1)]],
])(
	"an address that is left and %s",
	(_what, retentionMs, announced, expected) => {
		const left = {
			address: "10.0.0.1",
			service: "shop/web",
			retentionMs,
			announced,
		};
		expect(heldEntries(left, now)).toEqual(expected);
	},
);

test.each<[string, HeldAddress[], HeldAddress[], HeldAddress[]]>([
	["comes last", [kept(1)], [kept(2)], [kept(1), kept(2)]],
	[
		"is not prolonged by being noted again",
		[kept(1)],
		[kept(1, "shop/web", "2026-01-01T00:20:00Z")],
		[kept(1)],
	],
	[
		"is kept for who left it last",
		[kept(1), kept(2)],
		[kept(1, "shop/api")],
		[kept(2), kept(1, "shop/api")],
	],
	[
		"is not kept once the limit is reached",
		[kept(1), kept(2), kept(3)],
		[kept(4)],
		[kept(1), kept(2), kept(3)],
	],
])("what is added %s", (_what, held, fresh, expected) => {
	expect(addHeld(held, fresh, 3)).toEqual(expected);
});

test("what is kept stands until its time has come, to the millisecond", () => {
	const until = Date.parse("2026-01-01T00:10:00Z");
	expect(standingHeld([kept(1)], until - 1, [])).toEqual([kept(1)]);
	expect(standingHeld([kept(1)], until, [])).toEqual([]);
	expect(nextExpiry([kept(2, "a/b", "2026-01-01T01:00:00Z"), kept(1)])).toBe(
		until,
	);
	expect(nextExpiry([releasing("7")])).toBeUndefined();
});

test.each<[string, string | undefined, (string | undefined)[], boolean]>([
	["nobody announces anything", undefined, [], true],
	["every agent has passed it", "100", ["100", "2000"], true],
	["one agent has not", "100", ["99", "2000"], false],
	["numbers are compared, not texts", "1000", ["999"], false],
	["one agent has not reported yet", "100", ["200", undefined], false],
	["it has not happened yet", undefined, ["200"], false],
])("of a release, when %s", (_what, released, reached, over) => {
	const announcers = reached.map((each, index) => ({
		node: `n${index}`,
		...(each === undefined ? {} : { reached: each }),
	}));
	expect(isReleased(releasing(released), announcers)).toBe(over);
	expect(standingHeld([releasing(released)], now, announcers)).toHaveLength(
		over ? 0 : 1,
	);
});

test("the allocator keeps a retained address for its Service, and one being released for nobody", () => {
	expect(holdOf(kept(1))).toEqual({
		code: "Retained",
		message: "is kept for shop/web until 2026-01-01T00:10:00Z",
		for: { namespace: "shop", name: "web" },
	});
	expect(holdOf(releasing("7"))).toEqual({
		code: "Releasing",
		message: "was held by shop/web, and some node may still announce it",
	});
});

test.each<[string, unknown]>([
	["no list", "all"],
	["nothing", [null]],
	["another spelling of an address", [{ ...kept(1), address: "2001:DB8::1" }]],
	["no address", [{ ...kept(1), address: "here" }]],
	["no Service", [{ ...kept(1), service: "web" }]],
	["no time", [{ ...kept(1), until: "soon" }]],
	["an unknown reason", [{ ...kept(1), reason: "Liked" }]],
	["no version", [{ ...releasing(), released: "soon" }]],
])(
	"an entry with %s in a status somebody edited is left out",
	(_what, held) => {
		expect(readHeld(held)).toEqual([]);
		expect(readHeld([...[held].flat(), kept(2), releasing("7")])).toEqual([
			kept(2),
			releasing("7"),
		]);
	},
);

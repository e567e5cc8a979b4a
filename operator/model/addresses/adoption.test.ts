import { held, pool, service } from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";
import { reasonText } from "./reasons.ts";

const claim = (name: string, address: string, more = {}) => ({
	request: service(name, more),
	addresses: [{ ip: address, pool: "p" }],
});

test("holders get back what is recorded, before anything new is handed out", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/30")]);
	allocator.adopt([claim("b", "10.0.0.0"), claim("c", "10.0.0.2")]);
	expect(held(allocator.allocate(service("a")))).toEqual(["10.0.0.1 of p"]);
	expect(held(allocator.allocate(service("b")))).toEqual(["10.0.0.0 of p"]);
});

test.each([
	["the older", { createdAt: "2026-01-02T00:00:00Z" }],
	["the lower UID of two of one age", { uid: "z" }],
])(
	"of two Services recorded with one address %s keeps it, the other hears why",
	(_who, younger) => {
		for (const order of [0, 1]) {
			const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
			const claims = [
				claim("keeps", "10.0.0.9"),
				claim("loses", "10.0.0.9", younger),
			];
			if (order) claims.reverse();
			const [kept, lost] = allocator.adopt(claims);
			expect(kept).toMatchObject({ uid: "keeps", reasons: [] });
			expect(lost?.addresses).toEqual([]);
			expect(lost?.reasons.map(reasonText)).toEqual([
				"pool p: 10.0.0.9 is held by shop/keeps, and this Service has no sharing key",
			]);
		}
	},
);

test("an address that no pool has is kept, with a notice", () => {
	const allocator = new Allocator([pool("q", "10.1.0.0/24")]);
	allocator.adopt([claim("a", "10.0.0.9")]);
	const result = allocator.allocate(service("a"));
	expect(held(result)).toEqual(["10.0.0.9 of p"]);
	expect(result).toMatchObject({ ok: true, notices: [{ code: "PoolGone" }] });
});

test.each([
	["is no address", "house", "AddressInvalid"],
	["is a second one of the family", "10.0.0.5", "RequestConflict"],
])("a recorded address that %s is not adopted", (_what, address, code) => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	const [adoption] = allocator.adopt([
		{
			request: service("a"),
			addresses: ["10.0.0.4", address].map((each) => ({
				ip: each,
				pool: "p",
			})),
		},
	]);
	expect(adoption).toMatchObject({
		addresses: [{ ip: "10.0.0.4" }],
		reasons: [{ code }],
	});
});

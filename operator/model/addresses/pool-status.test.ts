import type { HeldAddress } from "../../api/fairlead.ts";
import { type PoolFacts, poolStatusChange } from "./pool-status.ts";

const count = { capacity: "4", assigned: "1", available: "3" };
const now = "2026-01-01T00:00:00Z";
const fine: PoolFacts = {
	pool: { problems: [], retentionMs: 0 },
	ipv4: count,
	ipv6: count,
	held: [],
	outside: [],
};
const kept = (last: number): HeldAddress => ({
	address: `10.0.${last >> 8}.${last & 255}`,
	reason: "Retained",
	service: `shop/s${last}`,
	until: now,
});
const said = (facts: PoolFacts, written?: object) =>
	poolStatusChange(written, facts, now)?.conditions?.map(
		({ type, status, reason }) => `${type} ${status} ${reason}`,
	);

describe("the status of a pool", () => {
	it("is written once, and not again when it comes back with its keys in another order", () => {
		const written = poolStatusChange(undefined, fine, now);
		expect(written?.conditions).toMatchObject([
			{ type: "Ready", status: "True" },
		]);
		const returned = { available: "3", capacity: "4", assigned: "1" };
		expect(
			poolStatusChange(
				{ ...written, ipv4: returned, ipv6: returned },
				fine,
				now,
			),
		).toBeUndefined();
	});

	it("is written when a count changed, without touching the condition", () => {
		const written = poolStatusChange(undefined, fine, now);
		const ipv4 = { capacity: "4", assigned: "2", available: "2" };
		expect(poolStatusChange(written, { ...fine, ipv4 }, now)).toEqual({
			ipv4,
			ipv6: count,
		});
	});

	it("says that nobody is granted its external IPs for want of room, until they are, and nothing to other pools", () => {
		const left = { ...fine, leftOut: true };
		expect(said(fine)).toEqual(["Ready True Usable"]);
		const written = poolStatusChange(undefined, left, now);
		expect(said(left)).toContain("ExternalIPsGranted False PolicyFull");
		expect(said(fine, written)).toContain("ExternalIPsGranted True Compiled");
	});

	it("names every entry that cannot be used", () => {
		const problems = ["spec.addresses[0]", "spec.addresses[2]"].map(
			(field) => ({
				code: "InvalidEntry" as const,
				field,
				message: "is no CIDR",
			}),
		);
		expect(
			poolStatusChange(
				undefined,
				{ ...fine, pool: { problems, retentionMs: 0 } },
				now,
			)?.conditions,
		).toMatchObject([
			{
				status: "False",
				reason: "InvalidEntry",
				message: "spec.addresses[0]: is no CIDR; spec.addresses[2]: is no CIDR",
			},
		]);
	});

	it("names the addresses that Services keep though the pool lost them, until there are none", () => {
		const outside = [{ ip: "10.0.0.9", service: "shop/web" }];
		const written = poolStatusChange(undefined, { ...fine, outside }, now);
		expect(written?.conditions).toContainEqual(
			expect.objectContaining({
				type: "HoldersInside",
				status: "False",
				reason: "OutsidePool",
				message:
					"Services keep addresses the pool no longer has: 10.0.0.9 (shop/web)",
			}),
		);
		expect(said(fine, written)).toEqual([
			"Ready True Usable",
			"HoldersInside True AllInside",
		]);
	});

	it("names no more than twenty addresses, however many there are", () => {
		const outside = Array.from({ length: 25 }, (_, index) => ({
			ip: `10.0.0.${index}`,
			service: "shop/web",
		}));
		const [, holders] =
			poolStatusChange(undefined, { ...fine, outside }, now)?.conditions ?? [];
		expect(holders?.message).toMatch(/10\.0\.0\.19 \(shop\/web\) and 5 more$/);
	});

	it("lists what is held back, is not written again for the same, and says when no more is kept", () => {
		const pool = { problems: [], retentionMs: 60_000 };
		const facts = { ...fine, pool, held: [kept(1), kept(2)] };
		const written = poolStatusChange(undefined, facts, now);
		expect(written?.held).toEqual(facts.held);
		expect(poolStatusChange(written, facts, now)).toBeUndefined();
		const full = {
			...facts,
			held: Array.from({ length: 1000 }, (_, index) => kept(index)),
		};
		expect(said(full, written)).toEqual([
			"Ready True Usable",
			"Retaining False LimitReached",
		]);
		expect(
			poolStatusChange(written, { ...facts, held: [] }, now)?.held,
		).toEqual([]);
	});
});

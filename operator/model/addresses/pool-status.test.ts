import { poolStatusChange } from "./pool-status.ts";

const count = { capacity: "4", assigned: "1", available: "3" };
const counts = { ipv4: count, ipv6: count };
const now = "2026-01-01T00:00:00Z";
const fine = { problems: [] };

describe("the status of a pool", () => {
	it("is written once, and not again when it comes back with its keys in another order", () => {
		const written = poolStatusChange(undefined, fine, counts, now);
		expect(written?.conditions).toMatchObject([
			{ type: "Ready", status: "True" },
		]);
		const returned = { available: "3", capacity: "4", assigned: "1" };
		expect(
			poolStatusChange(
				{ ...written, ipv4: returned, ipv6: returned },
				fine,
				counts,
				now,
			),
		).toBeUndefined();
	});

	it("is written when a count changed, without touching the condition", () => {
		const written = poolStatusChange(undefined, fine, counts, now);
		const ipv4 = { capacity: "4", assigned: "2", available: "2" };
		expect(poolStatusChange(written, fine, { ipv4, ipv6: count }, now)).toEqual(
			{ ipv4, ipv6: count },
		);
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
			poolStatusChange(undefined, { problems }, counts, now)?.conditions,
		).toMatchObject([
			{
				status: "False",
				reason: "InvalidEntry",
				message: "spec.addresses[0]: is no CIDR; spec.addresses[2]: is no CIDR",
			},
		]);
	});
});

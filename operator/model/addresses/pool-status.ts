import type { AddressPool, FamilyCount } from "../../api/fairlead.ts";
import { changedConditions, type Verdict } from "../conditions.ts";
import type { Pool } from "./pool.ts";

export interface PoolCounts {
	ipv4: FamilyCount;
	ipv6: FamilyCount;
}

/** What has to be written into a pool's status; undefined when it says all that already. `now` as RFC 3339. */
export function poolStatusChange(
	written: AddressPool["status"],
	pool: Pick<Pool, "problems">,
	{ ipv4, ipv6 }: PoolCounts,
	now: string,
): NonNullable<AddressPool["status"]> | undefined {
	const conditions = changedConditions(
		written?.conditions ?? [],
		[readiness(pool)],
		now,
	);
	const same = sameCount(written?.ipv4, ipv4) && sameCount(written?.ipv6, ipv6);
	if (same && conditions.length === 0) return undefined;
	return { ipv4, ipv6, ...(conditions.length > 0 ? { conditions } : {}) };
}

function readiness({ problems }: Pick<Pool, "problems">): Verdict {
	const [first] = problems;
	if (!first)
		return {
			type: "Ready",
			status: "True",
			reason: "Usable",
			message: "every entry of the pool is in use",
		};
	return {
		type: "Ready",
		status: "False",
		reason: first.code,
		message: problems
			.map(({ field, message }) => `${field}: ${message}`)
			.join("; "),
	};
}

/** By field: the API server gives custom resources back with their keys in another order. */
function sameCount(
	written: FamilyCount | undefined,
	now: FamilyCount,
): boolean {
	return (
		written?.capacity === now.capacity &&
		written.assigned === now.assigned &&
		written.available === now.available
	);
}

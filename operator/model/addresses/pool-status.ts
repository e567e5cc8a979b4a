import type {
	AddressPool,
	FamilyCount,
	HeldAddress,
} from "../../api/fairlead.ts";
import { replacedConditions, type Verdict } from "../conditions.ts";
import { heldLimit } from "./held.ts";
import type { Pool } from "./pool.ts";

/** What a pool's status is made of. */
export interface PoolFacts {
	pool: Pick<Pool, "problems" | "retentionMs">;
	ipv4: FamilyCount;
	ipv6: FamilyCount;
	/** As it must be written. */
	held: readonly HeldAddress[];
	/** Addresses that were assigned from the pool, are still held, and are in no pool any more. */
	outside: readonly { ip: string; service: string }[];
	/** The pool is for external IPs, and the ExternalIPPolicy has no room for it. */
	leftOut?: boolean;
}

/** What has to be written into a pool's status; undefined when it says all that already. `now` as RFC 3339. */
export function poolStatusChange(
	written: AddressPool["status"],
	facts: PoolFacts,
	now: string,
): NonNullable<AddressPool["status"]> | undefined {
	const { ipv4, ipv6, held } = facts;
	const conditions = replacedConditions(
		written?.conditions ?? [],
		verdicts(facts, written),
		now,
	);
	const heldDiffers = !sameHeld(written?.held ?? [], held);
	const same = sameCount(written?.ipv4, ipv4) && sameCount(written?.ipv6, ipv6);
	if (same && !conditions && !heldDiffers) return undefined;
	return {
		ipv4,
		ipv6,
		...(heldDiffers ? { held: [...held] } : {}),
		...(conditions ? { conditions } : {}),
	};
}

function verdicts(
	{ pool, held, outside, leftOut = false }: PoolFacts,
	written: AddressPool["status"],
): Verdict[] {
	const found = [readiness(pool)];
	// Said only of pools it means something for, and then until it is in order again.
	const isSaid = (type: string) =>
		written?.conditions?.some((each) => each.type === type);
	if (outside.length > 0 || isSaid("HoldersInside"))
		found.push(holders(outside));
	if (pool.retentionMs > 0 || held.length > 0 || isSaid("Retaining"))
		found.push(retaining(pool, held));
	if (leftOut || isSaid("ExternalIPsGranted")) found.push(granting(leftOut));
	return found;
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

const most = 20;

function holders(outside: PoolFacts["outside"]): Verdict {
	const type = "HoldersInside";
	if (outside.length === 0)
		return {
			type,
			status: "True",
			reason: "AllInside",
			message: "every address assigned from the pool is in it",
		};
	const listed = outside
		.slice(0, most)
		.map(({ ip, service }) => `${ip} (${service})`);
	const others = outside.length - listed.length;
	return {
		type,
		status: "False",
		reason: "OutsidePool",
		message: `Services keep addresses the pool no longer has: ${listed.join(", ")}${others > 0 ? ` and ${others} more` : ""}`,
	};
}

function retaining(
	{ retentionMs }: Pick<Pool, "retentionMs">,
	held: readonly HeldAddress[],
): Verdict {
	const type = "Retaining";
	if (held.length >= heldLimit)
		return {
			type,
			status: "False",
			reason: "LimitReached",
			message: `${heldLimit} addresses are held back, the most a pool keeps; what is released now is free at once`,
		};
	if (retentionMs === 0)
		return {
			type,
			status: "False",
			reason: "Off",
			message: "the pool has no retention; what is released is free at once",
		};
	return {
		type,
		status: "True",
		reason: "Kept",
		message: "released addresses are kept for a Service of the same name",
	};
}

function granting(leftOut: boolean): Verdict {
	const type = "ExternalIPsGranted";
	return leftOut
		? {
				type,
				status: "False",
				reason: "PolicyFull",
				message:
					"ExternalIPPolicy compiled has no room for the CIDRs of this pool, so that nobody is granted its addresses; write them as fewer, larger CIDRs",
			}
		: {
				type,
				status: "True",
				reason: "Compiled",
				message:
					"ExternalIPPolicy compiled has what the pool grants as external IPs",
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

function sameHeld(
	written: readonly HeldAddress[],
	now: readonly HeldAddress[],
): boolean {
	return (
		written.length === now.length &&
		now.every((entry, index) => {
			const other = written[index];
			return (
				other?.address === entry.address &&
				other.reason === entry.reason &&
				other.service === entry.service &&
				other.until === entry.until &&
				other.released === entry.released
			);
		})
	);
}

import type {
	NodePortAssignment,
	NodePortConflict,
	NodePortPool,
} from "../../api/fairlead.ts";
import { changedConditions, type Verdict } from "../conditions.ts";
import { byPort } from "./conflicts.ts";
import type { PortPool } from "./pools.ts";
import { formatPortRange, rangeSize } from "./port-range.ts";

/** More conflicts than this are counted, not listed. */
const shownConflicts = 64;

export interface PoolFindings {
	/** Ports of the range that Services hold. */
	used: number;
	/** Those on nodes and those of Services the pool does not admit. */
	conflicts: readonly NodePortConflict[];
	assigned: readonly NodePortAssignment[];
	/** Why placeholders cannot be had, a sentence each. */
	trouble: readonly string[];
}

/** What has to be written into a pool's status; undefined when it says all that already. `now` as RFC 3339. */
export function portPoolStatusChange(
	written: NodePortPool["status"],
	pool: PortPool,
	{ used, conflicts, assigned, trouble }: PoolFindings,
	now: string,
): NonNullable<NodePortPool["status"]> | undefined {
	const sorted = [...conflicts].sort(byPort);
	const wanted = {
		used,
		free: (pool.range ? rangeSize(pool.range) : 0) - used,
		conflicts: sorted.slice(0, shownConflicts),
		assigned: [...assigned],
	};
	const present = written?.conditions ?? [];
	const changed = changedConditions(
		present,
		[readiness(pool, trouble), clashing(sorted)],
		now,
	);
	const same =
		written !== undefined &&
		canonical({
			used: written.used,
			free: written.free,
			conflicts: written.conflicts ?? [],
			assigned: written.assigned ?? [],
		}) === canonical(wanted);
	if (same && changed.length === 0) return undefined;
	const types = new Set(changed.map(({ type }) => type));
	return {
		...wanted,
		conditions: [...present.filter(({ type }) => !types.has(type)), ...changed],
	};
}

function readiness(pool: PortPool, trouble: readonly string[]): Verdict {
	const type = "Ready";
	if (pool.problems.length > 0)
		return {
			type,
			status: "False",
			reason: "Invalid",
			message: pool.problems.join("; "),
		};
	if (pool.overlap !== undefined)
		return { type, status: "False", reason: "Overlap", message: pool.overlap };
	if (trouble.length > 0)
		return {
			type,
			status: "False",
			reason: "NotReserved",
			message: trouble.join("; "),
		};
	return {
		type,
		status: "True",
		reason: "Reserved",
		message: `NodePorts ${pool.range ? formatPortRange(pool.range) : "none"} are kept for the Services the pool admits`,
	};
}

function clashing(conflicts: readonly NodePortConflict[]): Verdict {
	const type = "Conflicts";
	if (conflicts.length === 0)
		return {
			type,
			status: "False",
			reason: "None",
			message: "nothing else is known to use ports of the range",
		};
	const kinds = [...new Set(conflicts.map(({ kind }) => kind))].sort();
	return {
		type,
		status: "True",
		reason: kinds.join(""),
		message: `${conflicts.length} found, status.conflicts lists ${conflicts.length > shownConflicts ? `the first ${shownConflicts} of them` : "them"}`,
	};
}

/** By field: the API server gives custom resources back with their keys in another order. */
function canonical(value: unknown): string {
	return JSON.stringify(value, (_key, each: unknown) =>
		typeof each === "object" && each !== null && !Array.isArray(each)
			? Object.fromEntries(
					Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)),
				)
			: each,
	);
}

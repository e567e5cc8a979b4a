import type { IPFamily } from "../../api/core.ts";
import type {
	AddressPool,
	FamilyCount,
	LabelSelector,
} from "../../api/fairlead.ts";
import { type AddressRange, formatRange, parsePoolEntry } from "./cidr.ts";
import { parseDuration } from "./duration.ts";
import {
	findInterval,
	type Interval,
	intersectIntervals,
	mergeIntervals,
	subtractIntervals,
} from "./intervals.ts";
import type { IpAddress } from "./ip.ts";
import { matchesSelector, selectorProblem } from "./labels.ts";
import { checkedSpec, type PoolProblem } from "./pool-spec.ts";
import type { Reason } from "./reasons.ts";
import type { AddressRequest, AddressUse } from "./request.ts";

export const families: readonly IPFamily[] = ["IPv4", "IPv6"];

const defaultPriority = 100;

/** An AddressPool as the allocator sees it. */
export interface Pool {
	name: string;
	/** Lower is drawn from first; pools of equal priority by name. */
	priority: number;
	autoAssign: boolean;
	/** Leaves out IPv4 addresses that end in .0 or .255, see `isAvoided`. */
	avoidFirstAndLast: boolean;
	uses: ReadonlySet<AddressUse>;
	/** Empty: every class. */
	classes: ReadonlySet<string>;
	namespaceSelector: LabelSelector | undefined;
	serviceSelector: LabelSelector | undefined;
	/** Milliseconds a released address is kept for a Service of the same name; 0: not at all. */
	retentionMs: number;
	/** Ascending and disjoint; after `arrangePools` without what earlier pools own. */
	intervals: Record<IPFamily, Interval[]>;
	/** What of the spec cannot be used, or not as written; it becomes a condition. */
	problems: PoolProblem[];
}

/**
 * Reads a pool. What is wrong in it is left out and named in `problems`; the rest of the pool works. Nothing is taken for
 * granted of the spec: it may have been written when the kind was installed with another schema, or with none.
 */
export function compilePool({ metadata, spec: written }: AddressPool): Pool {
	const { spec, problems } = checkedSpec(written);
	const ranges: AddressRange[] = [];
	for (const [index, entry] of spec.addresses.entries()) {
		const field = `spec.addresses[${index}]`;
		const range = parsePoolEntry(entry);
		if (range.ok) ranges.push(range.value);
		else problems.push({ code: "InvalidEntry", field, message: range.reason });
	}
	for (const name of ["namespaceSelector", "serviceSelector"] as const) {
		const message = selectorProblem(spec[name]);
		if (message)
			problems.push({
				code: "InvalidSelector",
				field: `spec.${name}`,
				message,
			});
	}
	const retention = parseDuration(spec.retention ?? "0");
	if (!retention.ok)
		problems.push({
			code: "InvalidRetention",
			field: "spec.retention",
			message: retention.reason,
		});
	const of = (family: IPFamily) =>
		mergeIntervals(ranges.filter((range) => range.family === family));
	return {
		name: metadata.name,
		priority: spec.priority ?? defaultPriority,
		autoAssign: spec.autoAssign ?? true,
		avoidFirstAndLast: spec.avoidFirstAndLast ?? false,
		uses: new Set(spec.uses?.length ? spec.uses : ["LoadBalancer"]),
		classes: new Set(spec.classes),
		namespaceSelector: spec.namespaceSelector,
		serviceSelector: spec.serviceSelector,
		retentionMs: retention.ok ? retention.value : 0,
		intervals: { IPv4: of("IPv4"), IPv6: of("IPv6") },
		problems,
	};
}

/** Pools in the order they are drawn from, no address in more than one of them. */
export interface PoolSet {
	pools: readonly Pool[];
	byName: ReadonlyMap<string, Pool>;
	/** The pool an address belongs to, whether or not the pool avoids it. */
	ownerOf(address: IpAddress): Pool | undefined;
}

/**
 * Puts pools in (priority, name) order and gives an address that is in several of them to the first; the others lose it
 * and say so in `problems`. The pools given are not changed.
 */
export function arrangePools(pools: readonly Pool[]): PoolSet {
	const ordered = [...pools].sort(
		(a, b) =>
			a.priority - b.priority ||
			(a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
	);
	const owned: Record<IPFamily, (Interval & { pool: Pool })[]> = {
		IPv4: [],
		IPv6: [],
	};
	const arranged = ordered.map((pool) => {
		const problems = [...pool.problems];
		const intervals: Pool["intervals"] = { IPv4: [], IPv6: [] };
		for (const family of families) {
			for (const earlier of overlapping(owned[family], pool.intervals[family]))
				problems.push({
					code: "Overlap",
					field: "spec.addresses",
					message: `${formatRange({ family, ...earlier })} is also in pool ${earlier.pool.name}, which comes first and has it`,
				});
			intervals[family] = subtractIntervals(
				pool.intervals[family],
				owned[family],
			);
		}
		const own: Pool = { ...pool, intervals, problems };
		for (const family of families)
			owned[family] = [
				...owned[family],
				...intervals[family].map((interval) => ({ ...interval, pool: own })),
			].sort((a, b) => (a.start < b.start ? -1 : 1));
		return own;
	});
	return {
		pools: arranged,
		byName: new Map(arranged.map((pool) => [pool.name, pool])),
		ownerOf({ family, value }) {
			return owned[family][findInterval(owned[family], value)]?.pool;
		},
	};
}

/** The parts of `own` that `owned` has already, with the pool that has them. */
function overlapping(
	owned: readonly (Interval & { pool: Pool })[],
	own: readonly Interval[],
): (Interval & { pool: Pool })[] {
	return intersectIntervals(owned, own).map((part) => ({
		...part,
		pool: (owned[findInterval(owned, part.start)] as { pool: Pool }).pool,
	}));
}

/**
 * True for addresses the pool leaves out: IPv4 addresses that end in .0 or .255, wherever its CIDRs begin and end, and no
 * IPv6 address. The same addresses as MetalLB's avoidBuggyIPs (internal/allocator, ipConfusesBuggyFirmwares), so that
 * nobody moves when a pool does: some routers drop traffic to them, taking them for network or broadcast addresses.
 */
export function isAvoided(
	pool: Pick<Pool, "avoidFirstAndLast">,
	{ family, value }: IpAddress,
): boolean {
	if (!pool.avoidFirstAndLast || family === "IPv6") return false;
	const last = value & 255n;
	return last === 0n || last === 255n;
}

/** How many addresses of `family` the pool can hand out. */
export function poolCapacity(pool: Pool, family: IPFamily): bigint {
	let capacity = 0n;
	for (const { start, end } of pool.intervals[family]) {
		capacity += end - start + 1n;
		if (pool.avoidFirstAndLast && family === "IPv4") {
			// Numbers below n that are 0 (or 255) modulo 256: (n + 255) / 256 (or n / 256).
			const avoidedBelow = (n: bigint) => (n + 255n) / 256n + n / 256n;
			capacity -= avoidedBelow(end + 1n) - avoidedBelow(start);
		}
	}
	return capacity;
}

/** Why the pool does not serve the request at all, however many addresses it has; undefined if it does. */
export function notAdmitted(
	pool: Pool,
	request: AddressRequest,
): Reason | undefined {
	const refusal = (code: Reason["code"], message: string): Reason => ({
		pool: pool.name,
		code,
		message,
	});
	if (!pool.uses.has(request.use))
		return refusal(
			"UseNotAdmitted",
			`is not for ${request.use} addresses (uses: ${[...pool.uses].join(", ")})`,
		);
	if (
		request.use === "LoadBalancer" &&
		pool.classes.size > 0 &&
		!pool.classes.has(request.className)
	)
		return refusal(
			"ClassNotAdmitted",
			`class ${request.className} is not admitted (classes: ${[...pool.classes].join(", ")})`,
		);
	if (
		pool.namespaceSelector &&
		!matchesSelector(pool.namespaceSelector, request.namespaceLabels)
	)
		return refusal(
			"NamespaceNotAdmitted",
			`namespace ${request.namespace} is not admitted by namespaceSelector`,
		);
	if (
		pool.serviceSelector &&
		!matchesSelector(pool.serviceSelector, request.serviceLabels)
	)
		return refusal(
			"ServiceNotAdmitted",
			"the labels of the Service are not admitted by serviceSelector",
		);
	return undefined;
}

/** Counts of one family as the pool's status writes them. */
export function familyCount(
	capacity: bigint,
	assigned: number,
	held: number,
): FamilyCount {
	return {
		capacity: String(capacity),
		assigned: String(assigned),
		available: String(capacity - BigInt(assigned) - BigInt(held)),
	};
}

import type { IPFamily } from "../../api/core.ts";
import type { ExternalIPPolicy } from "../../api/fairlead.ts";
import type { AddressRange } from "../addresses/cidr.ts";
import { intersectIntervals, mergeIntervals } from "../addresses/intervals.ts";
import { selectorProblem } from "../addresses/labels.ts";
import { families, type Pool } from "../addresses/pool.ts";
import { coverTexts } from "./cidr-cover.ts";

export type PolicySpec = ExternalIPPolicy["spec"];

/**
 * Bounds of the ExternalIPPolicy (crds/externalippolicy.yaml). They keep the admission policy within what the API server
 * lets one request cost: measured on 1.37.2, sixteen new addresses against 4,096 CIDRs still pass.
 */
export const policyBounds = {
	/** CIDRs in all, granted and denied. */
	cidrs: 4096,
	/** CIDRs of one grant; a pool that has more has several grants. */
	cidrsPerGrant: 1024,
	grants: 256,
};

/** What the pools grant, and the pools that are left out since the policy would grow beyond its bounds. */
export interface CompiledPolicy {
	spec: PolicySpec;
	leftOut: string[];
}

type Intervals = Pool["intervals"];

/**
 * The one ExternalIPPolicy of all pools: `pools` as `arrangePools` gives them, so that an address of several pools is granted
 * by the first alone. `own` are the cluster's own addresses; of them only what some pool holds is written down, since
 * what nobody grants needs no denial. A pool that does not fit is left out as a whole: half of it would be a riddle.
 */
export function compilePolicy(
	pools: readonly Pool[],
	own: readonly AddressRange[],
): CompiledPolicy {
	const cluster = byFamily((family) =>
		mergeIntervals(own.filter((range) => range.family === family)),
	);
	const grants: PolicySpec["grants"] = [];
	const denied: string[] = [];
	const leftOut: string[] = [];
	for (const pool of pools) {
		if (!pool.uses.has("ExternalIP")) continue;
		// Of such a selector nobody knows whom it was meant to admit; the pool's own condition names it.
		if (
			selectorProblem(pool.namespaceSelector) ||
			selectorProblem(pool.serviceSelector)
		)
			continue;
		const cidrs = texts(pool.intervals);
		if (cidrs.length === 0) continue;
		const refused = texts(
			byFamily((family) =>
				intersectIntervals(pool.intervals[family], cluster[family]),
			),
		);
		const parts = chunks(cidrs, policyBounds.cidrsPerGrant);
		const size =
			grants.reduce((sum, grant) => sum + grant.cidrs.length, 0) +
			denied.length;
		if (
			grants.length + parts.length > policyBounds.grants ||
			size + cidrs.length + refused.length > policyBounds.cidrs
		) {
			leftOut.push(pool.name);
			continue;
		}
		denied.push(...refused);
		for (const part of parts)
			grants.push({
				pool: pool.name,
				cidrs: part,
				...(pool.namespaceSelector
					? { namespaceSelector: pool.namespaceSelector }
					: {}),
				...(pool.serviceSelector
					? { serviceSelector: pool.serviceSelector }
					: {}),
			});
	}
	return { spec: { grants, denied }, leftOut };
}

function byFamily(of: (family: IPFamily) => Intervals[IPFamily]): Intervals {
	return { IPv4: of("IPv4"), IPv6: of("IPv6") };
}

function texts(intervals: Intervals): string[] {
	return families.flatMap((family) => coverTexts(family, intervals[family]));
}

function chunks(list: readonly string[], size: number): string[][] {
	const parts: string[][] = [];
	for (let at = 0; at < list.length; at += size)
		parts.push(list.slice(at, at + size));
	return parts;
}

import type { LabelSelector } from "../../api/fairlead.ts";
import { cidrRange, parseCidr } from "../addresses/cidr.ts";
import {
	findInterval,
	type Interval,
	mergeIntervals,
} from "../addresses/intervals.ts";
import { type IpAddress, parseIp } from "../addresses/ip.ts";
import { type Labels, matchesSelector } from "../addresses/labels.ts";
import { families, type Pool } from "../addresses/pool.ts";
import type { PolicySpec } from "./compiled-policy.ts";

type Intervals = Pool["intervals"];

/** An ExternalIPPolicy made ready for questions. */
export interface Grants {
	grants: {
		pool: string;
		intervals: Intervals;
		namespaceSelector: LabelSelector | undefined;
		serviceSelector: LabelSelector | undefined;
	}[];
	denied: Intervals;
}

/** What is not a CIDR grants and denies nothing: the API server refuses it in the first place. */
export function readGrants({ grants, denied }: PolicySpec): Grants {
	return {
		grants: grants.map(
			({ pool, cidrs, namespaceSelector, serviceSelector }) => ({
				pool,
				intervals: intervalsOf(cidrs),
				namespaceSelector,
				serviceSelector,
			}),
		),
		denied: intervalsOf(denied),
	};
}

/** Whether a Service may have an address, by what the pools say. */
export type Grant =
	| { kind: "Granted"; pool: string }
	/** One of the cluster's own addresses, which nobody may have. */
	| { kind: "Denied" }
	/** `pool`: it has the address, but not for this Service; `leftOut`: or for anybody, since the policy has no room for it. */
	| { kind: "NotGranted"; pool: string | undefined; leftOut?: true };

/**
 * The rule of the admission policy (helm/fairlead/templates/external-ip-admission.yaml), which says the same in CEL; a test
 * holds the two together on a real API server.
 */
export function grantOf(
	{ grants, denied }: Grants,
	namespaceLabels: Labels,
	serviceLabels: Labels,
	address: IpAddress,
): Grant {
	if (holds(denied, address)) return { kind: "Denied" };
	let refusing: string | undefined;
	for (const grant of grants) {
		if (!holds(grant.intervals, address)) continue;
		if (
			matchesSelector(grant.namespaceSelector, namespaceLabels) &&
			matchesSelector(grant.serviceSelector, serviceLabels)
		)
			return { kind: "Granted", pool: grant.pool };
		refusing ??= grant.pool;
	}
	return { kind: "NotGranted", pool: refusing };
}

/** `grantOf` as yes or no, for an address as text; what cannot be read is not granted. */
export function isGranted(
	grants: Grants,
	namespaceLabels: Labels,
	serviceLabels: Labels,
	text: string,
): boolean {
	const address = parseIp(text);
	return (
		address.ok &&
		grantOf(grants, namespaceLabels, serviceLabels, address.value).kind ===
			"Granted"
	);
}

function holds(intervals: Intervals, { family, value }: IpAddress): boolean {
	return findInterval(intervals[family], value) >= 0;
}

function intervalsOf(cidrs: readonly string[]): Intervals {
	const found: Record<(typeof families)[number], Interval[]> = {
		IPv4: [],
		IPv6: [],
	};
	for (const text of cidrs) {
		const cidr = parseCidr(text);
		if (!cidr.ok) continue;
		const { family, start, end } = cidrRange(cidr.value);
		found[family].push({ start, end });
	}
	return {
		IPv4: mergeIntervals(found.IPv4),
		IPv6: mergeIntervals(found.IPv6),
	};
}

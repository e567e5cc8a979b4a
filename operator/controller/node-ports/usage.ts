import type { Service } from "../../api/core.ts";
import { nodePortsOf } from "../../model/nodeports/overview.ts";
import {
	inRange,
	type PortRange,
	rangeSize,
} from "../../model/nodeports/port-range.ts";
import type { Ledger } from "./ledger.ts";

/** How the cluster's NodePorts are used; the three states make up the range. */
export interface PortUsage {
	/** Services hold them. */
	used: number;
	/** Pools keep them, and nobody holds them. */
	reserved: number;
	free: number;
	/** Clashes on nodes, by kind. */
	conflicts: Record<"HostPort" | "ListeningSocket" | "EphemeralRange", number>;
}

/** Counts anew: once a scrape. */
export function portUsage(
	ledger: Ledger,
	services: Iterable<Service>,
	range: PortRange,
): PortUsage {
	const held = new Set<number>();
	for (const service of services)
		if (!ledger.isPlaceholder(service))
			for (const port of nodePortsOf(service))
				if (inRange(range, port)) held.add(port);
	const kept = new Set<number>();
	for (const { range: pool } of ledger.pools)
		for (let port = pool?.first ?? 1; port <= (pool?.last ?? 0); port++)
			if (!held.has(port)) kept.add(port);
	const conflicts = { HostPort: 0, ListeningSocket: 0, EphemeralRange: 0 };
	for (const { kind } of ledger.conflicts)
		if (kind !== "OtherService") conflicts[kind]++;
	return {
		used: held.size,
		reserved: kept.size,
		free: rangeSize(range) - held.size - kept.size,
		conflicts,
	};
}

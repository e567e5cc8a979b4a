import {
	addressRange,
	contains,
	formatAddress,
	parseAddress,
} from "../store/address-range.ts";
import type { NetworkRecord } from "../store/records.ts";
import type { Transaction } from "../store/store.ts";
import { ApiError } from "./api-error.ts";

/**
 * An address in a network for one more server or balancer: `wanted`, or the lowest free one of a subnet. The first
 * address of a subnet is its gateway's.
 *
 * @throws ApiError ip_not_available, no_subnet_available
 */
export function privateAddress(
	tx: Transaction,
	network: NetworkRecord,
	wanted: string | null,
): string {
	const used = new Set<string>();
	for (const kind of ["server", "load_balancer"] as const)
		for (const { privateNet } of tx.all(kind, network.project))
			for (const net of privateNet)
				if (net.network === network.id) used.add(net.ip);
	const ranges = network.subnets.map(({ ip_range }) => addressRange(ip_range));
	if (wanted !== null) {
		const usable = ranges.some(
			(range) => contains(range, wanted) && parseAddress(wanted) > range.first,
		);
		if (usable && !used.has(wanted)) return wanted;
		throw new ApiError(
			"ip_not_available",
			`IP ${wanted} is not available in network ${network.id}`,
		);
	}
	for (const { first, last, family } of ranges)
		for (let value = first + 1n; value <= last; value++) {
			const address = formatAddress(value, family);
			if (!used.has(address)) return address;
		}
	throw new ApiError(
		"no_subnet_available",
		`network ${network.id} has no subnet with a free address`,
	);
}

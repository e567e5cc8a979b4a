import type { IPFamily } from "../../api/core.ts";
import { type Cidr, formatCidr } from "../addresses/cidr.ts";
import type { Interval } from "../addresses/intervals.ts";
import { bitsOf } from "../addresses/ip.ts";

/**
 * The fewest CIDRs that hold exactly the addresses of `interval`, ascending: at each address the largest block that is
 * aligned there and does not reach beyond the end.
 */
export function cidrCover(family: IPFamily, { start, end }: Interval): Cidr[] {
	const cover: Cidr[] = [];
	for (let at = start; at <= end; ) {
		let hostBits = 0;
		while (
			hostBits < bitsOf[family] &&
			(at & (1n << BigInt(hostBits))) === 0n &&
			at + (2n << BigInt(hostBits)) - 1n <= end
		)
			hostBits++;
		cover.push({ family, value: at, prefixLength: bitsOf[family] - hostBits });
		at += 1n << BigInt(hostBits);
	}
	return cover;
}

/** As `cidrCover`, for several intervals of a family, as text. */
export function coverTexts(
	family: IPFamily,
	intervals: readonly Interval[],
): string[] {
	return intervals.flatMap((interval) =>
		cidrCover(family, interval).map(formatCidr),
	);
}

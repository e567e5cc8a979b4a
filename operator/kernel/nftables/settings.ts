import type { IPFamily } from "../../api/core.ts";
import { type Cidr, cidrRange, parseCidr } from "../../model/addresses/cidr.ts";
import { mergeIntervals } from "../../model/addresses/intervals.ts";
import { bitsOf } from "../../model/addresses/ip.ts";
import type { Program } from "../../model/rules/program.ts";
import type { Element } from "./elements.ts";

export type Settings = Pick<Program, "podCidrs" | "masqueradeAll">;

/** The contents of `pods` and `unmasqueraded` for a family. */
export function settingsElements(
	family: IPFamily,
	{ podCidrs, masqueradeAll }: Settings,
): { pods: Element[]; unmasqueraded: Element[] } {
	const pods = podCidrs.map(read).filter((cidr) => cidr.family === family);
	// Where nobody said which sources are pods, masquerading everybody would hide every pod from every Service.
	const everybody: Cidr = { family, value: 0n, prefixLength: 0 };
	return {
		pods: intervalElements(family, pods),
		unmasqueraded: intervalElements(
			family,
			masqueradeAll ? [] : pods.length > 0 ? pods : [everybody],
		),
	};
}

function read(text: string): Cidr {
	const cidr = parseCidr(text);
	if (!cidr.ok) throw new RangeError(cidr.reason);
	return cidr.value;
}

/** CIDRs as an interval set has them: where each range begins, and the first address behind it. Overlaps are merged, for the kernel refuses them. */
function intervalElements(family: IPFamily, cidrs: readonly Cidr[]): Element[] {
	const length = bitsOf[family] / 8;
	const bytes = (value: bigint) =>
		Buffer.from(value.toString(16).padStart(length * 2, "0"), "hex");
	const last = (1n << BigInt(bitsOf[family])) - 1n;
	return mergeIntervals(cidrs.map(cidrRange)).flatMap(({ start, end }) => [
		{ key: bytes(start) },
		...(end === last ? [] : [{ key: bytes(end + 1n), intervalEnd: true }]),
	]);
}

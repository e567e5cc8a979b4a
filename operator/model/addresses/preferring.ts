import type { AddressView } from "./address-book.ts";
import type { Claim } from "./allocation.ts";
import { mayHave } from "./finding.ts";
import { parseIp } from "./ip.ts";

/**
 * What of a claim that nothing bears out may be adopted: all of its addresses, if by the ordinary rules the request, which
 * holds nothing, might get just these; else undefined. So who lost its status gets its own addresses back, and who wrote
 * the record himself gets nothing that he could not ask for, or be given by chance.
 */
export function preferredClaim(
	book: AddressView,
	{ request, addresses }: Claim,
): Claim | undefined {
	const families = new Set<string>();
	const wanted: Claim["addresses"][number][] = [];
	for (const { ip } of addresses) {
		const address = parseIp(ip);
		if (!address.ok || !mayHave(book, request, address.value)) return undefined;
		families.add(address.value.family);
		// The pool that has it now: what the record says of that is nobody's word either.
		const pool = book.ownerOf(address.value)?.pool.name ?? "";
		wanted.push({ ip, pool });
	}
	const isWhole =
		families.size === request.families.length ||
		request.policy === "PreferDualStack";
	return isWhole && families.size === wanted.length
		? { request, addresses: wanted }
		: undefined;
}

import type { Addressing } from "../world.ts";
import type { Allocation } from "./allocation.ts";
import { type Reason, reasonText } from "./reasons.ts";

/** What the pools gave a Service, as the next step and its conditions see it. */
export function addressingOf(
	{
		addresses,
		ok,
		reasons,
		notices,
	}: Pick<Allocation, "addresses" | "ok" | "reasons" | "notices">,
	className: string,
): Addressing {
	if (addresses.length === 0) return refused(reasons);
	const said = [...reasons, ...notices];
	// A Service content with one family has what it asks for, and so has a reason only if something is out of order.
	const [first] = ok ? notices : said;
	return {
		kind: "Pools",
		assignment: {
			addresses: addresses.map((each) => each.ip),
			class: className,
			pools: addresses.map((each) => each.pool),
		},
		...(said.length > 0
			? {
					notice: {
						...(first ? { reason: first.code } : {}),
						message: said.map(reasonText).join("; "),
					},
				}
			: {}),
	};
}

function refused(reasons: readonly Reason[]): Addressing {
	const [first] = reasons;
	const [only, ...others] = new Set(reasons.map((reason) => reason.code));
	return {
		kind: "Refused",
		reason: others.length > 0 ? "NoAddressAvailable" : (only ?? "NoPools"),
		message: first
			? reasons.map(reasonText).join("; ")
			: "there is no AddressPool this Service may draw from",
	};
}

import type { AddressReservation } from "../../api/fairlead.ts";
import { replacedConditions } from "../conditions.ts";
import type { ReservationStanding } from "./reservations.ts";

type Status = NonNullable<AddressReservation["status"]>;

/** A merge patch of a reservation's status; undefined when it says all that already. `now` as RFC 3339. */
export function reservationStatusChange(
	written: AddressReservation["status"],
	{
		addresses,
		bound,
		ready,
	}: Pick<ReservationStanding, "addresses" | "bound" | "ready">,
	now: string,
): (Omit<Status, "bound"> & { bound?: string | null }) | undefined {
	const conditions = replacedConditions(
		written?.conditions ?? [],
		[ready],
		now,
	);
	const moved = (written?.addresses ?? []).join() !== addresses.join();
	const rebound = written?.bound !== bound;
	if (!conditions && !moved && !rebound) return undefined;
	return {
		...(moved ? { addresses } : {}),
		...(rebound ? { bound: bound ?? null } : {}),
		...(conditions ? { conditions } : {}),
	};
}

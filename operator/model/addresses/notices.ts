import type { AddressBook, Holder, Holding } from "./address-book.ts";
import { formatIp } from "./ip.ts";
import { notAdmitted } from "./pool.ts";
import type { Reason } from "./reasons.ts";

/** What is out of order with an address a Service holds, and keeps all the same; undefined if nothing is. */
export function holdingNotice(
	book: AddressBook,
	{ request }: Holder,
	{ entry: { address, owner }, pool }: Holding,
): Reason | undefined {
	if (owner) {
		const refusal = notAdmitted(owner.pool, request);
		return (
			refusal && { ...refusal, family: address.family, ip: formatIp(address) }
		);
	}
	const about = { family: address.family, ip: formatIp(address) };
	const avoiding = book.avoidedBy(address);
	if (avoiding)
		return {
			...about,
			pool: avoiding.name,
			code: "AddressAvoided",
			message: `${about.ip} is kept, though avoidFirstAndLast leaves it out now`,
		};
	if (pool === "")
		return {
			...about,
			code: "PoolGone",
			message: `${about.ip} is kept, though no pool has it`,
		};
	return book.poolNamed(pool)
		? {
				...about,
				pool,
				code: "OutsidePool",
				message: `${about.ip} is kept, though the pool no longer has it`,
			}
		: {
				...about,
				pool,
				code: "PoolGone",
				message: `${about.ip} is kept, though the pool does not exist any more`,
			};
}

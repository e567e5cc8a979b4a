import type { IPFamily } from "../../api/core.ts";
import type { FamilyCount } from "../../api/fairlead.ts";
import type { Hold } from "./address-book.ts";
import type { IpAddress } from "./ip.ts";
import type { Reason } from "./reasons.ts";
import type { AddressRequest } from "./request.ts";

/** What goes into the allocator and comes out of it. */

/** An address somebody holds, as it is recorded on the Service. */
export interface AssignedAddress {
	/** Canonical. */
	ip: string;
	family: IPFamily;
	/** The pool it belongs to; once no pool has it, the last that had. */
	pool: string;
}

/** What a call did to others than the Service it is about. */
export interface Effects {
	/** Addresses that lost their last holder, in that order; some of `wake` may hold them already. */
	freed: AssignedAddress[];
	/** UIDs of waiting Services that got something they were waiting for, in the order they were served: older first. */
	wake: string[];
}

export interface Allocation extends Effects {
	/** True: it has all it asks for; with PreferDualStack one family is enough. */
	ok: boolean;
	/** What it holds now, in the order of its families; may be something even if not ok, for nothing is taken away early. */
	addresses: AssignedAddress[];
	/** Why it does not hold more, or lost something; empty when nothing is missing. It is tried again by itself. */
	reasons: Reason[];
	/** What is out of order with the addresses it holds and keeps: the pool is gone, no longer admits it, and the like. */
	notices: Reason[];
}

export interface Claim {
	request: AddressRequest;
	/** As recorded on the Service. */
	addresses: readonly { ip: string; pool: string }[];
}

export interface Adoption {
	uid: string;
	addresses: AssignedAddress[];
	/** One per recorded address it does not get back. */
	reasons: Reason[];
}

export interface PoolChange {
	uid: string;
	ip: string;
	/** Absent: the address was in no pool. */
	from?: string;
	to?: string;
	/** Why the holder should move; it keeps the address until it asks for another. */
	notice?: Reason;
}

export interface AllocatorOptions {
	/**
	 * Asked for each address that its last holder leaves: holds keep it out of use, since agents may still answer for it,
	 * or keep it for the Service's return. Default: it is free at once.
	 */
	holdFreed?: (address: IpAddress, last: AddressRequest) => readonly Hold[];
}

export interface Snapshot {
	holders: { uid: string; addresses: AssignedAddress[]; notices: Reason[] }[];
	waiting: { uid: string; reasons: Reason[] }[];
	holds: { ip: string; holds: readonly Hold[] }[];
	pools: { pool: string; ipv4: FamilyCount; ipv6: FamilyCount }[];
}

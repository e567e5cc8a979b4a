import type { IPFamily } from "../../api/core.ts";

/** Why a Service does not get, or should not have, an address. */
export type ReasonCode =
	// said of a pool
	| "PoolFull"
	| "NoAddressesOfFamily"
	| "NamespaceNotAdmitted"
	| "ServiceNotAdmitted"
	| "ClassNotAdmitted"
	| "UseNotAdmitted"
	| "AutoAssignOff"
	| "PoolNotRequested"
	| "PoolNotFound"
	| "NoPools"
	// said of an address
	| "AddressInUse"
	| "AddressHeld"
	| "AddressReserved"
	| "AddressAvoided"
	| "AddressNotInPool"
	| "AddressInvalid"
	| "PoolGone"
	| "OutsidePool"
	// said of the Service's own wishes
	| "RequestConflict"
	| "FamilyNotWanted";

export interface Reason {
	/** The pool it is about; absent when it is about no single pool. */
	pool?: string;
	family?: IPFamily;
	/** The address it is about, in canonical form. */
	ip?: string;
	code: ReasonCode;
	/** What is the matter, without the pool's name: `full (256 of 256)`. */
	message: string;
}

/** The reason as a sentence on its own: `pool a: full (256 of 256)`. */
export function reasonText({ pool, message }: Reason): string {
	return pool === undefined ? message : `pool ${pool}: ${message}`;
}

import { annotations } from "../../api/names.ts";
import type { IPFamily } from "../../api/core.ts";
import { quoteUnlessName } from "../quote.ts";
import type {
	AddressBook,
	AddressView,
	Entry,
	Holding,
	PoolState,
} from "./address-book.ts";
import { compareIp, formatIp, type IpAddress } from "./ip.ts";
import { notAdmitted } from "./pool.ts";
import type { Reason } from "./reasons.ts";
import type { AddressRequest } from "./request.ts";
import { sharingGroup } from "./sharing.ts";
import { addressKey, groupKey, holdKey, poolKey } from "./waiting-room.ts";

/**
 * The address of `family` the request gets now; undefined if none. In this order: the one it asks for; one that is kept
 * for it; one it can share, so that a sharing key saves addresses; the lowest free one. Within each, pools go by
 * (priority, name) and addresses by value.
 */
export function findAddress(
	book: AddressBook,
	request: AddressRequest,
	family: IPFamily,
): IpAddress | undefined {
	const requested = requestedAddress(request, family);
	if (requested)
		return requestRefusal(book, request, requested) ? undefined : requested;
	const kept = first(
		book.heldFor(request.namespace, request.name),
		({ address, owner }) =>
			address.family === family &&
			(request.requestedPool ?? owner.pool.name) === owner.pool.name &&
			!notAdmitted(owner.pool, request) &&
			!book.refusal(request, address),
	);
	if (kept) return kept.address;
	const group = sharingGroup(request);
	const joined =
		group !== undefined &&
		first(
			book.joinable(group, family, request.ports),
			({ address, owner }) =>
				!drawRefusal(owner, request) && !book.refusal(request, address),
		);
	if (joined) return joined.address;
	for (const state of book.pools) {
		if (drawRefusal(state, request)) continue;
		const value = state[family].free.lowest();
		if (value !== undefined) return { family, value };
	}
	return undefined;
}

/** Why no pool gives the request an address of `family` now, one reason per pool; what is admitted and free has none. */
export function refusals(
	book: AddressBook,
	request: AddressRequest,
	family: IPFamily,
): Reason[] {
	const requested = requestedAddress(request, family);
	if (requested) {
		const refusal = requestRefusal(book, request, requested);
		return refusal ? [refusal] : [];
	}
	const reasons = book.pools.flatMap(
		(state) => drawRefusal(state, request) ?? emptiness(state, family) ?? [],
	);
	const { requestedPool } = request;
	if (requestedPool !== undefined && !book.poolNamed(requestedPool))
		reasons.unshift({
			pool: quoteUnlessName(requestedPool),
			code: "PoolNotFound",
			message: "does not exist, and the Service asks for it",
		});
	else if (book.pools.length === 0)
		reasons.push({
			code: "NoPools",
			message: "there is no AddressPool; create one",
		});
	return reasons;
}

/** What the request, which gets no address of `family` now, waits for. What only an edit could change is not among it. */
export function waitKeys(
	book: AddressBook,
	request: AddressRequest,
	family: IPFamily,
): string[] {
	const requested = requestedAddress(request, family);
	if (requested) {
		const code = requestRefusal(book, request, requested)?.code;
		return code === "AddressInUse" || code === "AddressHeld"
			? [addressKey(requested)]
			: [];
	}
	const keys = [holdKey(request.namespace, request.name)];
	const group = sharingGroup(request);
	if (group !== undefined) keys.push(groupKey(group, family));
	for (const state of book.pools)
		if (state[family].capacity > 0n && !drawRefusal(state, request))
			keys.push(poolKey(state.pool.name, family));
	return keys;
}

/** The Service asks for another address or pool than it has. */
export function isMisplaced(
	{ entry, pool }: Holding,
	{ requestedAddresses, requestedPool }: AddressRequest,
): boolean {
	const wanted = requestedAddresses.find(
		({ family }) => family === entry.address.family,
	);
	if (wanted) return compareIp(wanted, entry.address) !== 0;
	return (
		requestedPool !== undefined &&
		requestedPool !== pool &&
		requestedPool !== entry.owner?.pool.name
	);
}

/** Whether the request, which has nothing of that family, may have this address: the one it asks for, or one it could be given. */
export function mayHave(
	book: AddressView,
	request: AddressRequest,
	address: IpAddress,
): boolean {
	const { family } = address;
	if (!request.families.includes(family)) return false;
	const requested = requestedAddress(request, family);
	if (requested)
		return (
			compareIp(requested, address) === 0 &&
			!requestRefusal(book, request, requested)
		);
	const owner = book.ownerOf(address);
	return (
		owner !== undefined &&
		!drawRefusal(owner, request) &&
		!book.refusal(request, address)
	);
}

function requestedAddress(
	request: AddressRequest,
	family: IPFamily,
): IpAddress | undefined {
	return request.requestedAddresses.find(
		(address) => address.family === family,
	);
}

/** Why the request cannot have the very address it asks for. */
function requestRefusal(
	book: AddressView,
	request: AddressRequest,
	address: IpAddress,
): Reason | undefined {
	const owner = book.ownerOf(address);
	if (!owner) {
		const about = { family: address.family, ip: formatIp(address) };
		const avoiding = book.avoidedBy(address);
		return avoiding
			? {
					...about,
					pool: avoiding.name,
					code: "AddressAvoided",
					message: `${about.ip} is left out by avoidFirstAndLast`,
				}
			: {
					...about,
					code: "AddressNotInPool",
					message: `${about.ip} is in no pool; add it to one, or ask for another`,
				};
	}
	const { requestedPool } = request;
	if (requestedPool !== undefined && requestedPool !== owner.pool.name) {
		const ip = formatIp(address);
		return {
			pool: quoteUnlessName(requestedPool),
			family: address.family,
			ip,
			code: "AddressNotInPool",
			message: `${ip} is in pool ${owner.pool.name}, and the Service asks for both`,
		};
	}
	const refusal = notAdmitted(owner.pool, request);
	if (refusal)
		return { ...refusal, family: address.family, ip: formatIp(address) };
	return book.refusal(request, address);
}

/** Why the request may not draw from the pool, however many addresses it has. */
function drawRefusal(
	{ pool }: PoolState,
	request: AddressRequest,
): Reason | undefined {
	const { requestedPool } = request;
	if (requestedPool !== undefined && requestedPool !== pool.name)
		return {
			pool: pool.name,
			code: "PoolNotRequested",
			message: `the Service asks for pool ${quoteUnlessName(requestedPool)}`,
		};
	const refusal = notAdmitted(pool, request);
	if (refusal) return refusal;
	if (requestedPool === undefined && !pool.autoAssign)
		return {
			pool: pool.name,
			code: "AutoAssignOff",
			message: `autoAssign is false; ask for the pool with annotation ${annotations.pool}`,
		};
	return undefined;
}

function emptiness(state: PoolState, family: IPFamily): Reason | undefined {
	const { capacity, free, assigned, held } = state[family];
	const about = { pool: state.pool.name, family };
	if (capacity === 0n)
		return {
			...about,
			code: "NoAddressesOfFamily",
			message: `no ${family} addresses`,
		};
	if (free.lowest() !== undefined) return undefined;
	return {
		...about,
		code: "PoolFull",
		message:
			held > 0
				? `full (${assigned} of ${capacity}, ${held} held back)`
				: `full (${assigned} of ${capacity})`,
	};
}

type OwnedEntry = Entry & { owner: PoolState };

/** The entry that comes first by pool and address of those that `fit`. */
function first(
	entries: Iterable<Entry>,
	fit: (entry: OwnedEntry) => boolean,
): Entry | undefined {
	let best: OwnedEntry | undefined;
	for (const entry of entries) {
		if (!isOwned(entry) || (best && !comesBefore(entry, best))) continue;
		if (fit(entry)) best = entry;
	}
	return best;
}

function isOwned(entry: Entry): entry is OwnedEntry {
	return entry.owner !== undefined;
}

function comesBefore(a: OwnedEntry, b: OwnedEntry): boolean {
	return a.owner.rank === b.owner.rank
		? a.address.value < b.address.value
		: a.owner.rank < b.owner.rank;
}

import type { AddressReservation } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import type { Verdict } from "../conditions.ts";
import type { AddressView, Hold, PoolState } from "./address-book.ts";
import { formatIp, type IpAddress, parseIp } from "./ip.ts";
import { type Labels, matchesSelector } from "./labels.ts";
import { families } from "./pool.ts";
import type { ReasonCode } from "./reasons.ts";

/** What settling reservations depends on beside them. */
export interface ReservationWorld {
	book: AddressView;
	namespaceLabels: (namespace: string) => Labels;
	/** What a Service of this name holds of any pool. */
	heldBy: (namespace: string, name: string) => readonly string[];
	/** Addresses chosen in this process for a reservation that names none, which its status may not say yet. */
	chosen: (key: string) => readonly string[];
}

/** What a reservation comes to. */
export interface ReservationStanding {
	/** `namespace/name` */
	key: string;
	/** Kept out of everybody else's use, some perhaps only once their present holder leaves. */
	holds: { address: IpAddress; hold: Hold }[];
	/** Canonical; those nobody else holds. */
	addresses: string[];
	bound: string | undefined;
	ready: Verdict;
}

/** The allocator's hold for what is reserved. */
export const reservedCode = "Reserved";

interface Problem {
	code: ReasonCode;
	message: string;
}

/**
 * Settles all reservations together, the oldest first: an address belongs to the oldest that asks for it. One that names
 * no addresses keeps what was chosen for it as long as it can be kept; else it gets what its Service holds already, or
 * the lowest free address. Who holds an address keeps it: the reservation counts once it is free.
 */
export function settleReservations(
	reservations: Iterable<AddressReservation>,
	world: ReservationWorld,
): ReservationStanding[] {
	const inOrder = [...reservations]
		.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
		.sort(compareReservations);
	const named = new Set(
		inOrder.flatMap(({ spec }) => (spec.addresses ?? []).flatMap(canonical)),
	);
	const taken = new Map<string, string>();
	return inOrder.map((reservation) => settle(reservation, world, taken, named));
}

function settle(
	reservation: AddressReservation,
	world: ReservationWorld,
	taken: Map<string, string>,
	named: ReadonlySet<string>,
): ReservationStanding {
	const { spec } = reservation;
	const namespace = reservation.metadata.namespace ?? "";
	const key = objectKey(reservation);
	const state = world.book.poolNamed(spec.pool);
	const refusal = poolRefusal(spec.pool, state, namespace, world);
	if (state && refusal) return standing(key, [], [], undefined, [refusal]);
	const service = spec.serviceName
		? { namespace, name: spec.serviceName }
		: undefined;
	const problems: Problem[] = refusal ? [refusal] : [];
	const wanted = spec.addresses?.length
		? wantedAddresses(spec.addresses, problems)
		: state
			? chooseAddresses(reservation, state, world, taken, named, problems)
			: [];
	const hold: Hold = {
		code: reservedCode,
		message: service
			? `is reserved for ${namespace}/${service.name} by AddressReservation ${key}`
			: `is kept for nobody by AddressReservation ${key}`,
		...(service ? { for: service } : {}),
	};
	const holds: ReservationStanding["holds"] = [];
	const addresses: string[] = [];
	let bound: string | undefined;
	for (const address of wanted) {
		const ip = formatIp(address);
		const problem = state && addressRefusal(address, state, world.book, taken);
		if (problem) problems.push(problem);
		if (problem || !state) {
			// An address no pool hands out now may come with the pool, which serves who waits at once.
			if (!world.book.ownerOf(address) && !taken.has(ip)) {
				taken.set(ip, key);
				holds.push({ address, hold });
			}
			continue;
		}
		taken.set(ip, key);
		holds.push({ address, hold });
		const inUse = otherUse(address, service, world.book);
		if (inUse) problems.push(inUse);
		else addresses.push(ip);
		if (service && isHeldBy(address, service, world.book)) bound = service.name;
	}
	return standing(key, holds, addresses, bound, problems, service?.name);
}

/** Older first, then by namespace and name: what a person can see, and keeps when it is made again. */
function compareReservations(
	{ metadata: a }: AddressReservation,
	{ metadata: b }: AddressReservation,
): number {
	return (
		compareText(a.creationTimestamp, b.creationTimestamp) ||
		compareText(a.namespace, b.namespace) ||
		compareText(a.name, b.name)
	);
}

function compareText(a = "", b = ""): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

function poolRefusal(
	pool: string,
	state: PoolState | undefined,
	namespace: string,
	world: ReservationWorld,
): Problem | undefined {
	if (!state)
		return {
			code: "PoolNotFound",
			message: `there is no AddressPool ${pool}; create it, or name another in spec.pool`,
		};
	const selector = state.pool.namespaceSelector;
	if (selector && !matchesSelector(selector, world.namespaceLabels(namespace)))
		return {
			code: "NamespaceNotAdmitted",
			message: `pool ${pool}: namespace ${namespace} is not admitted by namespaceSelector`,
		};
	return undefined;
}

function wantedAddresses(
	texts: readonly string[],
	problems: Problem[],
): IpAddress[] {
	const wanted = new Map<string, IpAddress>();
	for (const [index, text] of texts.entries()) {
		const address = parseIp(String(text).trim());
		if (address.ok) wanted.set(formatIp(address.value), address.value);
		else
			problems.push({
				code: "AddressInvalid",
				message: `spec.addresses[${index}]: ${address.reason}`,
			});
	}
	return [...wanted.values()];
}

/** One address of each family the pool has. */
function chooseAddresses(
	{ metadata, spec, status }: AddressReservation,
	state: PoolState,
	{ book, chosen, heldBy }: ReservationWorld,
	taken: ReadonlyMap<string, string>,
	named: ReadonlySet<string>,
	problems: Problem[],
): IpAddress[] {
	const namespace = metadata.namespace ?? "";
	const service = spec.serviceName
		? { namespace, name: spec.serviceName }
		: undefined;
	// What its Service has already comes last: to reserve anything else would then be of no use to it.
	const earlier = [
		...chosen(`${namespace}/${metadata.name}`),
		...(status?.addresses ?? []),
		...(service ? heldBy(namespace, service.name) : []),
	].flatMap((text) => {
		const address = parseIp(String(text));
		return address.ok ? [address.value] : [];
	});
	const found: IpAddress[] = [];
	for (const family of families) {
		if (state[family].capacity === 0n) continue;
		const kept = earlier.find(
			(address) =>
				address.family === family &&
				!addressRefusal(address, state, book, taken) &&
				!otherUse(address, service, book),
		);
		const address =
			kept ??
			book.lowestFree(state.pool.name, family, (each) =>
				isTaken(each, taken, named),
			);
		if (address) found.push(address);
		else
			problems.push({
				code: "PoolFull",
				message: `pool ${state.pool.name}: no ${family} address is free to be reserved`,
			});
	}
	if (found.length === 0 && problems.length === 0)
		problems.push({
			code: "NoAddressesOfFamily",
			message: `pool ${state.pool.name}: no addresses`,
		});
	return found;
}

function isTaken(
	address: IpAddress,
	taken: ReadonlyMap<string, string>,
	named: ReadonlySet<string>,
): boolean {
	const ip = formatIp(address);
	return taken.has(ip) || named.has(ip);
}

/** Why the address cannot be reserved from this pool at all. */
function addressRefusal(
	address: IpAddress,
	{ pool }: PoolState,
	book: AddressView,
	taken: ReadonlyMap<string, string>,
): Problem | undefined {
	const ip = formatIp(address);
	const avoiding = book.avoidedBy(address);
	if (avoiding)
		return {
			code: "AddressAvoided",
			message: `pool ${avoiding.name}: ${ip} is left out by avoidFirstAndLast`,
		};
	const owner = book.ownerOf(address)?.pool.name;
	if (owner !== pool.name)
		return {
			code: "AddressNotInPool",
			message: `pool ${pool.name}: it does not have ${ip}${owner === undefined ? "" : `, which is in pool ${owner}`}`,
		};
	const other = taken.get(ip);
	return other === undefined
		? undefined
		: {
				code: "AddressReserved",
				message: `${ip} is reserved by AddressReservation ${other}, which comes first: the older does, and of one second the lesser namespace/name`,
			};
}

/** Who else holds the address, or has it kept, for now. */
function otherUse(
	address: IpAddress,
	service: Hold["for"],
	book: AddressView,
): Problem | undefined {
	const entry = book.entry(address);
	const holder = entry?.holders.find(
		({ request }) =>
			request.namespace !== service?.namespace || request.name !== service.name,
	)?.request;
	if (holder)
		return {
			code: "AddressInUse",
			message: `${formatIp(address)} is held by ${holder.namespace}/${holder.name}, and reserved once that Service leaves it`,
		};
	const hold = entry?.holds.find(
		({ code, for: only }) =>
			code !== reservedCode &&
			(only?.namespace !== service?.namespace || only?.name !== service?.name),
	);
	return (
		hold && {
			code: "AddressHeld",
			message: `${formatIp(address)} ${hold.message}`,
		}
	);
}

function isHeldBy(
	address: IpAddress,
	service: NonNullable<Hold["for"]>,
	book: AddressView,
): boolean {
	return (book.entry(address)?.holders ?? []).some(
		({ request }) =>
			request.namespace === service.namespace && request.name === service.name,
	);
}

function standing(
	key: string,
	holds: ReservationStanding["holds"],
	addresses: string[],
	bound: string | undefined,
	problems: readonly Problem[],
	serviceName?: string,
): ReservationStanding {
	const [first] = problems;
	return {
		key,
		holds,
		addresses,
		bound,
		ready: first
			? {
					type: "Ready",
					status: "False",
					reason: first.code,
					message: problems.map(({ message }) => message).join("; "),
				}
			: {
					type: "Ready",
					status: "True",
					reason: "Reserved",
					message: `${addresses.join(", ")} reserved for ${serviceName === undefined ? "nobody" : `Service ${serviceName}`}`,
				},
	};
}

function canonical(text: string): string[] {
	const address = parseIp(String(text).trim());
	return address.ok ? [formatIp(address.value)] : [];
}

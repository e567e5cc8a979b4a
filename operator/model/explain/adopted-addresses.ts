import type { Service } from "../../api/core.ts";
import type { AddressPool, AddressReservation } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import type { Hold } from "../addresses/address-book.ts";
import type { Claim } from "../addresses/allocation.ts";
import { Allocator } from "../addresses/allocator.ts";
import { holdOf, readHeld, standingHeld } from "../addresses/held.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import type { Labels } from "../addresses/labels.ts";
import { compilePool } from "../addresses/pool.ts";
import type { RequestResult } from "../addresses/request.ts";
import { reservedCode, settleReservations } from "../addresses/reservations.ts";
import { vouchedAssignmentOf } from "../assignment.ts";
import { externalIPRecordOf } from "../external-ips/record.ts";
import { externalIPRequest } from "../external-ips/request.ts";

export interface Recorded {
	services: readonly Service[];
	/** In any order. */
	pools: readonly AddressPool[];
	reservations: readonly AddressReservation[];
	labelsOf: (namespace: string) => Labels;
	request: (service: Service, className: string) => RequestResult;
	/** Wall time in milliseconds since the epoch, for what is kept until then. */
	at: number;
}

/**
 * Who holds which address, and what is held back, as the controller takes it from the records when it begins: addresses
 * on Services, what the status of pools keeps, and reservations.
 */
export function adoptAddresses(recorded: Recorded): Allocator {
	return adopt(recorded).allocator;
}

/** Addresses of each reservation by its `namespace/name`: those that name none keep what was chosen for them once. */
export type Reserved = ReadonlyMap<string, readonly string[]>;

/** As `adoptAddresses`, for who goes on from there. */
export function adopt(recorded: Recorded): {
	allocator: Allocator;
	reserved: Reserved;
} {
	const { pools, at } = recorded;
	const allocator = new Allocator(pools.map(compilePool));
	allocator.adopt(recorded.services.flatMap((each) => claims(each, recorded)));
	for (const { status } of pools)
		for (const entry of readHeld(status?.held)) {
			const address = parseIp(entry.address);
			// What nodes still announce is taken off the status by the controller once they have stopped.
			const stands =
				entry.reason === "Releasing" ||
				standingHeld([entry], at, []).length > 0;
			if (address.ok && stands) allocator.hold(address.value, holdOf(entry));
		}
	return { allocator, reserved: holdReserved(allocator, recorded, new Map()) };
}

/** Puts the holds of all reservations in place of those there are; `before` is what it returned the last time. */
export function holdReserved(
	allocator: Allocator,
	{ services, reservations, labelsOf }: Recorded,
	before: Reserved,
): Reserved {
	if (reservations.length === 0) return before;
	const uids = new Map(
		services.map((each) => [objectKey(each), each.metadata.uid ?? ""]),
	);
	const settled = settleReservations(reservations, {
		book: allocator.book,
		heldBy: (namespace, name) =>
			allocator
				.addressesOf(uids.get(`${namespace}/${name}`) ?? "")
				.map(({ ip }) => ip),
		namespaceLabels: labelsOf,
		chosen: (key) => before.get(key) ?? [],
	});
	const wanted = new Map(
		settled.flatMap(({ holds }) =>
			holds.map((each) => [formatIp(each.address), each] as const),
		),
	);
	// A hold that stays is never lifted, not even for a moment: what is free is given to who waits at once.
	for (const { ip, holds } of allocator.snapshot().holds) {
		const present = holds.find(({ code }) => code === reservedCode);
		if (!present) continue;
		const hold = wanted.get(ip)?.hold;
		if (hold && isSameHold(hold, present)) wanted.delete(ip);
		const address = parseIp(ip);
		if (!hold && address.ok) allocator.unhold(address.value, reservedCode);
	}
	for (const { address, hold } of wanted.values())
		allocator.hold(address, hold);
	return new Map(settled.map(({ key, addresses }) => [key, addresses]));
}

function isSameHold(a: Hold, b: Hold): boolean {
	return (
		a.message === b.message &&
		a.for?.namespace === b.for?.namespace &&
		a.for?.name === b.for?.name
	);
}

function claims(service: Service, { request, labelsOf }: Recorded): Claim[] {
	const found: Claim[] = [];
	const external = externalIPRecordOf(service);
	if (external)
		found.push({
			request: externalIPRequest(
				service,
				labelsOf(service.metadata.namespace ?? ""),
			),
			addresses: withPools(external.addresses, external.pools),
		});
	const recorded = vouchedAssignmentOf(service);
	if (recorded?.pools)
		found.push({
			request: request(service, recorded.class).request,
			addresses: withPools(recorded.addresses, recorded.pools),
		});
	return found;
}

function withPools(
	addresses: readonly string[],
	pools: readonly string[],
): Claim["addresses"] {
	return addresses.map((ip, at) => ({ ip, pool: pools[at] ?? "" }));
}

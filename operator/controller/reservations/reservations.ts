import type { AddressReservation } from "../../api/fairlead.ts";
import { type KubeObject, objectKey } from "../../api/meta.ts";
import type { Clock } from "../../clock.ts";
import type { Change } from "../../cluster/index.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { Workqueue } from "../../cluster/workqueue.ts";
import { isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { formatIp } from "../../model/addresses/ip.ts";
import { reservationStatusChange } from "../../model/addresses/reservation-status.ts";
import {
	type ReservationStanding,
	reservedCode,
	settleReservations,
} from "../../model/addresses/reservations.ts";
import type { Addresses } from "../addresses.ts";
import type { Caches } from "../caches.ts";

export interface ReservationsOptions {
	client: KubeClient;
	caches: Caches;
	addresses: Pick<Addresses, "hold" | "unhold" | "heldBy" | "book">;
	clock: Clock;
	random: () => number;
	log: Log;
	/** Who holds what may have changed this long ago before a status says so, in milliseconds. */
	everyMs?: number;
}

/** The queue's key for settling all reservations; no `namespace/name` is like it. */
const all = "";

/** Keeps reserved addresses out of others' use during one term, and says in each reservation's status what became of it. */
export class Reservations {
	readonly #options: ReservationsOptions;
	readonly #queue: Workqueue;
	#standings = new Map<string, ReservationStanding>();
	#undo: (() => void)[] = [];

	constructor(options: ReservationsOptions) {
		this.#options = options;
		const { clock, random, log } = options;
		this.#queue = new Workqueue({ clock, random, log, workers: 2 });
		this.#queue.run(async (key) => {
			if (key === all) this.settle();
			else await this.#write(key);
		});
	}

	/** To be called before any Service is given an address. */
	start(): void {
		const { caches } = this.#options;
		this.settle();
		this.#undo = [
			caches.reservations.onChange((change) => {
				if (isMeant(change)) this.#queue.add(all, "high");
				else this.#queue.add(objectKey(change.object));
			}),
			caches.namespaces.onChange((change) => {
				if (this.#concerns(change.object)) this.#queue.add(all, "high");
			}),
		];
	}

	/** Pools were edited. */
	poolsChanged(): void {
		if (this.#options.caches.reservations.size > 0)
			this.#queue.add(all, "high");
	}

	/** Who holds what may have changed. */
	addressesChanged(): void {
		if (this.#options.caches.reservations.size > 0)
			this.#queue.addAfter(all, this.#options.everyMs ?? 500);
	}

	/** Decides all of them anew, and holds and frees what that takes. */
	settle(): void {
		const { caches, addresses } = this.#options;
		const before = this.#standings;
		const settled = settleReservations(caches.reservations.values(), {
			book: addresses.book,
			heldBy: (namespace, name) => addresses.heldBy(`${namespace}/${name}`),
			namespaceLabels: (namespace) =>
				caches.namespaces.get(namespace)?.metadata.labels ?? {},
			chosen: (key) => before.get(key)?.addresses ?? [],
		});
		this.#standings = new Map(settled.map((each) => [each.key, each]));
		const old = holdsOf(before.values());
		const now = holdsOf(settled);
		for (const [ip, { address }] of old)
			if (!now.has(ip)) addresses.unhold(address, reservedCode);
		for (const [ip, { address, hold }] of now)
			if (old.get(ip)?.hold.message !== hold.message)
				addresses.hold(address, hold);
		for (const { key } of settled)
			if (this.#change(key)) this.#queue.add(key, "high");
	}

	async stop(deadlineMs: number): Promise<void> {
		for (const undo of this.#undo) undo();
		await this.#queue.drain(deadlineMs);
	}

	#change(key: string): object | undefined {
		const { caches, clock } = this.#options;
		const standing = this.#standings.get(key);
		const found = caches.reservations.get(key);
		return standing && found
			? reservationStatusChange(
					found.status,
					standing,
					new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
				)
			: undefined;
	}

	#concerns(namespace: KubeObject): boolean {
		const { name } = namespace.metadata;
		for (const key of this.#standings.keys())
			if (key.startsWith(`${name}/`)) return true;
		return false;
	}

	async #write(key: string): Promise<void> {
		const { client, caches } = this.#options;
		const found = caches.reservations.get(key);
		const status = this.#change(key);
		if (!found || !status) return;
		const { namespace = "", name, uid, resourceVersion } = found.metadata;
		const ref = { namespace, name };
		try {
			const written = await client.patch<AddressReservation>(
				resources.addressReservations,
				{ ...ref, subresource: "status" },
				{
					type: "merge",
					body: { metadata: { uid, resourceVersion }, status },
				},
			);
			caches.reservations.apply(written);
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return;
			if (isFairleadError(error, "KubeConflict"))
				await client
					.get<AddressReservation>(resources.addressReservations, ref)
					.then(
						(read) => caches.reservations.apply(read),
						(failure: unknown) => {
							if (!isFairleadError(failure, "KubeNotFound")) throw failure;
						},
					);
			throw error;
		}
	}
}

function holdsOf(
	standings: Iterable<ReservationStanding>,
): Map<string, ReservationStanding["holds"][number]> {
	const holds = new Map();
	for (const standing of standings)
		for (const each of standing.holds) holds.set(formatIp(each.address), each);
	return holds;
}

/** Whether somebody wants something else now, or lost what we wrote; our own writes to status are no such change. */
function isMeant(change: Change<AddressReservation>): boolean {
	if (change.type !== "updated") return true;
	const { old, object } = change;
	return (
		JSON.stringify(old.spec) !== JSON.stringify(object.spec) ||
		old.metadata.deletionTimestamp !== object.metadata.deletionTimestamp
	);
}

import type { IPFamily } from "../../api/core.ts";
import type { IpAddress } from "./ip.ts";
import type { Reason } from "./reasons.ts";
import { type AddressRequest, compareAge } from "./request.ts";

/** A Service that waits for something to become free. */
export interface Waiter {
	request: AddressRequest;
	/** Why it did not get more when it was last tried. */
	reasons: Reason[];
	/** What it waits for; each names something that can become free. */
	keys: readonly string[];
}

/** This address. */
export function addressKey({ family, value }: IpAddress): string {
	return `address ${family} ${value}`;
}

/** Any address of a pool. */
export function poolKey(pool: string, family: IPFamily): string {
	return `pool ${family} ${pool}`;
}

/** An address to share. */
export function groupKey(group: string, family: IPFamily): string {
	return `group ${family} ${group}`;
}

/** An address kept for this Service. */
export function holdKey(namespace: string, name: string): string {
	return `hold ${namespace}/${name}`;
}

/** Waiting Services, by what they wait for and by age, so that whoever frees something finds the right one. */
export class WaitingRoom {
	readonly #waiters = new Map<string, Waiter>();
	/** Each ascending by age. Services mostly come and go in that order, so both ends are where the work is. */
	readonly #queues = new Map<string, Waiter[]>();

	get size(): number {
		return this.#waiters.size;
	}

	get(uid: string): Waiter | undefined {
		return this.#waiters.get(uid);
	}

	/** Oldest first. */
	all(): Waiter[] {
		return [...this.#waiters.values()].sort((a, b) =>
			compareAge(a.request, b.request),
		);
	}

	/** Enters, or changes what it waits for. */
	enter(waiter: Waiter): void {
		const known = this.#waiters.get(waiter.request.uid);
		if (
			known &&
			compareAge(known.request, waiter.request) === 0 &&
			known.keys.length === waiter.keys.length &&
			known.keys.every((key, index) => key === waiter.keys[index])
		) {
			known.request = waiter.request;
			known.reasons = waiter.reasons;
			return;
		}
		this.leave(waiter.request.uid);
		this.#waiters.set(waiter.request.uid, waiter);
		for (const key of waiter.keys) {
			const queue = this.#queues.get(key) ?? [];
			this.#queues.set(key, queue);
			queue.splice(firstNotOlder(queue, waiter.request), 0, waiter);
		}
	}

	leave(uid: string): void {
		if (this.#waiters.size === 0) return;
		const waiter = this.#waiters.get(uid);
		if (!waiter) return;
		this.#waiters.delete(uid);
		for (const key of waiter.keys) {
			const queue = this.#queues.get(key) as Waiter[];
			// The oldest is served first, and unlike splice, shift does not move the others.
			if (queue[0] === waiter) queue.shift();
			else queue.splice(firstNotOlder(queue, waiter.request), 1);
			if (queue.length === 0) this.#queues.delete(key);
		}
	}

	/** The oldest that waits for `key` and is younger than `after`. */
	next(key: string, after: AddressRequest | undefined): Waiter | undefined {
		const queue = this.#queues.get(key);
		if (!queue || !after) return queue?.[0];
		const index = firstNotOlder(queue, after);
		const at = queue[index];
		return at && compareAge(at.request, after) === 0 ? queue[index + 1] : at;
	}
}

function firstNotOlder(
	queue: readonly Waiter[],
	request: AddressRequest,
): number {
	let [low, high] = [0, queue.length];
	// Nearly everybody who enters is the youngest.
	const last = queue.at(-1);
	if (last && compareAge(last.request, request) < 0) return queue.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (compareAge((queue[middle] as Waiter).request, request) < 0)
			low = middle + 1;
		else high = middle;
	}
	return low;
}

import type { Clock } from "../../clock.ts";

const baseMs = 1_000;
const capMs = 300_000;

/** What the API server said to addresses it does not take into spec.externalIPs. */
interface Refusal {
	addresses: string;
	message: string;
	/** How often it was asked; undefined: it strips the field, and asking again is of no use. */
	times: number | undefined;
	/** Monotonic; it is not asked again before. */
	until: number;
}

/** Which Services the API server keeps from having their addresses in spec.externalIPs, by UID. */
export class Refusals {
	readonly #clock: Clock;
	readonly #refusals = new Map<string, Refusal>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** What it said to these addresses, while it is not to be asked again. */
	standing(uid: string, addresses: readonly string[]): string | undefined {
		const refusal = this.#refusals.get(uid);
		return refusal?.addresses === addresses.join() &&
			this.#clock.monotonic() < refusal.until
			? refusal.message
			: undefined;
	}

	/** `strips`: it drops the field without a word. */
	add(
		uid: string,
		addresses: readonly string[],
		message: string,
		strips: boolean,
	): void {
		const times = strips
			? undefined
			: (this.#refusals.get(uid)?.times ?? 0) + 1;
		const pauseMs =
			times === undefined
				? Number.POSITIVE_INFINITY
				: Math.min(capMs, baseMs * 2 ** (times - 1));
		this.#refusals.set(uid, {
			addresses: addresses.join(),
			message,
			times,
			until: this.#clock.monotonic() + pauseMs,
		});
	}

	delete(uid: string): void {
		this.#refusals.delete(uid);
	}

	/** A refusal may pass: admission follows the pools a moment later, and an administrator may lift a ban. */
	askAgain(uid: string): { retryAfterMs: number } | undefined {
		const refusal = this.#refusals.get(uid);
		if (!refusal || refusal.times === undefined) return undefined;
		const waitMs = refusal.until - this.#clock.monotonic();
		return { retryAfterMs: Math.max(1, Math.ceil(waitMs)) };
	}
}

import type { Cancel, Clock } from "../clock.ts";

/** Calls `onSilence` once when nothing has been heard for as long as allowed; costs one timer, not one per sound. */
export class Watchdog {
	#clock: Clock;
	#onSilence: () => void;
	#heard: number;
	#allowedMs: number;
	#cancel: Cancel = () => {};

	constructor(clock: Clock, allowedMs: number, onSilence: () => void) {
		this.#clock = clock;
		this.#onSilence = onSilence;
		this.#heard = clock.monotonic();
		this.#allowedMs = allowedMs;
		this.#arm();
	}

	/** Silence allowed from now on, in milliseconds. */
	allow(ms: number): void {
		this.#allowedMs = ms;
		this.#heard = this.#clock.monotonic();
		this.#cancel();
		this.#arm();
	}

	heard(): void {
		this.#heard = this.#clock.monotonic();
	}

	stop(): void {
		this.#cancel();
	}

	#arm(): void {
		const deadline = this.#heard + this.#allowedMs;
		// Whole milliseconds: a remainder too small to move the clock would be waited for without end.
		const leftMs = Math.ceil(deadline - this.#clock.monotonic());
		this.#cancel = this.#clock.after(leftMs, () => {
			if (this.#clock.monotonic() < this.#heard + this.#allowedMs) this.#arm();
			else this.#onSilence();
		});
	}
}

/** Tokens that refill steadily up to `burst`; time is milliseconds of any clock that never runs backwards. */
export class TokenBucket {
	readonly #perMs: number;
	readonly #burst: number;
	#tokens: number;
	#at: number;

	constructor(perSecond: number, burst: number, now: number) {
		this.#perMs = perSecond / 1000;
		this.#burst = burst;
		this.#tokens = burst;
		this.#at = now;
	}

	/** Takes a token and returns 0, or takes none and returns the milliseconds until there is one. */
	take(now: number): number {
		this.#tokens = Math.min(
			this.#burst,
			this.#tokens + (now - this.#at) * this.#perMs,
		);
		this.#at = now;
		if (this.#tokens >= 1) {
			this.#tokens -= 1;
			return 0;
		}
		return Math.ceil((1 - this.#tokens) / this.#perMs);
	}
}

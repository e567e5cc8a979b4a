import type { Clock } from "../../operator/clock.ts";

export interface RateLimitOptions {
	clock: Clock;
	/** Requests a full bucket holds; Hetzner: 3600. */
	limit?: number;
	/** Requests given back per second; Hetzner: 1. */
	perSecond?: number;
}

export interface Allowance {
	allowed: boolean;
	limit: number;
	remaining: number;
	/** Unix seconds at which the bucket is full again. */
	reset: number;
}

/** One bucket of requests per project, as Hetzner counts (docs.hetzner.cloud, "Rate Limiting"). */
export class RateLimit {
	readonly #clock: Clock;
	readonly #limit: number;
	readonly #perSecond: number;
	readonly #buckets = new Map<string, { left: number; at: number }>();

	constructor({ clock, limit = 3600, perSecond = 1 }: RateLimitOptions) {
		this.#clock = clock;
		this.#limit = limit;
		this.#perSecond = perSecond;
	}

	/** Takes one request out of the project's bucket, if there is one. */
	take(project: string): Allowance {
		const at = this.#clock.monotonic();
		const bucket = this.#buckets.get(project) ?? { left: this.#limit, at };
		const refilled = ((at - bucket.at) / 1000) * this.#perSecond;
		const left = Math.min(this.#limit, bucket.left + refilled);
		const allowed = left >= 1;
		const after = allowed ? left - 1 : left;
		this.#buckets.set(project, { left: after, at });
		const fullIn = (this.#limit - after) / this.#perSecond;
		return {
			allowed,
			limit: this.#limit,
			remaining: Math.floor(after),
			reset: Math.ceil(this.#clock.now() / 1000 + fullIn),
		};
	}
}

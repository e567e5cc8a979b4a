import { createHash } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { FairleadError } from "../../errors.ts";

/** Which call goes first when not all can: deletes and creates, then changes of targets and ports, then audits. */
export type Priority = "deleteOrCreate" | "update" | "audit";

const order: Priority[] = ["deleteOrCreate", "update", "audit"];

/** What an answer says of the rate limit. */
export interface RateAnswer {
	/** The cloud refused the call for going too fast. */
	limited: boolean;
	/** RateLimit-Limit: calls when full. */
	limit?: number;
	/** RateLimit-Remaining. */
	remaining?: number;
	/** RateLimit-Reset, as milliseconds from now until it is full again. */
	resetMs?: number;
	/** Retry-After. */
	retryAfterMs?: number;
}

/** The calls one token may make; shared by everything that uses the token. */
export interface Budget {
	/**
	 * Resolves when a call may be sent; every one that resolved is followed by one `leave`. Rejects with
	 * CloudRateLimited when the wait would be long, so that nobody's worker sleeps on it, and with the signal's reason.
	 */
	enter(priority: Priority, signal: AbortSignal): Promise<void>;
	/** The call is over. Returns how many milliseconds to wait if the answer said it came too fast. */
	leave(answer?: RateAnswer): number | undefined;
}

/** Budgets by endpoint and token: two BalancerClasses of one cloud project share one. */
export interface CloudBudgets {
	of(endpoint: string, token: string): Budget;
}

export function createCloudBudgets(clock: Clock): CloudBudgets {
	// Weak: a token that was replaced, and its budget, are gone when the last provider that used them is.
	const budgets = new Map<string, WeakRef<Budget>>();
	return {
		of(endpoint, token) {
			const key = createHash("sha256")
				.update(`${endpoint}\n${token}`)
				.digest("hex");
			const known = budgets.get(key)?.deref();
			if (known) return known;
			for (const [each, ref] of budgets) if (!ref.deref()) budgets.delete(each);
			const budget = createBudget(clock);
			budgets.set(key, new WeakRef(budget));
			return budget;
		},
	};
}

export interface BudgetOptions {
	/** Calls under way at once. */
	concurrency: number;
	/** Waits longer than this are refused, with the time to come back. */
	patienceMs: number;
}

interface Waiter {
	go(): void;
	refuse(waitMs: number): void;
}

/**
 * A token bucket that follows the cloud's own count. Hetzner refills evenly (3,600 an hour: one a second) and gives in
 * RateLimit-Reset the time when the bucket will be full again, so the pace is the time left by what is missing.
 * Source: docs.hetzner.cloud, Rate Limiting.
 */
export function createBudget(
	clock: Clock,
	{ concurrency, patienceMs }: BudgetOptions = {
		concurrency: 8,
		patienceMs: 2_000,
	},
): Budget {
	const waiting: Waiter[][] = order.map(() => []);
	let underWay = 0;
	let limit = Number.POSITIVE_INFINITY;
	let remaining = Number.POSITIVE_INFINITY;
	/** Milliseconds for one call to come back. */
	let refillMs = 1_000;
	/** When `remaining` was true. */
	let at = 0;
	/** Refusals in a row. */
	let strikes = 0;
	let cancelTimer: (() => void) | undefined;

	/** Milliseconds until `calls` may be sent. */
	function waitFor(calls: number): number {
		const now = clock.monotonic();
		if (remaining >= calls) return Math.max(0, at - now);
		return Math.max(0, at + (calls - remaining) * refillMs - now);
	}

	function spend(): void {
		const now = clock.monotonic();
		if (now > at) {
			remaining = Math.min(limit, remaining + (now - at) / refillMs);
			at = now;
		}
		remaining -= 1;
	}

	function pump(): void {
		cancelTimer?.();
		cancelTimer = undefined;
		for (const queue of waiting) {
			while (queue.length > 0) {
				if (underWay >= concurrency) return;
				const wait = waitFor(1);
				if (wait > 0) {
					cancelTimer = clock.after(Math.ceil(wait), pump);
					return;
				}
				spend();
				underWay += 1;
				queue.shift()?.go();
			}
		}
	}

	/** Sends away everybody whose turn comes too late. */
	function thin(): void {
		const all = waiting.reduce((sum, queue) => sum + queue.length, 0);
		if (waitFor(all) <= patienceMs) return;
		let ahead = 0;
		for (const [rank, queue] of waiting.entries())
			waiting[rank] = queue.filter((waiter) => {
				const wait = waitFor(ahead + 1);
				if (wait > patienceMs) waiter.refuse(wait);
				else ahead += 1;
				return wait <= patienceMs;
			});
	}

	return {
		enter(priority, signal) {
			return new Promise<void>((resolve, reject) => {
				if (signal.aborted) return reject(signal.reason as Error);
				const rank = order.indexOf(priority);
				const stop = () => {
					const queue = waiting[rank] as Waiter[];
					waiting[rank] = queue.filter((each) => each !== waiter);
					reject(signal.reason as Error);
				};
				const waiter: Waiter = {
					go() {
						signal.removeEventListener("abort", stop);
						resolve();
					},
					refuse(waitMs) {
						signal.removeEventListener("abort", stop);
						reject(tooFast(waitMs));
					},
				};
				signal.addEventListener("abort", stop, { once: true });
				waiting[rank]?.push(waiter);
				thin();
				pump();
			});
		},
		leave(answer) {
			underWay -= 1;
			const pause = answer && learn(answer);
			thin();
			pump();
			return pause;
		},
	};

	function learn(answer: RateAnswer): number | undefined {
		const now = clock.monotonic();
		if (answer.limit !== undefined && answer.remaining !== undefined) {
			limit = answer.limit;
			// Calls under way may not be counted yet.
			remaining = answer.remaining - underWay;
			at = now;
			const missing = limit - answer.remaining;
			refillMs =
				missing > 0 && answer.resetMs !== undefined && answer.resetMs > 0
					? answer.resetMs / missing
					: 3_600_000 / Math.max(1, limit);
		}
		if (!answer.limited) {
			strikes = 0;
			return undefined;
		}
		strikes += 1;
		// A cloud that counts in fixed windows gives nothing back before the reset: doubling pauses get there.
		const pause =
			answer.retryAfterMs ??
			Math.min(
				answer.resetMs || 60_000,
				Math.max(1_000, refillMs) * 2 ** Math.min(strikes - 1, 12),
			);
		remaining = 1;
		at = now + pause;
		return pause;
	}
}

function tooFast(waitMs: number): FairleadError {
	const seconds = Math.ceil(waitMs / 1_000);
	return new FairleadError(
		"CloudRateLimited",
		`the cloud's rate limit for this token is used up; next call in ${seconds} s`,
		{ retryAfterMs: Math.ceil(waitMs) },
	);
}

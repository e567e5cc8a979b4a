import { createHash } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { FairleadError } from "../../errors.ts";

/** Which call goes first when not all can: deletes, then creates, then changes of targets and ports, then audits. */
export type Priority = "delete" | "create" | "update" | "audit";

const order: Priority[] = ["delete", "create", "update", "audit"];

/** Who wants to make a call. */
export interface Caller {
	priority: Priority;
	/**
	 * Whom the call is for: who was sent away keeps its place in line until it comes back. Absent: a read that serves
	 * many, which goes first among its priority.
	 */
	by?: string;
	signal: AbortSignal;
}

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
	 * CloudRateLimited and the time to come back when the wait would be long, so that who is called off by then does not
	 * stand in the way, and with the signal's reason.
	 */
	enter(caller: Caller): Promise<void>;
	/** The call is over. Returns how many milliseconds to wait if the answer said it came too fast. */
	leave(answer?: RateAnswer): number | undefined;
	/** Milliseconds to leave between calls that only ask how work is getting on; 0 while calls are plenty. */
	pace(): number;
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

interface Place {
	rank: number;
	/** When it was first seen, among all; who came earlier goes earlier. */
	seq: number;
}

interface Waiter extends Place {
	by: string | undefined;
	go: () => void;
	refuse: (waitMs: number) => void;
}

/** Who was sent away is waited for so long beyond its time. */
const lateMs = 5_000;
/** Who was let in may call again within this time as if it had never left the line: a pass is several calls. */
const passMs = 1_000;

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
	/** In the order in which they go. */
	let waiting: Waiter[] = [];
	/** Places of those who are not here but will be back; monotonic `until` ends their claim. */
	const away = new Map<string, Place & { until: number }>();
	let seen = 0;
	let underWay = 0;
	let limit = Number.POSITIVE_INFINITY;
	let remaining = Number.POSITIVE_INFINITY;
	/** Milliseconds for one call to come back. */
	let refillMs = 1_000;
	let learned = false;
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
		while (waiting.length > 0) {
			if (underWay >= concurrency) return;
			const wait = waitFor(1);
			if (wait > 0) {
				cancelTimer = clock.after(Math.ceil(wait), pump);
				return;
			}
			spend();
			underWay += 1;
			const { by, rank, seq, go } = waiting.shift() as Waiter;
			if (by !== undefined)
				away.set(by, { rank, seq, until: clock.monotonic() + passMs });
			go();
		}
	}

	/** Sends away everybody whose turn comes too late. */
	function thin(): void {
		const now = clock.monotonic();
		for (const [by, { until }] of away) if (until < now) away.delete(by);
		if (waitFor(waiting.length + away.size) <= patienceMs) return;
		const stay: Waiter[] = [];
		for (const waiter of waiting) {
			let ahead = stay.length;
			for (const place of away.values()) if (before(place, waiter)) ahead++;
			const wait = waitFor(ahead + 1);
			if (wait <= patienceMs) {
				stay.push(waiter);
				continue;
			}
			const { by, rank, seq } = waiter;
			if (by !== undefined)
				away.set(by, { rank, seq, until: now + wait + lateMs });
			waiter.refuse(wait);
		}
		waiting = stay;
	}

	function insert(waiter: Waiter): void {
		const at = waiting.findIndex((each) => before(waiter, each));
		waiting.splice(at < 0 ? waiting.length : at, 0, waiter);
	}

	return {
		enter({ priority, by, signal }) {
			return new Promise<void>((resolve, reject) => {
				if (signal.aborted) return reject(signal.reason as Error);
				const stop = () => {
					waiting = waiting.filter((each) => each !== waiter);
					reject(signal.reason as Error);
				};
				const kept = by === undefined ? undefined : away.get(by);
				if (by !== undefined) away.delete(by);
				const waiter: Waiter = {
					rank: order.indexOf(priority),
					seq: by === undefined ? 0 : (kept?.seq ?? ++seen),
					by,
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
				insert(waiter);
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
		pace() {
			const since = Math.max(0, clock.monotonic() - at);
			const now = Math.min(limit, remaining + since / refillMs);
			return now > limit / 10 || limit === Number.POSITIVE_INFINITY
				? 0
				: 10 * refillMs;
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
			const estimate =
				missing > 0 && answer.resetMs !== undefined && answer.resetMs > 0
					? answer.resetMs / missing
					: 3_600_000 / Math.max(1, limit);
			// Reset and Date are rounded to whole seconds so that the pause comes out too long, the more the less is missing:
			// the shortest of late is nearest to the truth.
			refillMs = learned ? Math.min(estimate, 1.1 * refillMs) : estimate;
			learned = true;
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

function before(a: Place, b: Place): boolean {
	return a.rank < b.rank || (a.rank === b.rank && a.seq < b.seq);
}

/** Says no time: the message is shown, and must not differ from one refusal to the next. */
function tooFast(waitMs: number): FairleadError {
	return new FairleadError(
		"CloudRateLimited",
		"the cloud allows no more requests with this token for now; this one waits its turn",
		{ retryAfterMs: Math.ceil(waitMs) },
	);
}

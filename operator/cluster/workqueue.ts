import { type Clock, sleep } from "../clock.ts";
import { isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import { backoffMs } from "./backoff.ts";
import { Timetable } from "./timetable.ts";

/** `high` is for what somebody waits for, `normal` for the resync of thousands. */
export type Priority = "high" | "normal";

/** Brings what `key` names into order; `retryAfterMs` asks to be called again later without having failed. */
export type Handler = (
	key: string,
	signal: AbortSignal,
	// A handler that has nothing to say returns nothing.
) => Promise<void | { retryAfterMs?: number }>;

export type Outcome = "done" | "later" | "failed";

export interface WorkqueueOptions {
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** Keys handled at the same time; default 8. */
	workers?: number;
	/** Pause after a key's first failure, doubled with each further one, jittered; defaults 1,000 and 300,000. */
	backoffBaseMs?: number;
	backoffCapMs?: number;
	/** Of this many keys started one is of normal priority, however many high ones wait; default 5. */
	normalEvery?: number;
	/** For metrics. */
	onStarted?: (key: string, waitedMs: number) => void;
	onFinished?: (key: string, tookMs: number, outcome: Outcome) => void;
}

interface Entry {
	key: string;
	/** Counts how often it was queued: an older ticket in a line is void. */
	ticket: number;
	/** Set while it waits in a line. */
	queued: { priority: Priority; since: number } | undefined;
	/** Of its delayed addition. */
	later: Priority | undefined;
	running: boolean;
	/** Added while running: to be queued when that ends. */
	again: Priority | undefined;
	failures: number;
	/** The message of the last failure. */
	said: string | undefined;
}

/**
 * A queue of keys, each in it at most once and never handled twice at the same time: a key added while it is handled is
 * handled again afterwards, so every addition is followed by a handling that began after it. Failed keys come back
 * after growing pauses. Every operation costs O(log n) at most.
 */
export class Workqueue {
	#options: WorkqueueOptions;
	#clock: Clock;
	#log: Log;
	#workers: number;
	#normalEvery: number;
	#entries = new Map<string, Entry>();
	#lines = { high: new Line(), normal: new Line() };
	#waiting = { high: 0, normal: 0 };
	#later: Timetable;
	#handler: Handler | undefined;
	#running = 0;
	#highInARow = 0;
	#paused = false;
	#draining = false;
	#pumping = false;
	#abort = new AbortController();
	#onIdle: (() => void)[] = [];

	constructor(options: WorkqueueOptions) {
		this.#options = options;
		this.#clock = options.clock;
		this.#log = options.log;
		this.#workers = options.workers ?? 8;
		this.#normalEvery = options.normalEvery ?? 5;
		this.#later = new Timetable(options.clock, (key) => {
			const entry = this.#entries.get(key);
			if (entry?.later) this.#queue(entry, entry.later);
		});
	}

	/** Keys that wait for a worker. */
	get depth(): { high: number; normal: number } {
		return { ...this.#waiting };
	}

	/** Keys that wait for their time. */
	get delayed(): number {
		return this.#later.size;
	}

	/** Keys being handled. */
	get running(): number {
		return this.#running;
	}

	/** Keys known: waiting for a worker or for their time, being handled, or failed before. */
	get size(): number {
		return this.#entries.size;
	}

	/** Handles `key` as soon as a worker is free, whatever pause it was in. */
	add(key: string, priority: Priority = "normal"): void {
		if (!this.#draining) this.#queue(this.#entry(key), priority);
	}

	/** Handles `key` in `ms` milliseconds, or earlier if it is queued or due before. */
	addAfter(key: string, ms: number, priority: Priority = "normal"): void {
		if (ms <= 0) return this.add(key, priority);
		if (this.#draining) return;
		const entry = this.#entry(key);
		if (entry.queued || entry.again) return;
		if (entry.later !== "high") entry.later = priority;
		this.#later.add(key, ms);
	}

	/** Counts a failure of `key` and handles it again after the pause that is due. */
	addRateLimited(key: string, priority: Priority = "normal"): void {
		if (this.#draining) return;
		const entry = this.#entry(key);
		entry.failures++;
		this.addAfter(key, this.#pauseMs(entry), priority);
	}

	/** Starts the workers. Throws when they have been started before. */
	run(handler: Handler): void {
		if (this.#handler) throw new Error("the workqueue runs already");
		this.#handler = handler;
		this.#pump();
	}

	/** Starts no more work until `resume()`; what runs goes on, what is added waits. */
	pause(): void {
		this.#paused = true;
	}

	resume(): void {
		this.#paused = false;
		this.#pump();
	}

	/**
	 * Takes and starts nothing more, for good, and waits for what runs. After `deadlineMs` the handlers' signal is
	 * aborted and it waits no longer. True when all had ended by then.
	 */
	async drain(deadlineMs: number): Promise<boolean> {
		this.#draining = true;
		this.#later.clear();
		if (this.#running === 0) return true;
		const late = new AbortController();
		const idle = new Promise<true>((resolve) => {
			this.#onIdle.push(() => resolve(true));
		});
		const ended = await Promise.race([
			idle,
			sleep(this.#clock, deadlineMs, late.signal).then(
				() => false,
				() => true,
			),
		]);
		late.abort();
		if (!ended) this.#abort.abort(new Error("the workqueue is stopping"));
		return ended;
	}

	#entry(key: string): Entry {
		let entry = this.#entries.get(key);
		if (!entry) {
			entry = {
				key,
				ticket: 0,
				queued: undefined,
				later: undefined,
				running: false,
				again: undefined,
				failures: 0,
				said: undefined,
			};
			this.#entries.set(key, entry);
		}
		return entry;
	}

	#queue(entry: Entry, priority: Priority): void {
		if (entry.later) {
			entry.later = undefined;
			this.#later.delete(entry.key);
		}
		if (entry.running) {
			if (entry.again !== "high") entry.again = priority;
			return;
		}
		if (entry.queued) {
			if (entry.queued.priority === priority || priority === "normal") return;
			this.#waiting.normal--;
		}
		const since = entry.queued?.since ?? this.#clock.monotonic();
		entry.queued = { priority, since };
		this.#waiting[priority]++;
		this.#lines[priority].push({ entry, ticket: ++entry.ticket });
		this.#pump();
	}

	/** Starts what can be started, in a turn of its own: thousands of quick keys must not keep timers and sockets waiting. */
	#pump(): void {
		if (this.#pumping || !this.#handler) return;
		this.#pumping = true;
		setImmediate(() => {
			this.#pumping = false;
			while (
				!this.#paused &&
				!this.#draining &&
				this.#running < this.#workers
			) {
				const entry = this.#next();
				if (!entry) break;
				void this.#handle(entry);
			}
		});
	}

	#next(): Entry | undefined {
		const { high, normal } = this.#waiting;
		if (high + normal === 0) return undefined;
		const turn = high === 0 || this.#highInARow >= this.#normalEvery - 1;
		const priority = turn && normal > 0 ? "normal" : "high";
		this.#highInARow = priority === "normal" ? 0 : this.#highInARow + 1;
		return this.#lines[priority].shift();
	}

	async #handle(entry: Entry): Promise<void> {
		const { key } = entry;
		const began = this.#clock.monotonic();
		const { priority, since } = entry.queued as NonNullable<Entry["queued"]>;
		entry.queued = undefined;
		entry.running = true;
		this.#waiting[priority]--;
		this.#running++;
		this.#options.onStarted?.(key, began - since);
		let outcome: Outcome = "done";
		let waitMs: number | undefined;
		try {
			const result = await this.#handler?.(key, this.#abort.signal);
			this.#succeeded(entry);
			waitMs = result?.retryAfterMs;
			if (waitMs !== undefined) outcome = "later";
		} catch (error) {
			waitMs = isFairleadError(error) ? error.retryAfterMs : undefined;
			outcome = waitMs === undefined ? "failed" : "later";
			if (waitMs === undefined) {
				entry.failures++;
				waitMs = this.#pauseMs(entry);
			}
			this.#sayFailed(entry, error, waitMs);
		}
		entry.running = false;
		this.#running--;
		this.#options.onFinished?.(key, this.#clock.monotonic() - began, outcome);
		if (entry.again && !this.#draining) {
			const again = entry.again;
			entry.again = undefined;
			this.#queue(entry, again);
		} else if (waitMs !== undefined) this.addAfter(key, waitMs, priority);
		if (!entry.queued && !entry.later && entry.failures === 0)
			this.#entries.delete(key);
		if (this.#running === 0) for (const tell of this.#onIdle.splice(0)) tell();
		this.#pump();
	}

	#succeeded(entry: Entry): void {
		if (entry.said !== undefined)
			this.#log.info({ key: entry.key, failures: entry.failures }, "succeeded");
		entry.said = undefined;
		entry.failures = 0;
	}

	/** Half of the pause is certain, half is chance: a failing key never comes back at once. */
	#pauseMs(entry: Entry): number {
		const {
			backoffBaseMs = 1000,
			backoffCapMs = 300_000,
			random,
		} = this.#options;
		const backoff = { baseMs: backoffBaseMs, capMs: backoffCapMs };
		return backoffMs(backoff, entry.failures, () => 0.5 + random() / 2);
	}

	#sayFailed(entry: Entry, error: unknown, waitMs: number): void {
		const said = error instanceof Error ? error.message : String(error);
		if (said === entry.said) return;
		entry.said = said;
		const fields = { key: entry.key, retryInMs: Math.round(waitMs) };
		if (isFairleadError(error))
			this.#log.warn({ ...fields, code: error.code }, said);
		else this.#log.error({ ...fields, err: error }, said);
	}
}

interface Ticket {
	entry: Entry;
	ticket: number;
}

/** First in, first out, in O(1); void tickets are passed over. */
class Line {
	#tickets: Ticket[] = [];
	#head = 0;

	push(ticket: Ticket): void {
		this.#tickets.push(ticket);
	}

	shift(): Entry | undefined {
		for (;;) {
			const ticket = this.#tickets[this.#head++];
			if (!ticket || this.#head * 2 > this.#tickets.length) {
				this.#tickets = this.#tickets.slice(this.#head);
				this.#head = 0;
			}
			if (!ticket) return undefined;
			if (ticket.entry.queued && ticket.entry.ticket === ticket.ticket)
				return ticket.entry;
		}
	}
}

import type { Cancel, Clock } from "../../operator/clock.ts";

/** A clock that is moved by hand, for thousands of timers that are due at few different moments. */
export class HandClock implements Clock {
	#now = 0;
	readonly #due = new Map<number, Set<() => void>>();

	now(): number {
		return Date.UTC(2026, 0, 1) + this.#now;
	}

	monotonic(): number {
		return this.#now;
	}

	after(ms: number, run: () => void): Cancel {
		const due = this.#now + Math.max(0, ms);
		const timers = this.#due.get(due) ?? new Set();
		this.#due.set(due, timers);
		const timer = () => run();
		timers.add(timer);
		return () => {
			timers.delete(timer);
			if (timers.size === 0 && this.#due.get(due) === timers)
				this.#due.delete(due);
		};
	}

	/** Fires what falls due, moment by moment; what follows without waiting for time follows before the next moment. */
	async advance(ms: number): Promise<void> {
		const end = this.#now + ms;
		await settled();
		for (;;) {
			const next = Math.min(...this.#due.keys());
			if (next > end) break;
			this.#now = next;
			const timers = this.#due.get(next) ?? [];
			this.#due.delete(next);
			for (const timer of timers) timer();
			await settled();
		}
		this.#now = end;
	}
}

async function settled(): Promise<void> {
	for (let turn = 0; turn < 3; turn++)
		await new Promise((resolve) => setImmediate(resolve));
}

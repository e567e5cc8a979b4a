import type { Cancel, Clock } from "../../operator/clock.ts";

/** A clock that stands still until `advance` moves it; timers fire in order of their due time. */
export class FakeClock implements Clock {
	#wall: number;
	#mono = 0;
	#timers = new Map<number, { due: number; run: () => void }>();
	#next = 0;

	constructor(wall = Date.UTC(2026, 0, 1)) {
		this.#wall = wall;
	}

	now(): number {
		return this.#wall;
	}

	monotonic(): number {
		return this.#mono;
	}

	after(ms: number, run: () => void): Cancel {
		const id = this.#next++;
		this.#timers.set(id, { due: this.#mono + Math.max(0, ms), run });
		return () => {
			this.#timers.delete(id);
		};
	}

	/** Timers waiting, as milliseconds from now, soonest first. */
	waiting(): number[] {
		return [...this.#timers.values()]
			.map((timer) => timer.due - this.#mono)
			.sort((a, b) => a - b);
	}

	/** Moves time on by `ms`, firing what falls due; promises get to settle before and after each timer. */
	async advance(ms: number): Promise<void> {
		const end = this.#mono + ms;
		await settle();
		for (;;) {
			const due = [...this.#timers]
				.filter(([, timer]) => timer.due <= end)
				.sort(([a, x], [b, y]) => x.due - y.due || a - b)[0];
			if (!due) break;
			this.#timers.delete(due[0]);
			// What fell due during a pause fires late, it does not turn time back.
			const at = Math.max(this.#mono, due[1].due);
			this.#wall += at - this.#mono;
			this.#mono = at;
			due[1].run();
			await settle();
		}
		this.#wall += end - this.#mono;
		this.#mono = end;
		await settle();
	}

	/** Time passes while the process does not run (a pause): nothing fires until the next `advance`. */
	pause(ms: number): void {
		this.#wall += ms;
		this.#mono += ms;
	}
}

/** Lets every promise that can settle without outside help do so. */
async function settle(): Promise<void> {
	for (let turn = 0; turn < 3; turn++)
		await new Promise((resolve) => setImmediate(resolve));
}

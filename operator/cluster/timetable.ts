import type { Cancel, Clock } from "../clock.ts";

interface Appointment {
	key: string;
	due: number;
	/** Position in the heap. */
	at: number;
}

/** setTimeout takes a longer one for none at all. */
const longestTimer = 2 ** 31 - 1;

/**
 * Keys that fall due later, each at one time: a binary heap, so that any number of them costs one timer and O(log n) a
 * change.
 */
export class Timetable {
	#clock: Clock;
	#onDue: (key: string) => void;
	#heap: Appointment[] = [];
	#byKey = new Map<string, Appointment>();
	#cancel: Cancel = () => {};
	#armedFor = Number.POSITIVE_INFINITY;

	constructor(clock: Clock, onDue: (key: string) => void) {
		this.#clock = clock;
		this.#onDue = onDue;
	}

	get size(): number {
		return this.#heap.length;
	}

	/** `key` falls due in `ms` milliseconds, or earlier if it does so already. */
	add(key: string, ms: number): void {
		const due = this.#clock.monotonic() + Math.max(0, ms);
		let appointment = this.#byKey.get(key);
		if (!appointment) {
			appointment = { key, due, at: this.#heap.length };
			this.#byKey.set(key, appointment);
			this.#heap.push(appointment);
		} else if (due >= appointment.due) return;
		appointment.due = due;
		this.#up(appointment);
		this.#arm();
	}

	delete(key: string): void {
		const appointment = this.#byKey.get(key);
		if (appointment) this.#takeOut(appointment);
		if (this.#heap.length === 0) this.#arm();
	}

	clear(): void {
		this.#heap = [];
		this.#byKey.clear();
		this.#arm();
	}

	#takeOut(appointment: Appointment): void {
		this.#byKey.delete(appointment.key);
		const last = this.#heap.pop() as Appointment;
		if (last !== appointment) {
			last.at = appointment.at;
			this.#heap[last.at] = last;
			this.#up(last);
			this.#down(last);
		}
	}

	#up(appointment: Appointment): void {
		while (appointment.at > 0) {
			const parent = this.#heap[(appointment.at - 1) >> 1] as Appointment;
			if (parent.due <= appointment.due) break;
			this.#swap(parent, appointment);
		}
	}

	#down(appointment: Appointment): void {
		for (;;) {
			const left = this.#heap[appointment.at * 2 + 1];
			const right = this.#heap[appointment.at * 2 + 2];
			const least = right && left && right.due < left.due ? right : left;
			if (!least || least.due >= appointment.due) break;
			this.#swap(appointment, least);
		}
	}

	#swap(upper: Appointment, lower: Appointment): void {
		[upper.at, lower.at] = [lower.at, upper.at];
		this.#heap[upper.at] = upper;
		this.#heap[lower.at] = lower;
	}

	#arm(): void {
		const first = this.#heap[0];
		if (first && first.due >= this.#armedFor) return;
		this.#cancel();
		this.#armedFor = first?.due ?? Number.POSITIVE_INFINITY;
		if (!first) return;
		const wait = Math.ceil(first.due - this.#clock.monotonic());
		const ring = () => this.#ring();
		this.#cancel = this.#clock.after(Math.min(wait, longestTimer), ring);
	}

	#ring(): void {
		this.#armedFor = Number.POSITIVE_INFINITY;
		const now = this.#clock.monotonic();
		for (let first = this.#heap[0]; first; first = this.#heap[0]) {
			if (first.due > now) break;
			this.#takeOut(first);
			this.#onDue(first.key);
		}
		this.#arm();
	}
}

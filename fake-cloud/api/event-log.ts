import type { Cancel, Clock } from "../../operator/clock.ts";
import type { LiveEventName, LiveEvents } from "./live.ts";

export interface LoggedEvent {
	id: string;
	event: LiveEventName;
	/** JSON. */
	data: string;
}

/** Whoever follows the events. */
export type Follower = (event: LoggedEvent) => void;

/** Events kept for those who come back. */
const kept = 2_000;
/** How long after the last follower left somebody may still come back. */
const lingerMs = 60_000;

/**
 * Numbers events, remembers the last ones, and hands them on. While nobody follows, events only count: nothing is
 * rendered, and who comes back later is told to read the state again.
 */
export class EventLog {
	readonly #clock: Clock;
	/** Ids of another run are no ids of this one. */
	readonly #epoch: string;
	readonly #followers = new Set<Follower>();
	#events: LoggedEvent[] = [];
	#sequence = 0;
	#lingering = false;
	#cancel: Cancel = () => {};
	/** Numbers above this one are still there. */
	#forgotten = 0;

	constructor(clock: Clock, epoch: string) {
		this.#clock = clock;
		this.#epoch = epoch;
	}

	get lastId(): string {
		return this.#id(this.#sequence);
	}

	/** Whether anybody would hear of an event, now or when they come back. */
	get followed(): boolean {
		return this.#followers.size > 0 || this.#lingering;
	}

	/** `data` is only asked for when somebody follows. */
	publish<E extends LiveEventName>(event: E, data: () => LiveEvents[E]): void {
		this.#sequence++;
		if (!this.followed) {
			this.#events = [];
			this.#forgotten = this.#sequence;
			return;
		}
		const logged = { id: this.lastId, event, data: JSON.stringify(data()) };
		this.#events.push(logged);
		// Twice as many as are kept, and then half of them at once: no shifting per event.
		if (this.#events.length >= 2 * kept) {
			this.#events = this.#events.slice(-kept);
			this.#forgotten = this.#sequence - kept;
		}
		for (const follower of this.#followers) follower(logged);
	}

	/** Hands on what came after `lastId`, or a reset if that cannot be known, and from then on every event. */
	follow(lastId: string | undefined, follower: Follower): () => void {
		for (const event of this.#since(lastId)) follower(event);
		this.#followers.add(follower);
		return () => {
			this.#followers.delete(follower);
			this.#lingering = true;
			this.#cancel();
			this.#cancel = this.#clock.after(lingerMs, () => {
				this.#lingering = false;
			});
		};
	}

	close(): void {
		this.#cancel();
	}

	#since(lastId: string | undefined): LoggedEvent[] {
		if (lastId === undefined) return [];
		const match = /^(.+)-(\d+)$/.exec(lastId);
		const number = Number(match?.[2]);
		if (match?.[1] !== this.#epoch || number > this.#sequence)
			return [
				this.#reset("the id is from before a restart, or none of this cloud's"),
			];
		if (number < this.#forgotten)
			return [this.#reset("the events since are no longer kept")];
		const missed = this.#sequence - number;
		return missed === 0 ? [] : this.#events.slice(-missed);
	}

	#reset(reason: string): LoggedEvent {
		const data: LiveEvents["reset"] = { reason, lastEventId: this.lastId };
		return { id: this.lastId, event: "reset", data: JSON.stringify(data) };
	}

	#id(sequence: number): string {
		return `${this.#epoch}-${sequence}`;
	}
}

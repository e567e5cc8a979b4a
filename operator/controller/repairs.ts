import type { Cancel, Clock } from "../clock.ts";
import type { Log } from "../log.ts";

export interface RepairsOptions {
	clock: Clock;
	log: Log;
	/** It is time to look at the Service again. */
	wake: (key: string) => void;
}

/** How often what was undone is put back at once, and how the pauses grow from then on. */
const patience = 3;
const pauseBaseMs = 1_000;
const pauseCapMs = 300_000;
/** After this long without another repair a quarrel is over. */
const calmMs = 600_000;

interface Quarrel {
	times: number;
	lost: Set<string>;
	/** Monotonic; nothing is written before. */
	until: number;
	timer: Cancel;
}

/**
 * Keeps Fairlead from fighting whoever undoes its writes for ever, as GitOps tools do that own whole objects: what was
 * undone is put back at once a few times, then after pauses that double, and the Service is told why. Holds nothing for
 * Services that nobody meddles with.
 */
export class Repairs {
	readonly #options: RepairsOptions;
	readonly #quarrels = new Map<string, Quarrel>();

	constructor(options: RepairsOptions) {
		this.#options = options;
	}

	/** Somebody undid `lost` (model/undone.ts) on the Service. */
	undone(key: string, lost: string[]): void {
		const { clock, log, wake } = this.#options;
		const now = clock.monotonic();
		const quarrel = this.#quarrels.get(key) ?? {
			times: 0,
			lost: new Set(),
			until: now,
			timer: () => {},
		};
		this.#quarrels.set(key, quarrel);
		for (const each of lost) quarrel.lost.add(each);
		// More of the same, while nothing is put back, is the same blow.
		if (quarrel.until > now) return;
		quarrel.times++;
		quarrel.timer();
		const over = () => {
			quarrel.timer = clock.after(calmMs, () => {
				this.#quarrels.delete(key);
				wake(key);
			});
		};
		if (quarrel.times <= patience) return over();
		const pause = Math.min(
			pauseCapMs,
			pauseBaseMs * 2 ** (quarrel.times - patience - 1),
		);
		quarrel.until = now + pause;
		quarrel.timer = clock.after(pause, () => {
			over();
			wake(key);
		});
		if (quarrel.times === patience + 1)
			log.warn(
				{ service: key, lost: [...quarrel.lost].sort() },
				`somebody keeps undoing what Fairlead writes on Service ${key}; it is put back ever more rarely`,
			);
	}

	/** Whether nothing is to be written on the Service for now; it is woken when that is over. */
	paused(key: string): boolean {
		const quarrel = this.#quarrels.get(key);
		return (
			quarrel !== undefined && quarrel.until > this.#options.clock.monotonic()
		);
	}

	/** What somebody keeps undoing, sorted; undefined when nobody does. */
	contested(key: string): string[] | undefined {
		const quarrel = this.#quarrels.get(key);
		return quarrel && quarrel.times > patience
			? [...quarrel.lost].sort()
			: undefined;
	}

	/** Somebody wants something else of the Service now: that is no quarrel, and must not wait. */
	meant(key: string): void {
		const quarrel = this.#quarrels.get(key);
		if (quarrel) quarrel.until = 0;
	}

	/** The Service is gone. */
	drop(key: string): void {
		this.#quarrels.get(key)?.timer();
		this.#quarrels.delete(key);
	}

	end(): void {
		for (const key of [...this.#quarrels.keys()]) this.drop(key);
	}
}

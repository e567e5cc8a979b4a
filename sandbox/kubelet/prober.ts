import type { Probe } from "../../operator/api/core.ts";
import type { Cancel, Clock } from "../../operator/clock.ts";
import type { Look } from "./probe-look.ts";
import {
	initialVerdicts,
	type ProbeTally,
	tallied,
	type Verdict,
} from "./probe-tally.ts";

export type ProbeKind = keyof typeof initialVerdicts;

export interface ProberOptions {
	kind: ProbeKind;
	probe: Probe;
	look: () => Promise<Look>;
	clock: Clock;
	onVerdict(verdict: Verdict, message: string): void;
	/** A look failed, whatever the verdict. */
	onFailure(message: string): void;
	/** It could not look. */
	onProblem(message: string): void;
}

/** Milliseconds before the second look of a container that is not ready yet; doubled with each further one. */
const earlyMs = 20;

/**
 * Looks at one container every period. A container that has just started is looked at more often until its first
 * period is over, so that it is found ready soon; those early looks count only when they succeed.
 */
export class Prober {
	readonly kind: ProbeKind;
	readonly #options: ProberOptions;
	readonly #regularFrom: number;
	#tally: ProbeTally;
	#cancel: Cancel = () => {};
	#stopped = false;

	constructor(options: ProberOptions) {
		const { kind, probe, clock } = options;
		this.kind = kind;
		this.#options = options;
		this.#tally = {
			verdict: initialVerdicts[kind],
			last: undefined,
			run: 0,
		};
		const delayMs = Math.min(probe.initialDelaySeconds ?? 0, 1_000_000) * 1000;
		this.#regularFrom = clock.monotonic() + delayMs + this.#periodMs;
		if (kind === "liveness") this.#regularly(delayMs || this.#periodMs);
		else this.#early(delayMs, earlyMs);
	}

	stop(): void {
		this.#stopped = true;
		this.#cancel();
	}

	get #periodMs(): number {
		// 0 means the default, as everywhere in a probe; a timer can be no longer than 24 days.
		const seconds = this.#options.probe.periodSeconds || 10;
		return Math.min(Math.max(1, seconds), 1_000_000) * 1000;
	}

	#early(inMs: number, pauseMs: number): void {
		const { clock } = this.#options;
		this.#cancel = clock.after(inMs, () => {
			void this.#options.look().then((result) => {
				if (this.#stopped) return;
				if ("ok" in result && result.ok) {
					this.#count(true, result.message);
					return this.#regularly(this.#periodMs);
				}
				const left = this.#regularFrom - clock.monotonic();
				if (left <= pauseMs) this.#regularly(Math.max(0, left));
				else this.#early(pauseMs, pauseMs * 2);
			});
		});
	}

	#regularly(inMs: number): void {
		this.#cancel = this.#options.clock.after(inMs, () => {
			void this.#options.look().then((result) => {
				if (this.#stopped) return;
				if ("problem" in result) this.#options.onProblem(result.problem);
				else {
					if (!result.ok) this.#options.onFailure(result.message);
					this.#count(result.ok, result.message);
				}
				if (!this.#stopped) this.#regularly(this.#periodMs);
			});
		});
	}

	#count(ok: boolean, message: string): void {
		const before = this.#tally.verdict;
		this.#tally = tallied(this.#tally, ok, this.#options.probe);
		if (this.#tally.verdict !== before)
			this.#options.onVerdict(this.#tally.verdict, message);
	}
}

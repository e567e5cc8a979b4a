import type { Cancel, Clock } from "../../../operator/clock.ts";
import type { Transport } from "../../store/listener-key.ts";
import type { HealthCheck } from "../../store/records.ts";
import type { TargetHealth } from "../engine.ts";
import type { Probe, ProbeResult } from "./probe.ts";

export interface HealthMonitorOptions {
	/** The listener's. */
	port: number;
	transport: Transport;
	clock: Clock;
	probe: Probe;
	/** Milliseconds that a second of a check's interval lasts. */
	msPerSecond: number;
	/** Called when the status or its reason changes. */
	changed(): void;
}

/** Where to look, or why there is nowhere to look. */
export type Subject = { address: string } | { problem: string };

/**
 * Watches one target for one listener. The first success makes it healthy; `retries` failures in a row make it
 * unhealthy; from there `retries` successes in a row make it healthy again (Hetzner's rule).
 */
export class HealthMonitor {
	readonly #options: HealthMonitorOptions;
	#check: HealthCheck;
	#subject: Subject;
	#health: TargetHealth;
	#streak = 0;
	#cancel: Cancel = () => {};
	#running: AbortController | undefined;

	constructor(
		options: HealthMonitorOptions,
		check: HealthCheck,
		subject: Subject,
	) {
		this.#options = options;
		this.#check = check;
		this.#subject = subject;
		this.#health = this.#healthAs("unknown");
		this.#start();
	}

	get health(): TargetHealth {
		return this.#health;
	}

	/** Checks anew if what is checked, or how, has changed; a new place is unknown until it has been looked at. */
	update(check: HealthCheck, subject: Subject): void {
		const moved = JSON.stringify(subject) !== JSON.stringify(this.#subject);
		const otherwise = JSON.stringify(check) !== JSON.stringify(this.#check);
		if (!moved && !otherwise) return;
		this.#check = check;
		this.#subject = subject;
		this.#streak = 0;
		this.stop();
		if (moved) this.#become("unknown");
		this.#start();
	}

	stop(): void {
		this.#cancel();
		this.#running?.abort();
		this.#running = undefined;
	}

	#start(): void {
		if ("problem" in this.#subject) {
			this.#become("unhealthy", {
				detail: "unspecified",
				message: this.#subject.problem,
				httpStatus: null,
			});
			return;
		}
		const running = new AbortController();
		this.#running = running;
		this.#options
			.probe(this.#subject.address, this.#check, running.signal)
			.then(
				(result) => {
					if (running.signal.aborted) return;
					this.#judge(result);
					const pause = this.#check.interval * this.#options.msPerSecond;
					this.#cancel = this.#options.clock.after(pause, () => this.#start());
				},
				(error: unknown) => {
					if (!running.signal.aborted) throw error;
				},
			);
	}

	#judge(failure: ProbeResult): void {
		const { status } = this.#health;
		const against = failure ? status !== "unhealthy" : status !== "healthy";
		this.#streak = against ? this.#streak + 1 : 0;
		if (
			!failure &&
			(status === "unknown" || this.#streak >= this.#check.retries)
		)
			this.#become("healthy");
		else if (failure && against && this.#streak >= this.#check.retries)
			this.#become("unhealthy", failure);
		else if (
			failure &&
			status === "unhealthy" &&
			failure.message !== this.#health.message
		)
			this.#become("unhealthy", failure);
	}

	#become(status: TargetHealth["status"], failure?: ProbeResult): void {
		const since =
			status === this.#health.status
				? this.#health.since
				: this.#options.clock.now();
		if (status !== this.#health.status) this.#streak = 0;
		this.#health = { ...this.#healthAs(status, failure), since };
		this.#options.changed();
	}

	#healthAs(
		status: TargetHealth["status"],
		failure?: ProbeResult,
	): TargetHealth {
		const { detail = null, message = null, httpStatus = null } = failure ?? {};
		const { port, transport, clock } = this.#options;
		return {
			port,
			transport,
			status,
			detail,
			message,
			httpStatus,
			since: clock.now(),
		};
	}
}

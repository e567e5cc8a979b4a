import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Resource } from "./kube.ts";

export interface Health {
	ok: boolean;
	reason: string;
	/** Milliseconds it has been so. */
	sinceMs: number;
}

export interface ReflectorHealthOptions {
	/** The kind, as people read it. */
	subject: string;
	/** Trouble shorter than this does not make unhealthy. */
	graceMs: number;
	clock: Clock;
	log: Log;
}

/** Whether a reflector can do its work, and if not, why; it says each change once. */
export class ReflectorHealth {
	readonly #options: ReflectorHealthOptions;
	#since: number;
	#trouble: string | undefined = "not read yet";
	/** When somebody began to wait for a view that has not come yet. */
	#awaitedSince: number | undefined;
	#said = "";

	constructor(options: ReflectorHealthOptions) {
		this.#options = options;
		this.#since = options.clock.monotonic();
	}

	/** What is wrong; where nothing is but that a view does not come, that. */
	get trouble(): string {
		return `${this.#options.subject}: ${this.#trouble ?? "not read anew yet"}`;
	}

	/** `readOnce`: whether there ever was a view of all. */
	now(readOnce: boolean): Health {
		const { clock, graceMs, subject } = this.#options;
		const sinceMs = clock.monotonic() - this.#since;
		const awaitedMs =
			this.#awaitedSince === undefined
				? 0
				: clock.monotonic() - this.#awaitedSince;
		const late = awaitedMs >= graceMs;
		if (this.#trouble === undefined)
			return late
				? { ok: false, reason: this.trouble, sinceMs: awaitedMs }
				: { ok: true, reason: `watching ${subject}`, sinceMs };
		const ok = readOnce && sinceMs < graceMs && !late;
		return { ok, reason: this.trouble, sinceMs };
	}

	/** Somebody waits for a view of all. */
	awaited(): void {
		this.#awaitedSince ??= this.#options.clock.monotonic();
	}

	/** Nobody waits any more. */
	answered(): void {
		this.#awaitedSince = undefined;
	}

	well(): void {
		if (this.#trouble === undefined) return;
		this.#trouble = undefined;
		this.#since = this.#options.clock.monotonic();
	}

	failed(trouble: string): void {
		if (this.#trouble === undefined)
			this.#since = this.#options.clock.monotonic();
		this.#trouble = trouble;
	}

	/** One line per change of state, however many attempts lie between. */
	say(
		level: "info" | "warn" | "error",
		state: string,
		message: string,
		err?: unknown,
	): void {
		if (this.#said === state) return;
		this.#said = state;
		this.#options.log[level](err === undefined ? {} : { err }, message);
	}
}

/** A refusal to let a kind be read, and what to do about it. */
export function toGrant(refusal: string, { group, plural }: Resource): string {
	const kind = group ? `${plural}.${group}` : plural;
	return `${refusal} (403); grant list and watch on ${kind}`;
}

import type { Cancel, Clock } from "../clock.ts";
import { FairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import type {
	BalancerIdentity,
	DesiredBalancer,
	ObservedBalancer,
} from "../model/balancer/balancer.ts";
import type { Outcome } from "../model/world.ts";
import type { Deletion, Provider } from "../providers/provider.ts";

export interface ProviderCallsOptions {
	clock: Clock;
	/** Between 0 and 1; spreads retries. */
	random: () => number;
	log: Log;
	/** The provider of a BalancerClass; throws a FairleadError when it cannot be had. */
	provider: (className: string) => Promise<Provider>;
	/** Called when the outcome of a Service changed. */
	wake: (key: string) => void;
	/** Told of every failure, for metrics. */
	failed?: (code: string) => void;
	/** First pause after a failure in milliseconds; doubles up to `retryCapMs`. */
	retryBaseMs?: number;
	retryCapMs?: number;
	/** A call that takes longer has failed. */
	callTimeoutMs?: number;
	/** Work in flight for longer is worth a word. */
	slowMs?: number;
}

/** What is wanted of a provider: a balancer as described, or none in any of these classes. */
export type Want =
	| {
			do: "ensure";
			className: string;
			/** The spec of the class as text: an edited class makes everything seen so far count no more. */
			config: string;
			desired: DesiredBalancer;
	  }
	| {
			do: "delete";
			classNames: string[];
			/** The specs of the classes, in the same order. */
			configs: string[];
			identity: BalancerIdentity;
	  };

/** A wait worth no word. */
const shortWaitMs = 10_000;

/** However long a provider asks to be left alone, it is asked again after a day. */
const longestWaitMs = 86_400_000;

interface Call {
	want: Want;
	outcome: Outcome;
	failures: number;
	/** The last that was seen done: it stands while another look has to wait. */
	done?: ObservedBalancer;
	/** The failure last logged: the same one is not logged again. */
	logged?: string;
	/** Monotonic time the work now in flight was first seen. */
	pendingSince?: number;
	/** Wakes the Service when it is time to look again. */
	timer?: Cancel;
	running?: Promise<void>;
}

/**
 * Calls to providers, at most one per Service at a time, outside the workqueue: a cloud that hangs holds up nobody but
 * its own Services. Keeps what the last call came to, for as long as what is wanted stays the same.
 */
export class ProviderCalls {
	readonly #options: Required<ProviderCallsOptions>;
	readonly #calls = new Map<string, Call>();
	/** Dropped while they ran, and not answered yet. */
	readonly #dropped = new Map<string, Call>();
	readonly #stopping = new AbortController();

	constructor(options: ProviderCallsOptions) {
		this.#options = {
			retryBaseMs: 1_000,
			retryCapMs: 300_000,
			callTimeoutMs: 60_000,
			slowMs: 5_000,
			failed: () => {},
			...options,
		};
	}

	/** What is known for `want`; Unknown when something else was wanted last, or it is time to look again. */
	outcome(key: string, want: Want): Outcome {
		// After the end nothing is started for whoever finds nothing known: it is the next term's.
		if (this.#stopping.signal.aborted || this.#dropped.has(key))
			return { kind: "InFlight" };
		const call = this.#calls.get(key);
		if (!call) return { kind: "Unknown" };
		if (call.running) return { kind: "InFlight" };
		if (!sameWant(call.want, want)) return { kind: "Unknown" };
		if (call.outcome.kind !== "Observed" || !call.outcome.balancer.pending)
			return call.outcome;
		const since = call.pendingSince ?? this.#options.clock.monotonic();
		const slow =
			this.#options.clock.monotonic() - since >= this.#options.slowMs;
		return { ...call.outcome, slow };
	}

	/**
	 * Starts a call unless one runs. Resolves as soon as the outcome is there or the call turns out to take longer than
	 * a turn of the event loop; in that case the Service is woken later. The call waits for what runs for `after`, if that is
	 * given: the same balancer may be meant.
	 */
	async start(key: string, want: Want, after?: string): Promise<void> {
		const known = this.#calls.get(key);
		if (known?.running || this.#dropped.has(key)) return;
		if (this.#stopping.signal.aborted) return;
		known?.timer?.();
		const again = known && sameWant(known.want, want) ? known : undefined;
		const call: Call = {
			want,
			outcome: { kind: "Unknown" },
			failures: again?.failures ?? 0,
		};
		if (again?.logged !== undefined) call.logged = again.logged;
		if (again?.done) call.done = again.done;
		if (again?.pendingSince !== undefined)
			call.pendingSince = again.pendingSince;
		this.#calls.set(key, call);
		let waited = true;
		const before = after === undefined ? undefined : this.#running(after);
		const run = before
			? before.then(() => this.#run(key, call))
			: this.#run(key, call);
		call.running = run.finally(() => {
			delete call.running;
			const dropped = this.#dropped.get(key) === call;
			if (dropped) this.#dropped.delete(key);
			if (!waited || dropped) this.#options.wake(key);
		});
		await Promise.race([call.running, nextTurn()]);
		waited = call.running === undefined;
	}

	/** The Service is gone, or nothing is held for it any more. A call that runs is not joined by another all the same. */
	drop(key: string): void {
		const call = this.#calls.get(key);
		if (!call) return;
		call.timer?.();
		this.#calls.delete(key);
		if (call.running) this.#dropped.set(key, call);
	}

	#running(key: string): Promise<void> | undefined {
		return (this.#dropped.get(key) ?? this.#calls.get(key))?.running;
	}

	/** What was seen no longer counts: the next look is at the other side. */
	forget(key: string): void {
		const call = this.#calls.get(key);
		if (!call || call.running) return;
		call.timer?.();
		call.outcome = { kind: "Unknown" };
	}

	/**
	 * Aborts what runs and whatever is started from now on, and resolves when nothing runs any more: the term is over, and
	 * the next one makes calls of its own.
	 */
	async end(): Promise<void> {
		this.#stopping.abort(new Error("the controller no longer leads"));
		const calls = [...this.#calls.values(), ...this.#dropped.values()];
		const running = calls.flatMap((call) => {
			call.timer?.();
			return call.running ?? [];
		});
		this.#calls.clear();
		await Promise.all(running);
	}

	async #run(key: string, call: Call): Promise<void> {
		const { clock, callTimeoutMs } = this.#options;
		const timeout = new AbortController();
		const cancel = clock.after(callTimeoutMs, () =>
			timeout.abort(
				new FairleadError(
					"CloudUnreachable",
					`the provider did not answer within ${callTimeoutMs / 1000} s`,
				),
			),
		);
		const signal = AbortSignal.any([this.#stopping.signal, timeout.signal]);
		try {
			await (call.want.do === "ensure"
				? this.#ensure(key, call, call.want, signal)
				: this.#delete(key, call, call.want, signal));
			call.failures = 0;
			delete call.logged;
		} catch (error) {
			if (!this.#stopping.signal.aborted)
				this.#failed(
					key,
					call,
					timeout.signal.aborted ? timeout.signal.reason : error,
				);
		} finally {
			cancel();
		}
	}

	async #ensure(
		key: string,
		call: Call,
		want: Want & { do: "ensure" },
		signal: AbortSignal,
	): Promise<void> {
		const provider = await this.#options.provider(want.className);
		const balancer = await provider.ensure(want.desired, signal);
		call.outcome = { kind: "Observed", balancer };
		if (balancer.pending) this.#pending(key, call, balancer.pending);
		else {
			delete call.pendingSince;
			call.done = balancer;
		}
	}

	async #delete(
		key: string,
		call: Call,
		want: Want & { do: "delete" },
		signal: AbortSignal,
	): Promise<void> {
		let left: Exclude<Deletion, { gone: true }> | undefined;
		for (const className of want.classNames) {
			const provider = await this.#options.provider(className);
			const deletion = await provider.delete(want.identity, signal);
			if (!deletion.gone) left = deletion;
		}
		call.outcome = left
			? { kind: "Deleting", waitingFor: left.waitingFor }
			: { kind: "Gone" };
		if (left) this.#pending(key, call, left);
	}

	#pending(key: string, call: Call, pending: { retryAfterMs: number }): void {
		call.pendingSince ??= this.#options.clock.monotonic();
		this.#lookAgain(key, call, pending.retryAfterMs);
	}

	#failed(key: string, call: Call, error: unknown): void {
		const known = error instanceof FairleadError ? error : undefined;
		if (known?.code === "CloudRateLimited")
			return this.#delayed(key, call, known);
		const { retryBaseMs, retryCapMs, random, log } = this.#options;
		const message = error instanceof Error ? error.message : String(error);
		const code = known?.code ?? "InternalError";
		if (call.logged !== message)
			log.warn(
				{ service: key, code, ...(known ? {} : { err: error }) },
				`the balancer of Service ${key} could not be brought about: ${message}`,
			);
		call.logged = message;
		this.#options.failed(code);
		call.outcome = { kind: "Failed", code, message };
		const backoff = Math.min(retryCapMs, retryBaseMs * 2 ** call.failures);
		// Nothing but a change of the Service or its class helps; the cloud's own configuration may still change.
		const pause = known && !known.retryable ? retryCapMs : backoff;
		if (known?.retryAfterMs === undefined) call.failures++;
		this.#lookAgain(
			key,
			call,
			known?.retryAfterMs ?? pause * (0.75 + random() / 2),
		);
	}

	/** The cloud asked to be left alone: a wait, no failure. */
	#delayed(key: string, call: Call, error: FairleadError): void {
		const { clock, retryBaseMs } = this.#options;
		const waitMs = Math.min(error.retryAfterMs ?? retryBaseMs, longestWaitMs);
		// In whole minutes: the same wait must read the same, however often it is met.
		const until = new Date(
			Math.ceil((clock.now() + waitMs) / 60_000) * 60_000,
		).toISOString();
		call.outcome = call.done
			? { kind: "Observed", balancer: call.done }
			: waitMs < shortWaitMs
				? { kind: "InFlight" }
				: {
						kind: "Failed",
						code: error.code,
						message: `${error.message}, until about ${until.slice(11, 16)} UTC`,
						delayed: true,
					};
		this.#lookAgain(key, call, waitMs);
	}

	#lookAgain(key: string, call: Call, ms: number): void {
		if (this.#calls.get(key) !== call) return;
		const waitMs = Math.min(ms, longestWaitMs);
		call.timer = this.#options.clock.after(waitMs, () => {
			call.outcome = { kind: "Unknown" };
			this.#options.wake(key);
		});
	}
}

function sameWant(a: Want, b: Want): boolean {
	if (a.do === "delete" || b.do === "delete")
		return JSON.stringify(a) === JSON.stringify(b);
	if (a.className !== b.className || a.config !== b.config) return false;
	if (a.desired === b.desired) return true;
	// Targets are shared by all Services of a cluster and replaced as a whole when they change.
	if (a.desired.targets !== b.desired.targets) return false;
	return withoutTargets(a.desired) === withoutTargets(b.desired);
}

function withoutTargets(desired: DesiredBalancer): string {
	return JSON.stringify({ ...desired, targets: null });
}

function nextTurn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

import type { Lease } from "../api/core.ts";
import { type Cancel, type Clock, sleep } from "../clock.ts";
import { FairleadError, isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type KubeClient, resources } from "./kube.ts";

/** Throws NotLeading unless the term it was taken in still lasts, without a break; call it right before every write. */
export type Fence = () => void;

export interface LeaseElectorOptions {
	client: Pick<KubeClient, "get" | "create" | "replace">;
	namespace: string;
	name: string;
	/** Unique among all processes that ever compete: a pod's name and something random. */
	identity: string;
	/** How long others wait, after the last change they saw, before they take over; default 15,000. */
	leaseDurationMs?: number;
	/** How long a leader leads on without having renewed; default 10,000. */
	renewDeadlineMs?: number;
	/** Between two attempts; default 2,000. */
	retryPeriodMs?: number;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** A term begins; `signal` is aborted when it ends. */
	onStartedLeading: (signal: AbortSignal, fence: Fence) => void;
	/** The term has ended; called once for each `onStartedLeading`. */
	onStoppedLeading: () => void;
	/** Somebody, perhaps this process, holds the Lease now. */
	onNewLeader?: (identity: string) => void;
}

type Spec = NonNullable<Lease["spec"]>;

interface Term {
	/** Monotonic time at which the last successful renewal began. */
	renewed: number;
	end: AbortController;
}

/**
 * Elects one of many processes by a coordination.k8s.io/v1 Lease, by the rules of k8s.io/client-go/tools/leaderelection:
 * nobody compares clocks of different machines; who does not hold the Lease takes it once it has not changed for its
 * whole duration on the local monotonic clock. Unlike there, a process that loses stands by and tries again.
 *
 * A term ends the moment `renewDeadlineMs` has passed since its last successful renewal began, by the clock and not by a
 * timer: a process that was paused finds out as soon as it asks. As long as monotonic clocks do not differ by more than
 * leaseDuration/renewDeadline in speed, no two processes lead at the same time.
 */
export class LeaseElector {
	#options: LeaseElectorOptions;
	#clock: Clock;
	#log: Log;
	#leaseDurationMs: number;
	#renewDeadlineMs: number;
	#retryPeriodMs: number;
	#term: Term | undefined;
	#cancelDeadline: Cancel = () => {};
	/** The Lease as last seen, and the monotonic time at which this spec of it was first seen. */
	#seen: { lease: Lease; spec: string; at: number } | undefined;
	/** A write whose answer did not come. */
	#unanswered: { spec: Spec; began: number } | undefined;
	#writes = 0;
	#leader: string | undefined;
	#said = "";
	#stopping = new AbortController();
	#running: Promise<void> | undefined;

	constructor(options: LeaseElectorOptions) {
		this.#options = options;
		this.#clock = options.clock;
		this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
		this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
		this.#retryPeriodMs = options.retryPeriodMs ?? 2000;
		if (
			this.#leaseDurationMs <= this.#renewDeadlineMs ||
			this.#renewDeadlineMs <= this.#retryPeriodMs
		)
			throw new FairleadError(
				"FlagInvalid",
				`leader election: lease duration ${this.#leaseDurationMs} ms must exceed renew deadline ${this.#renewDeadlineMs} ms, and that retry period ${this.#retryPeriodMs} ms`,
			);
		const { namespace, name, identity } = options;
		this.#log = options.log.child({ lease: `${namespace}/${name}`, identity });
	}

	/** Who holds the Lease, as last seen; undefined while nobody does or none was seen. */
	get leader(): string | undefined {
		return this.#leader;
	}

	/** Why the Lease cannot be read or written at present; empty when it can. */
	get trouble(): string {
		return this.#said;
	}

	start(): void {
		this.#running ??= this.#run();
	}

	/** Ends the term, listeners called, if it finds that it ran out. */
	isLeader(): boolean {
		const term = this.#term;
		if (!term) return false;
		if (this.#clock.monotonic() < term.renewed + this.#renewDeadlineMs)
			return true;
		this.#endTerm("not renewed in time");
		return false;
	}

	/** Throws NotLeading unless this process leads. */
	assertLeading(): void {
		if (!this.isLeader()) throw this.#notLeading();
	}

	/** A fence for the present term; throws NotLeading when there is none. */
	fence(): Fence {
		this.assertLeading();
		return this.#fenceOf(this.#term as Term);
	}

	/**
	 * Leads and competes no more, and gives the Lease up so that another takes it at once. Never fails: where the Lease
	 * cannot be given up, it runs out.
	 */
	async release(): Promise<void> {
		this.#stopping.abort();
		this.#endTerm("released");
		await this.#running;
		try {
			// A renewal cut off above may still arrive, and then once beat this write.
			for (let conflicts = 0; conflicts < 3; conflicts++)
				if (await this.#giveUp()) return;
		} catch (err) {
			this.#log.warn({ err }, "could not give the lease up; it runs out");
		}
	}

	/** False when another write came in between. */
	async #giveUp(): Promise<boolean> {
		const { client, namespace, name, identity } = this.#options;
		const options = { timeoutMs: this.#callMs };
		try {
			const ref = { namespace, name };
			const lease = await client.get<Lease>(resources.leases, ref, options);
			if (lease.spec?.holderIdentity !== identity) return true;
			const spec = this.#stamped({
				...lease.spec,
				holderIdentity: "",
				leaseDurationSeconds: 1,
			});
			await client.replace(resources.leases, { ...lease, spec }, options);
			return true;
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return true;
			if (isFairleadError(error, "KubeConflict")) return false;
			throw error;
		}
	}

	/** Two calls must fit before a leader's deadline. */
	get #callMs(): number {
		return Math.round(this.#renewDeadlineMs / 2);
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			let retryAfterMs = 0;
			try {
				await this.#attempt();
				this.#say("info", "");
			} catch (error) {
				if (signal.aborted) return;
				if (isFairleadError(error)) retryAfterMs = error.retryAfterMs ?? 0;
				// Another was faster: the next attempt sees who.
				if (!isFairleadError(error, "KubeConflict"))
					this.#say("warn", (error as Error).message, error);
			}
			// Those who stand by must not all come at the same moment; a leader is alone.
			const spread = this.isLeader() ? 1 : 1 + this.#options.random();
			const waitMs = Math.max(retryAfterMs, this.#retryPeriodMs * spread);
			// Only stopping rejects the pause, and the loop's head sees that.
			await sleep(this.#clock, waitMs, signal).catch(() => {});
		}
	}

	/** Renews or takes the Lease, or sees that another holds it; throws when the API server fails. */
	async #attempt(): Promise<void> {
		if (this.isLeader() && this.#seen && !this.#unanswered) {
			try {
				return await this.#write(this.#seen.lease);
			} catch (error) {
				if (!isFairleadError(error, "KubeConflict", "KubeNotFound"))
					throw error;
			}
		}
		const lease = await this.#read();
		if (!lease) return this.#write(undefined);
		this.#observe(lease);
		if (this.#confirm(lease) && this.isLeader()) return;
		if (this.#isFree(lease)) await this.#write(lease);
		else if (lease.spec?.holderIdentity !== this.#options.identity)
			this.#endTerm(`${lease.spec?.holderIdentity} took the lease`);
	}

	async #read(): Promise<Lease | undefined> {
		const { client, namespace, name } = this.#options;
		try {
			return await client.get<Lease>(
				resources.leases,
				{ namespace, name },
				{ timeoutMs: this.#callMs, signal: this.#stopping.signal },
			);
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return undefined;
			throw error;
		}
	}

	/** Notes when what others wrote changed: from then on their time runs, by the clock of this machine. */
	#observe(lease: Lease): void {
		const { uid } = lease.metadata;
		const spec = JSON.stringify([uid, lease.spec]);
		const at =
			this.#seen?.spec === spec ? this.#seen.at : this.#clock.monotonic();
		this.#seen = { lease, spec, at };
		const leader = lease.spec?.holderIdentity || undefined;
		if (leader === this.#leader) return;
		this.#leader = leader;
		if (leader === undefined) return;
		this.#log.info({ leader }, "a new leader holds the lease");
		this.#call(() => this.#options.onNewLeader?.(leader));
	}

	#isFree(lease: Lease): boolean {
		const { holderIdentity, leaseDurationSeconds } = lease.spec ?? {};
		if (!holderIdentity || holderIdentity === this.#options.identity)
			return true;
		const durationMs = leaseDurationSeconds
			? leaseDurationSeconds * 1000
			: this.#leaseDurationMs;
		const at = this.#seen?.at ?? this.#clock.monotonic();
		return this.#clock.monotonic() >= at + durationMs;
	}

	/** Writes this process into `lease`, or into a new one; its resourceVersion lets only one of several succeed. */
	async #write(lease: Lease | undefined): Promise<void> {
		const { client, namespace, name, identity } = this.#options;
		const old = lease?.spec;
		const renews = old?.holderIdentity === identity;
		const spec = this.#stamped({
			...old,
			holderIdentity: identity,
			leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
			leaseTransitions: lease
				? (old?.leaseTransitions ?? 0) + (renews ? 0 : 1)
				: 0,
		});
		if (!renews) spec.acquireTime = spec.renewTime as string;
		const began = this.#clock.monotonic();
		this.#unanswered = { spec, began };
		const options = { timeoutMs: this.#callMs, signal: this.#stopping.signal };
		let answer: Lease;
		try {
			answer = lease
				? await client.replace<Lease>(
						resources.leases,
						{ ...lease, spec },
						options,
					)
				: await client.create<Lease>(
						resources.leases,
						{
							apiVersion: "coordination.k8s.io/v1",
							kind: "Lease",
							metadata: { namespace, name },
							spec,
						},
						options,
					);
		} catch (error) {
			// These say that the write did not happen; after any other error it may have.
			if (isFairleadError(error, "KubeConflict", "KubeNotFound", "KubeInvalid"))
				this.#unanswered = undefined;
			throw error;
		}
		this.#observe(answer);
		this.#confirm(answer);
	}

	/** If `lease` shows the last write, that write succeeded, whatever became of its answer. */
	#confirm(lease: Lease): boolean {
		const write = this.#unanswered;
		this.#unanswered = undefined;
		const { holderIdentity, renewTime } = lease.spec ?? {};
		if (
			!write ||
			holderIdentity !== this.#options.identity ||
			renewTime !== write.spec.renewTime
		)
			return false;
		this.#renewed(write.began);
		return true;
	}

	#renewed(began: number): void {
		if (this.#stopping.signal.aborted) return;
		// Asking ends a term that ran out while the answer was on its way.
		if (this.isLeader()) (this.#term as Term).renewed = began;
		else if (this.#clock.monotonic() >= began + this.#renewDeadlineMs) return;
		else this.#startTerm(began);
		this.#watchDeadline();
	}

	#startTerm(began: number): void {
		const term: Term = { renewed: began, end: new AbortController() };
		this.#term = term;
		this.#log.info("leading");
		this.#call(() =>
			this.#options.onStartedLeading(term.end.signal, this.#fenceOf(term)),
		);
	}

	#endTerm(why: string): void {
		const term = this.#term;
		if (!term) return;
		this.#term = undefined;
		this.#cancelDeadline();
		this.#log.warn({ why }, "leading no more");
		term.end.abort(this.#notLeading());
		this.#call(() => this.#options.onStoppedLeading());
	}

	/** Ends the term in time even when nobody asks. */
	#watchDeadline(): void {
		this.#cancelDeadline();
		const term = this.#term;
		if (!term) return;
		const left = term.renewed + this.#renewDeadlineMs - this.#clock.monotonic();
		this.#cancelDeadline = this.#clock.after(Math.ceil(left), () => {
			if (this.isLeader()) this.#watchDeadline();
		});
	}

	#fenceOf(term: Term): Fence {
		return () => {
			if (!this.isLeader() || this.#term !== term) throw this.#notLeading();
		};
	}

	/** MicroTime; the last digits count writes, so that no two of this process look the same. */
	#stamped(spec: Spec): Spec {
		const count = String(this.#writes++ % 1000).padStart(3, "0");
		const now = new Date(this.#clock.now()).toISOString();
		return { ...spec, renewTime: `${now.slice(0, -1)}${count}Z` };
	}

	#notLeading(): FairleadError {
		const { namespace, name, identity } = this.#options;
		return new FairleadError(
			"NotLeading",
			`${identity} does not hold lease ${namespace}/${name}${this.#leader && this.#leader !== identity ? `; ${this.#leader} does` : ""}`,
		);
	}

	#call(run: () => void): void {
		try {
			run();
		} catch (err) {
			this.#log.error({ err }, "a listener of the leader election failed");
		}
	}

	/** One line when the trouble changes and one when it is over. */
	#say(level: "info" | "warn", trouble: string, err?: unknown): void {
		if (this.#said === trouble) return;
		this.#said = trouble;
		if (trouble) this.#log[level]({ err }, trouble);
		else this.#log[level]("the lease can be reached again");
	}
}

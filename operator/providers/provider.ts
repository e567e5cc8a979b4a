import type {
	BalancerIdentity,
	Capabilities,
	DesiredBalancer,
	ListedBalancer,
	ObservedBalancer,
} from "../model/balancer/balancer.ts";

/**
 * Where balancers come from. Pure data in and out; one per BalancerClass. Every call may be repeated, cut short by
 * kill -9 at any point and made again by another process: it looks up by identity before it makes anything.
 *
 * Errors are FairleadErrors (Cloud…); `retryAfterMs` is set when the other side said how long to wait.
 */
export interface Provider {
	/** What `list` reads: providers with the same one list the same balancers. */
	readonly source: string;

	/** What it can do; asked once per process and class, cached by the provider. */
	capabilities(signal: AbortSignal): Promise<Capabilities>;

	/**
	 * Makes one pass towards `desired` and says what is there now. It never waits for slow work: it starts it, answers
	 * with `pending`, and is called again. When nothing differs it makes no writing call, and, if nothing happened since
	 * the last look, no call at all.
	 */
	ensure(
		desired: DesiredBalancer,
		signal: AbortSignal,
	): Promise<ObservedBalancer>;

	/** Makes one pass towards there being nothing. Absent is success. */
	delete(identity: BalancerIdentity, signal: AbortSignal): Promise<Deletion>;

	/** Everything that carries this cluster's label, read freshly from the other side. */
	list(clusterId: string, signal: AbortSignal): Promise<ListedBalancer[]>;

	/** Forgets what was remembered about one balancer, so that the next pass looks at the other side. */
	forget(identity: BalancerIdentity): void;

	/** Ends connections and timers. */
	close(): Promise<void>;
}

export type Deletion =
	| { gone: true }
	| { gone: false; waitingFor: string; retryAfterMs: number };

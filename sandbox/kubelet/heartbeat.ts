import type { Lease, Node } from "../../operator/api/core.ts";
import type { Cancel, Clock } from "../../operator/clock.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import {
	newNode,
	type NodeFacts,
	nodeLease,
	nodeStatus,
	ownLabels,
	renewEveryMs,
	reportEveryMs,
} from "./node-object.ts";

/** Pauses after failures: doubled from the first to the second. */
const firstRetryMs = 200;
const longestRetryMs = 7000;

/** Registers a node, says that it is ready, and goes on saying so. */
export class Heartbeat {
	/** The node is registered and ready. */
	readonly ready: Promise<void>;
	readonly #options: {
		facts: NodeFacts;
		client: KubeClient;
		clock: Clock;
		log: Log;
	};
	#cancel: Cancel = () => {};
	#beating: Promise<void> = Promise.resolve();
	#resolveReady: () => void = () => {};
	#reportedAt = Number.NEGATIVE_INFINITY;
	#lease: Lease | undefined;
	#failures = 0;
	#stopped = false;
	readonly #stopping = new AbortController();

	constructor(options: {
		facts: NodeFacts;
		client: KubeClient;
		clock: Clock;
		log: Log;
	}) {
		this.#options = options;
		this.ready = new Promise((resolve) => {
			this.#resolveReady = resolve;
		});
	}

	start(): void {
		this.#beating = this.#beat();
	}

	/** Says that the node is not ready any more, if the API server answers within `withinMs`. */
	async stop(withinMs = 1000): Promise<void> {
		if (this.#stopped) return;
		this.#stopped = true;
		this.#cancel();
		this.#stopping.abort();
		await this.#beating;
		try {
			await this.#report(false, { timeoutMs: withinMs });
		} catch (err) {
			this.#options.log.debug({ err }, "could not say that the node is down");
		}
	}

	/** Never rejects. */
	async #beat(): Promise<void> {
		const { clock, log } = this.#options;
		const options = { signal: this.#stopping.signal };
		let pauseMs = renewEveryMs;
		try {
			const now = clock.monotonic();
			if (now - this.#reportedAt >= reportEveryMs) {
				await this.#report(true, options);
				this.#reportedAt = now;
				this.#resolveReady();
			}
			await this.#renew(options);
			if (this.#failures > 0) log.info("the node can report again");
			this.#failures = 0;
		} catch (error) {
			if (this.#stopped) return;
			// Somebody removed node or lease, or was faster: what is there is read again.
			this.#lease = undefined;
			if (isFairleadError(error, "KubeNotFound"))
				this.#reportedAt = Number.NEGATIVE_INFINITY;
			if (this.#failures++ === 0)
				log.warn({ err: error }, "the node cannot report");
			pauseMs = Math.min(
				firstRetryMs * 2 ** (this.#failures - 1),
				longestRetryMs,
			);
		}
		if (this.#stopped) return;
		this.#cancel = clock.after(pauseMs, () => {
			this.#beating = this.#beat();
		});
	}

	async #report(
		ready: boolean,
		options: { signal?: AbortSignal; timeoutMs?: number },
	): Promise<void> {
		const { facts, client, clock } = this.#options;
		const node = await this.#registered(options);
		const status = nodeStatus(facts, node, ready, clock.now());
		await client.patch<Node>(
			resources.nodes,
			{ name: facts.name, subresource: "status" },
			{ type: "merge", body: { status } },
			options,
		);
	}

	/** The node as it is, made if it is not there. */
	async #registered(options: {
		signal?: AbortSignal;
		timeoutMs?: number;
	}): Promise<Node> {
		const { facts, client } = this.#options;
		const ref = { name: facts.name };
		try {
			const found = await client.get<Node>(resources.nodes, ref, options);
			const labels = ownLabels(facts);
			const has = found.metadata.labels ?? {};
			const lacks = Object.entries(labels).some(
				([name, value]) => has[name] !== value,
			);
			if (!lacks) return found;
			return await client.patch<Node>(
				resources.nodes,
				ref,
				{ type: "merge", body: { metadata: { labels } } },
				options,
			);
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
			return client.create<Node>(resources.nodes, newNode(facts), options);
		}
	}

	async #renew(options: { signal: AbortSignal }): Promise<void> {
		const { facts, client, clock } = this.#options;
		const { name } = facts;
		if (!this.#lease) {
			const node = await client.get<Node>(resources.nodes, { name }, options);
			const lease = nodeLease(node, clock.now());
			const { namespace = "" } = lease.metadata;
			try {
				this.#lease = await client.get<Lease>(
					resources.leases,
					{ namespace, name },
					options,
				);
			} catch (error) {
				if (!isFairleadError(error, "KubeNotFound")) throw error;
				this.#lease = await client.create(resources.leases, lease, options);
				return;
			}
		}
		const { renewTime } = nodeLease({ metadata: { name } }, clock.now())
			.spec as NonNullable<Lease["spec"]>;
		const { metadata } = this.#lease;
		this.#lease = await client.replace(
			resources.leases,
			{
				...this.#lease,
				metadata,
				spec: {
					...this.#lease.spec,
					holderIdentity: name,
					...(renewTime && { renewTime }),
				},
			},
			options,
		);
	}
}

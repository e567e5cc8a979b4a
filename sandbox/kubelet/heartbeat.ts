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
	#node: Node | undefined;
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
		if (!this.#node) return;
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
			if (isFairleadError(error, "KubeNotFound")) this.#node = undefined;
			if (!this.#node) this.#reportedAt = Number.NEGATIVE_INFINITY;
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

	/** Writes the node's status; a node that is not there yet is made with it. */
	async #report(
		ready: boolean,
		options: { signal?: AbortSignal; timeoutMs?: number },
	): Promise<void> {
		const { facts, client, clock } = this.#options;
		const { name } = facts;
		if (!this.#node) {
			const made = await ifNew(
				client.create<Node>(
					resources.nodes,
					newNode(facts, nodeStatus(facts, undefined, ready, clock.now())),
					options,
				),
			);
			this.#node = made;
			if (made) return;
		}
		const found = await client.get<Node>(resources.nodes, { name }, options);
		const labels = ownLabels(facts);
		const has = found.metadata.labels ?? {};
		if (Object.entries(labels).some(([key, value]) => has[key] !== value))
			await client.patch<Node>(
				resources.nodes,
				{ name },
				{ type: "merge", body: { metadata: { labels } } },
				options,
			);
		const status = nodeStatus(facts, found, ready, clock.now());
		this.#node = await client.patch<Node>(
			resources.nodes,
			{ name, subresource: "status" },
			{ type: "merge", body: { status } },
			options,
		);
	}

	async #renew(options: { signal: AbortSignal }): Promise<void> {
		const { client, clock } = this.#options;
		const lease = nodeLease(this.#node as Node, clock.now());
		const { namespace = "", name } = lease.metadata;
		if (!this.#lease) {
			this.#lease = await ifNew(
				client.create(resources.leases, lease, options),
			);
			if (this.#lease) return;
			this.#lease = await client.get<Lease>(
				resources.leases,
				{ namespace, name },
				options,
			);
		}
		const spec = { ...this.#lease.spec, ...lease.spec };
		this.#lease = await client.replace(
			resources.leases,
			{ ...this.#lease, spec },
			options,
		);
	}
}

/** What was created; undefined if it was there already. */
async function ifNew<T>(creation: Promise<T>): Promise<T | undefined> {
	try {
		return await creation;
	} catch (error) {
		if (isFairleadError(error) && error.reason === "AlreadyExists")
			return undefined;
		throw error;
	}
}

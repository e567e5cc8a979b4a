import type { Lease } from "../../api/core.ts";
import type { OwnerReference } from "../../api/meta.ts";
import { agentAnnotations, agentLease } from "../../api/names.ts";
import type { Cancel, Clock } from "../../clock.ts";
import { backoffMs } from "../../cluster/backoff.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { type AgentReport, formatReport } from "../../model/agent-report.ts";
import { agentLeaseSeconds } from "../../model/agents.ts";

/** Milliseconds. */
export const agentLeaseDefaults = {
	/** As a kubelet renews its own (k8s.io/kubernetes, pkg/kubelet, a quarter of the Lease's duration). */
	renewMs: 10_000,
	/** Least time between two reports. */
	reportMs: 1_000,
	/** How long the first report may wait for the first sync. */
	firstMs: 1_000,
	retryBaseMs: 200,
	retryCapMs: 10_000,
	callMs: 5_000,
};

export interface AgentLeaseOptions {
	client: Pick<KubeClient, "get" | "create" | "patch">;
	/** Fairlead's own. */
	namespace: string;
	node: string;
	/** Of this process alone: two agents of one node find each other by it. */
	instance: string;
	/** UID of the Node; undefined while there is none. */
	nodeUid: () => Promise<string | undefined>;
	/** As it stands. */
	report: () => AgentReport;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	tuning?: Partial<typeof agentLeaseDefaults>;
}

/**
 * Keeps the Lease that says that a node's agent is there, and how far its rules have got. What cannot be written is tried
 * again for as long as the agent runs; the rules do not depend on it. An agent that stops leaves its Lease to run out,
 * since its rules stay as well. Of two agents for one node the one that came last reports; the other says so and stands by.
 */
export class AgentLease {
	readonly #options: AgentLeaseOptions;
	readonly #tuning: typeof agentLeaseDefaults;
	readonly #name: string;
	readonly #log: Log;
	readonly #stopping = new AbortController();
	#cancel: Cancel = () => {};
	/** Monotonic: when the next write is due. */
	#due = Number.POSITIVE_INFINITY;
	#writing = false;
	/** Something to report came while a write was on its way. */
	#again = false;
	#lastWrite = Number.NEGATIVE_INFINITY;
	#failures = 0;
	/** As last read or written. */
	#lease: Lease | undefined;
	/** This process has written it before. */
	#held = false;
	/** Another process's Lease as last seen, and the monotonic time at which it was first seen so. */
	#rival: { renewed: string | undefined; at: number } | undefined;
	#trouble: string | undefined = "the agent's Lease: nothing is written yet";

	constructor(options: AgentLeaseOptions) {
		this.#options = options;
		this.#tuning = { ...agentLeaseDefaults, ...options.tuning };
		this.#name = `${agentLease.prefix}${options.node}`;
		this.#log = options.log.child({
			lease: `${options.namespace}/${this.#name}`,
		});
	}

	/** Why nobody hears of this node at present. */
	get trouble(): string | undefined {
		return this.#trouble;
	}

	start(): void {
		this.#dueIn(this.#tuning.firstMs);
	}

	/** There is something to report: written at once, or when a second has passed since the last report. */
	changed(): void {
		if (this.#writing) {
			this.#again = true;
			return;
		}
		// What does not get through is tried at its own pace.
		if (this.#failures > 0 || this.#rival) return;
		const since = this.#options.clock.monotonic() - this.#lastWrite;
		this.#dueIn(Math.max(0, this.#tuning.reportMs - since));
	}

	/** What was missing is there: it is tried at once. */
	nodeIsThere(): void {
		this.#failures = 0;
		if (!this.#writing) this.#dueIn(0);
	}

	/** Ends; the Lease stays and runs out. */
	stop(): void {
		this.#stopping.abort(new Error("the agent is stopping"));
		this.#cancel();
	}

	/** No later than it is due already. */
	#dueIn(ms: number): void {
		const { clock } = this.#options;
		const due = clock.monotonic() + ms;
		if (due >= this.#due || this.#stopping.signal.aborted) return;
		this.#due = due;
		this.#cancel();
		this.#cancel = clock.after(ms, () => {
			this.#due = Number.POSITIVE_INFINITY;
			void this.#turn();
		});
	}

	async #turn(): Promise<void> {
		const { renewMs, retryBaseMs, retryCapMs, reportMs } = this.#tuning;
		const { random, clock } = this.#options;
		this.#writing = true;
		this.#again = false;
		const began = clock.monotonic();
		let nextMs = renewMs;
		try {
			await this.#write();
			this.#failures = 0;
			this.#lastWrite = began;
			this.#say(undefined);
			if (this.#again) nextMs = reportMs - (clock.monotonic() - began);
		} catch (error) {
			if (this.#stopping.signal.aborted) return;
			// What was known of the Lease may be wrong: it is read before the next write.
			this.#lease = undefined;
			if (this.#rival) {
				this.#say((error as Error).message);
			} else {
				this.#failures++;
				// A conflict, a Node or a namespace that is just being made: the next write may get through.
				if (this.#failures >= 3) this.#say((error as Error).message);
				const asked = isFairleadError(error) ? error.retryAfterMs : undefined;
				const backoff = { baseMs: retryBaseMs, capMs: retryCapMs };
				nextMs = asked ?? backoffMs(backoff, this.#failures, random);
			}
		} finally {
			this.#writing = false;
		}
		this.#dueIn(Math.max(0, nextMs));
	}

	/** One write of the Lease as it should be. */
	async #write(): Promise<void> {
		const { client, namespace, node, instance, nodeUid, report } =
			this.#options;
		const options = {
			timeoutMs: this.#tuning.callMs,
			signal: this.#stopping.signal,
		};
		const ref = { namespace, name: this.#name };
		const uid = await nodeUid();
		if (uid === undefined)
			throw new FairleadError("KubeNotFound", `there is no Node ${node}`);
		this.#lease ??= await this.#read();
		const annotations = {
			[agentAnnotations.report]: formatReport(report()),
			[agentAnnotations.instance]: instance,
		};
		const known = this.#lease;
		const spec = {
			holderIdentity: node,
			leaseDurationSeconds: agentLeaseSeconds,
			renewTime: microTime(this.#options.clock.now()),
		};
		if (!known)
			this.#lease = await client.create<Lease>(
				resources.leases,
				{
					apiVersion: "coordination.k8s.io/v1",
					kind: "Lease",
					metadata: {
						...ref,
						labels: { [agentLease.label]: agentLease.labelValue },
						annotations,
						ownerReferences: [ownedBy(node, uid)],
					},
					spec,
				},
				options,
			);
		else {
			const { metadata } = known;
			const owner = metadata.ownerReferences?.[0];
			const label = metadata.labels?.[agentLease.label];
			this.#lease = await client.patch<Lease>(
				resources.leases,
				ref,
				{
					type: "merge",
					body: {
						metadata: {
							resourceVersion: metadata.resourceVersion,
							annotations: changed(metadata.annotations, annotations),
							...(label === agentLease.labelValue
								? {}
								: { labels: { [agentLease.label]: agentLease.labelValue } }),
							// A Node made anew: the collector would take the Lease away with the old one.
							...(owner?.uid === uid
								? {}
								: { ownerReferences: [ownedBy(node, uid)] }),
						},
						spec,
					},
				},
				options,
			);
		}
		this.#held = true;
	}

	/** Throws while another process, of the same node by its flags, keeps the Lease. */
	async #read(): Promise<Lease | undefined> {
		const { client, namespace, node, instance, clock } = this.#options;
		let lease: Lease;
		try {
			lease = await client.get<Lease>(
				resources.leases,
				{ namespace, name: this.#name },
				{ timeoutMs: this.#tuning.callMs, signal: this.#stopping.signal },
			);
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
			this.#rival = undefined;
			return undefined;
		}
		const other = lease.metadata.annotations?.[agentAnnotations.instance];
		if (!this.#held || other === undefined || other === instance) {
			this.#rival = undefined;
			return lease;
		}
		const renewed = lease.spec?.renewTime;
		const now = clock.monotonic();
		const known = this.#rival;
		const rival =
			known && known.renewed === renewed ? known : { renewed, at: now };
		this.#rival = rival;
		if (now >= rival.at + agentLeaseSeconds * 1_000) {
			this.#rival = undefined;
			return lease;
		}
		throw new FairleadError(
			"AgentSuperseded",
			`agent ${other} started later with the same --node ${node} and reports in this one's place`,
		);
	}

	/** One line when the trouble changes, and one when it is over. */
	#say(trouble: string | undefined): void {
		const before = this.#trouble;
		this.#trouble = trouble && `the agent's Lease: ${trouble}`;
		if (before === this.#trouble) return;
		if (this.#trouble !== undefined) this.#log.warn(this.#trouble);
		else this.#log.info("the agent's Lease is kept");
	}
}

/** Only what differs; without the report, a renewal is a small message. */
function changed(
	before: Record<string, string> | undefined,
	wanted: Record<string, string>,
): Record<string, string> {
	return Object.fromEntries(
		Object.entries(wanted).filter(([name, value]) => before?.[name] !== value),
	);
}

function ownedBy(name: string, uid: string): OwnerReference {
	return { apiVersion: "v1", kind: "Node", name, uid };
}

/** metav1.MicroTime, which has six digits. */
function microTime(wallMs: number): string {
	return new Date(wallMs).toISOString().replace("Z", "000Z");
}

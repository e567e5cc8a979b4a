import type { Lease } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { agentAnnotations } from "../../operator/api/names.ts";
import { type Clock, sleep } from "../../operator/clock.ts";
import type {
	CallOptions,
	KubeClient,
	Patch,
	Ref,
	Resource,
} from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import {
	type AgentReport,
	reportOf,
} from "../../operator/model/agent-report.ts";

/** An API server with room for one agent's Lease: versions, conflicts and merge patches as the real one has them. */
export class LeaseServer
	implements Pick<KubeClient, "get" | "create" | "patch">
{
	lease: Lease | undefined;
	/** Nobody answers. */
	away = false;
	/** How long an answer takes after its effect. */
	delayMs = 0;
	/** What was written: when, by which instance as the Lease says afterwards, and how many annotations the message had. */
	readonly writes: {
		at: number;
		instance: string | undefined;
		annotations: number;
	}[] = [];
	readonly #clock: Clock;
	#version = 0;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	report(): AgentReport | undefined {
		return this.lease && reportOf(this.lease);
	}

	/** Somebody else changes the Lease. */
	edit(change: (lease: Lease) => void): void {
		if (!this.lease) throw new Error("there is no Lease");
		const next = structuredClone(this.lease);
		change(next);
		this.#store(next);
	}

	/** Somebody deletes the Lease. */
	remove(): void {
		this.lease = undefined;
	}

	async get<T extends KubeObject>(
		_resource: Resource,
		ref: Ref,
		options?: CallOptions,
	): Promise<T> {
		return this.#answer(options, () => this.#known(ref)) as Promise<T>;
	}

	async create<T extends KubeObject>(
		_resource: Resource,
		object: T,
		options?: CallOptions,
	): Promise<T> {
		return this.#answer(options, () => {
			if (this.lease) throw new FairleadError("KubeConflict", "exists");
			return this.#write(object as unknown as Lease, object);
		}) as Promise<T>;
	}

	async patch<T extends KubeObject>(
		_resource: Resource,
		ref: Ref,
		patch: Patch,
		options?: CallOptions,
	): Promise<T> {
		return this.#answer(options, () => {
			const known = this.#known(ref);
			const body = patch.body as Lease;
			const { resourceVersion } = body.metadata;
			if (
				resourceVersion !== undefined &&
				resourceVersion !== known.metadata.resourceVersion
			)
				throw new FairleadError("KubeConflict", "changed since");
			const metadata = { ...known.metadata, ...body.metadata };
			for (const map of ["labels", "annotations"] as const)
				metadata[map] = { ...known.metadata[map], ...body.metadata[map] };
			return this.#write(
				{ ...known, metadata, spec: { ...known.spec, ...body.spec } },
				body,
			);
		}) as Promise<T>;
	}

	#known({ name }: Ref): Lease {
		if (this.lease?.metadata.name !== name)
			throw new FairleadError("KubeNotFound", `${name} not found`);
		return structuredClone(this.lease);
	}

	#write(next: Lease, sent: KubeObject): Lease {
		this.writes.push({
			at: this.#clock.monotonic(),
			instance: next.metadata.annotations?.[agentAnnotations.instance],
			annotations: Object.keys(sent.metadata.annotations ?? {}).length,
		});
		return this.#store(next);
	}

	#store(next: Lease): Lease {
		const metadata = {
			...next.metadata,
			resourceVersion: String(++this.#version),
		};
		this.lease = structuredClone({ ...next, metadata });
		return structuredClone(this.lease);
	}

	async #answer(
		options: CallOptions | undefined,
		effect: () => Lease,
	): Promise<Lease> {
		options?.signal?.throwIfAborted();
		if (this.away)
			throw new FairleadError("KubeUnreachable", "connection refused");
		const answer = effect();
		if (this.delayMs > 0)
			await sleep(this.#clock, this.delayMs, options?.signal);
		return answer;
	}
}

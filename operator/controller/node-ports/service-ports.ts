import type { Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import { conditions } from "../../api/names.ts";
import type { Clock } from "../../clock.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import {
	combine,
	guard,
	removeConditions,
	setConditions,
} from "../../cluster/patches.ts";
import { isFairleadError } from "../../errors.ts";
import { changedConditions } from "../../model/conditions.ts";
import {
	nodePortsManager,
	ownsNodePorts,
} from "../../model/nodeports/field-manager.ts";
import {
	missingPorts,
	type PortPlan,
	planPorts,
} from "../../model/nodeports/plan.ts";
import type { PortRange } from "../../model/nodeports/port-range.ts";
import {
	nodePortsVerdict,
	type PortTrouble,
} from "../../model/nodeports/verdict.ts";
import type { Caches } from "../caches.ts";
import type { Ledger } from "./ledger.ts";
import type { Placeholders } from "./placeholders.ts";
import type { PoolRecords } from "./pool-records.ts";
import type { Releases } from "./releases.ts";
import { takenPort } from "./taken-port.ts";
import type { WaitingLine } from "./waiting-line.ts";

export interface ServicePortsOptions {
	client: KubeClient;
	caches: Caches;
	ledger: Ledger;
	placeholders: Placeholders;
	records: PoolRecords;
	releases: Releases;
	clock: Clock;
	/** The API server's NodePorts. */
	range: PortRange;
	/** Counts of a pool changed; they may be written when it is convenient. */
	poolChanged: (pool: string) => void;
	/** Services without their ports. */
	line: WaitingLine;
	/** A port is nobody's any more. */
	freed: (port: number) => void;
}

/** A Service settles in fewer steps; more means that somebody changes it as fast as this does. */
const maxSteps = 10;

type Step = "again" | "done" | { trouble: PortTrouble; retryAfterMs?: number };

/** Brings the NodePorts of one Service, and condition fairlead.dev/NodePorts, to where they should be. */
export class ServicePorts {
	readonly #options: ServicePortsOptions;
	/** Pools that do not say yet, as far as is known, what was recorded for a Service, by its key. */
	readonly #unsaved = new Map<string, Set<string>>();

	/** Services with a write to their condition that is not answered yet, by key. */
	readonly #saying = new Set<string>();

	constructor(options: ServicePortsOptions) {
		this.#options = options;
	}

	/** Whether a change of this key may be the effect of an own write to its condition. */
	isSaying(key: string): boolean {
		return this.#saying.has(key);
	}

	/** Throws FairleadErrors of the Kubernetes API; what it refuses for good ends up in the condition instead. */
	async sync(key: string): Promise<{ retryAfterMs?: number }> {
		const { caches, ledger, line } = this.#options;
		for (let step = 0; step < maxSteps; step++) {
			const service = caches.services.get(key);
			if (!service) {
				line.leave(key);
				this.#unsaved.delete(key);
				this.#release(key);
				return {};
			}
			if (service.metadata.deletionTimestamp || ledger.isPlaceholder(service)) {
				line.leave(key);
				return {};
			}
			const plan = this.#plan(key, service);
			const done = await this.#step(key, service, plan);
			if (done === "again") continue;
			const trouble = done === "done" ? undefined : done.trouble;
			await this.#say(service, plan, trouble);
			this.#wait(key, plan, trouble);
			return done === "done" || done.retryAfterMs === undefined
				? {}
				: { retryAfterMs: done.retryAfterMs };
		}
		line.leave(key);
		// Somebody else is at it; their last change wakes this again, and if it does not, this does.
		return { retryAfterMs: 1_000 };
	}

	#plan(key: string, service: Service): PortPlan {
		const { ledger, range } = this.#options;
		const recorded = ledger.book.of(key);
		return planPorts({
			service,
			namespaceLabels: ledger.labelsOf(service.metadata.namespace ?? ""),
			nodePorts: range,
			pools: ledger.pools,
			recorded: recorded && {
				pool: recorded.pool,
				ports: recorded.record.ports,
			},
			ground: ledger.ground,
		});
	}

	/** One thing at a time, each of which may be the last before a crash: record, set, give up ownership, release. */
	async #step(key: string, service: Service, plan: PortPlan): Promise<Step> {
		await this.#record(key, plan);
		const missing =
			plan.kind === "Place" ? missingPorts(service, plan.ports) : [];
		if (missing.length > 0) return this.#apply(service, plan, missing);
		if (ownsNodePorts(service)) {
			await this.#giveUpOwnership(service);
			return "again";
		}
		return plan.kind === "None" ? this.#options.releases.sync(service) : "done";
	}

	/** Before a Service gets a port, the pool says so durably: a restart, or the Service's return, finds it there. */
	async #record(key: string, plan: PortPlan): Promise<void> {
		const { ledger, records } = this.#options;
		if (plan.kind === "Place" && plan.pool !== undefined) {
			const { pool, ports } = plan;
			const due = new Set(this.#unsaved.get(key));
			for (const each of ledger.book.assign(
				pool,
				key,
				Object.fromEntries(ports),
			))
				due.add(each);
			if (due.size === 0) return;
			// A save that fails is done again before anything else: the ledger knows the port, its pool does not.
			this.#unsaved.set(key, due);
			await Promise.all([...due].map((each) => records.save(each)));
			this.#unsaved.delete(key);
		} else if (plan.kind !== "Refused") this.#changed(ledger.book.drop(key));
	}

	async #apply(
		service: Service,
		plan: PortPlan,
		ports: { port: number; protocol: string; nodePort: number }[],
	): Promise<Step> {
		const { caches, ledger, placeholders } = this.#options;
		await placeholders.letGo(ports.map(({ nodePort }) => nodePort));
		try {
			caches.services.apply(await this.#own(service, { spec: { ports } }));
			for (const { nodePort } of ports) ledger.trust(nodePort);
			return "again";
		} catch (error) {
			const taken = takenPort(error);
			if (taken !== undefined) {
				const retryAfterMs = ledger.suspect(taken);
				// A pool has others; who asked for this one waits for it.
				if (plan.kind === "Place" && plan.pool !== undefined) return "again";
				const message = `the API server says that NodePort ${taken} is taken, but no Service has it; ask for another, or wait: it finds ports that a failed write left behind within some minutes`;
				return {
					trouble: { reason: "PortTaken", message },
					retryAfterMs,
				};
			}
			if (isFairleadError(error, "KubeInvalid"))
				return { trouble: { reason: "Refused", message: error.message } };
			if (!isFairleadError(error, "KubeConflict")) throw error;
			if (!error.message.includes("Apply failed with"))
				return this.#look(service);
			return {
				trouble: { reason: "SetBySomebodyElse", message: explainOwner(error) },
			};
		}
	}

	/** Server-side apply on exactly this Service as it was read; without UID it would make a new one. */
	#own(service: Service, body: object): Promise<Service> {
		const { name, namespace = "", uid, resourceVersion } = service.metadata;
		return this.#options.client.patch<Service>(
			resources.services,
			{ namespace, name },
			{
				type: "apply",
				fieldManager: nodePortsManager,
				body: {
					apiVersion: "v1",
					kind: "Service",
					metadata: { name, namespace, uid, resourceVersion },
					...body,
				},
			},
		);
	}

	/** Applying nothing gives up what was applied; the API server keeps the NodePorts as its own. */
	async #giveUpOwnership(service: Service): Promise<void> {
		try {
			this.#options.caches.services.apply(await this.#own(service, {}));
		} catch (error) {
			if (!isFairleadError(error, "KubeConflict")) throw error;
			await this.#look(service);
		}
	}

	/** Somebody changed the Service first: the next step is decided on what it is now. */
	async #look({ metadata }: Service): Promise<Step> {
		const { client, caches } = this.#options;
		const { name, namespace = "" } = metadata;
		try {
			caches.services.apply(
				await client.get<Service>(resources.services, { namespace, name }),
			);
			return "again";
		} catch (error) {
			// The watch tells of its end, and wakes whoever has to do with that.
			if (isFairleadError(error, "KubeNotFound")) return "done";
			throw error;
		}
	}

	async #say(
		service: Service,
		plan: PortPlan,
		trouble: PortTrouble | undefined,
	): Promise<void> {
		const { client, caches, ledger } = this.#options;
		const clashes = ledger.clashesOf(service);
		const verdict = nodePortsVerdict(service, plan, trouble, clashes);
		const present = service.status?.conditions ?? [];
		const body = verdict
			? changedConditions(present, [verdict], this.#now())
			: [];
		const stale =
			!verdict && present.some(({ type }) => type === conditions.nodePorts);
		if (body.length === 0 && !stale) return;
		const { name, namespace = "" } = service.metadata;
		const key = objectKey(service);
		this.#saying.add(key);
		try {
			const written = await client.patch<Service>(
				resources.services,
				{ namespace, name, subresource: "status" },
				{
					type: "strategic-merge",
					body: combine(
						guard(service),
						stale
							? removeConditions([conditions.nodePorts])
							: setConditions(body),
					),
				},
			);
			caches.services.apply(written);
		} finally {
			this.#saying.delete(key);
		}
	}

	#wait(key: string, plan: PortPlan, trouble: PortTrouble | undefined): void {
		const { line } = this.#options;
		if (plan.kind === "Refused" && (plan.pool ?? plan.ports) !== undefined)
			line.enter(key, plan);
		else if (trouble?.reason === "PortTaken" && plan.kind === "Place")
			line.enter(key, { ports: [...plan.ports.values()] });
		else line.leave(key);
	}

	/** Its ports are kept, but for others too once there is nothing else. */
	#release(key: string): void {
		const { ledger, freed } = this.#options;
		const ports = Object.values(ledger.book.of(key)?.record.ports ?? {});
		const changed = ledger.book.release(key, this.#now());
		this.#changed(changed);
		if (changed.length > 0) for (const port of ports) freed(port);
	}

	#changed(pools: readonly string[]): void {
		for (const pool of pools) this.#options.poolChanged(pool);
	}

	#now(): string {
		return new Date(this.#options.clock.now())
			.toISOString()
			.replace(/\.\d+Z$/, "Z");
	}
}

/** `conflict with "kubectl" using v1: .spec.ports[…].nodePort` in a sentence that says what to do. */
function explainOwner({ message }: Error): string {
	const [, owner = "somebody else"] =
		/conflicts? with "([^"]+)"/.exec(message) ?? [];
	return `field manager ${owner} set a nodePort of this Service itself, and is not overruled; remove nodePort from its manifest, or the annotation or pool that asks for another`;
}

import { Registry } from "prom-client";
import { type Agent, startAgent } from "../../operator/agent/agent.ts";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import { UserspaceBackend } from "../../operator/agent/rules/userspace-backend.ts";
import type {
	EndpointSlice,
	Lease,
	Node,
	Service,
} from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { annotations } from "../../operator/api/names.ts";
import { type KubeClient, type Ref } from "../../operator/cluster/kube.ts";
import { Store } from "../../operator/cluster/index.ts";
import { FairleadError } from "../../operator/errors.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { HandClock } from "./hand-clock.ts";
import { benchService, benchSlice } from "./objects.ts";

export interface LeaseFigures {
	/** Writes of Leases for each change and agent, of changes that come one by one. */
	perChange: number;
	/** Writes for each agent and second, while twenty changes come every second. */
	perSecond: number;
}

/**
 * How often agents write their Leases when endpoints of a balanced Service change: whole agents in one process over shared
 * caches, their reports and Leases real, on a clock that is moved by hand, against a server that only counts.
 */
export async function leaseFigures(count: number): Promise<LeaseFigures> {
	const clock = new HandClock();
	const log = quietLog();
	const server = new LeaseCounter();
	const cache = <T extends KubeObject>() => new Store<T>({ clock, log });
	const stores = {
		services: cache<Service>(),
		endpointSlices: cache<EndpointSlice>(),
		nodes: cache<Node>(),
		synced: Promise.resolve(),
		problems: () => [],
	};
	let version = 0;
	const stored = <T extends KubeObject>(object: T): T => ({
		...object,
		metadata: { ...object.metadata, resourceVersion: String(++version) },
	});
	const nodes = Array.from({ length: count }, (_, each) => `node-${each}`);
	for (const name of nodes)
		stores.nodes.put(stored({ metadata: { name, uid: name } }));
	stores.services.put(stored(assigned()));
	const changeEndpoints = (each: number) =>
		stores.endpointSlices.put(
			stored(benchSlice(0, [`10.50.0.${each % 250}`, "10.51.0.1"])),
		);
	changeEndpoints(0);
	const metrics = agentMetrics(new Registry());
	const agents: Agent[] = [];
	try {
		for (const node of nodes)
			agents.push(
				await startAgent({
					node,
					stores,
					backend: new UserspaceBackend(),
					clock,
					random: () => 0.5,
					log,
					metrics,
					lease: {
						client: server as unknown as KubeClient,
						namespace: "fairlead-system",
						instance: node,
					},
					// Nobody else can reach these rules.
					tuning: { driftMs: 3_600_000 },
				}),
			);
		await clock.advance(3_000);
		const [changes, apartMs] = [5, 3_000];
		let before = server.writes;
		for (let each = 1; each <= changes; each++) {
			changeEndpoints(each);
			await clock.advance(apartMs);
		}
		const perChange = (server.writes - before) / changes / count;
		const [seconds, aSecond] = [10, 20];
		const churn = async (changes: number) => {
			for (let each = 0; each < changes; each++) {
				changeEndpoints(each);
				await clock.advance(1_000 / aSecond);
			}
		};
		// The first change after a pause is told at once: the rate is that of what follows.
		await churn(aSecond);
		before = server.writes;
		await churn(seconds * aSecond);
		return {
			perChange,
			perSecond: (server.writes - before) / seconds / count,
		};
	} finally {
		for (const agent of agents) agent.stop();
	}
}

/** With an address of ours: a Service whose changes are worth a report. */
function assigned(): Service {
	const service = benchService(0);
	return {
		...service,
		metadata: {
			...service.metadata,
			annotations: {
				[annotations.assigned]: JSON.stringify({
					addresses: ["203.0.113.10"],
					class: "bench",
					number: "1",
				}),
			},
		},
		spec: {
			...service.spec,
			type: "LoadBalancer",
			clusterIP: "10.96.0.10",
			clusterIPs: ["10.96.0.10"],
		},
	};
}

/** Keeps every agent's Lease, takes what it is given, and counts. */
class LeaseCounter implements Pick<KubeClient, "get" | "create" | "patch"> {
	writes = 0;
	readonly #leases = new Map<string, Lease>();

	async get<T extends KubeObject>(_: unknown, { name }: Ref): Promise<T> {
		const known = this.#leases.get(name);
		if (!known) throw new FairleadError("KubeNotFound", `no Lease ${name}`);
		return known as unknown as T;
	}

	async create<T extends KubeObject>(_: unknown, object: T): Promise<T> {
		return this.#write(object.metadata.name, object);
	}

	async patch<T extends KubeObject>(
		_: unknown,
		{ name }: Ref,
		{ body }: { body: unknown },
	): Promise<T> {
		const known = this.#leases.get(name);
		const { metadata } = body as Lease;
		return this.#write(name, {
			...known,
			...(body as Lease),
			metadata: { ...known?.metadata, ...metadata },
		} as unknown as T);
	}

	async #write<T extends KubeObject>(name: string, lease: T): Promise<T> {
		this.writes++;
		const stored = {
			...lease,
			metadata: { ...lease.metadata, resourceVersion: String(this.writes) },
		};
		this.#leases.set(name, stored as unknown as Lease);
		return stored;
	}
}

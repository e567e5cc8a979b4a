import { Registry } from "prom-client";
import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	BalancerClass,
	ExternalIPPolicy,
	NodePortPool,
} from "../../operator/api/fairlead.ts";
import type { Condition } from "../../operator/api/meta.ts";
import { objectKey } from "../../operator/api/meta.ts";
import { annotations } from "../../operator/api/names.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { externalIPRecordOf } from "../../operator/model/external-ips/record.ts";
import { isPlaceholder } from "../../operator/model/nodeports/placeholders.ts";
import { createStatic } from "../../operator/providers/static/static.ts";
import { FakeClock } from "./fake-clock.ts";
import { Life, MemoryCluster } from "./memory-cluster.ts";
import { quietLog } from "./quiet-log.ts";
import { SimulatedCloud } from "./simulated-cloud.ts";

/** What happens to one object, in this order. */
export type Thread = ((run: History) => void)[];

const maxDeaths = 6;
const optionalKinds = [
	"addressreservations",
	"nodeportpools",
	"externalippolicies",
	"servicecidrs",
];

/** A cluster, a cloud, and controllers that live one after the other; everything random in it follows from one number. */
export class History {
	readonly cluster: MemoryCluster;
	readonly cloud: SimulatedCloud;
	deaths = 0;
	readonly #random: () => number;
	readonly #logs: ReturnType<typeof quietLog>[] = [];
	#clock = new FakeClock();
	#controller: Controller | undefined;

	/** `installed`: which of the kinds that a cluster may do without it has. */
	constructor(number: number, installed: readonly string[] = []) {
		this.cluster = new MemoryCluster(
			optionalKinds.filter((plural) => !installed.includes(plural)),
		);
		this.#random = xorshift(number);
		this.cloud = new SimulatedCloud(
			(service) => `203.0.113.${hash(service) % 256}`,
			this.#random,
			4,
		);
		this.cluster.create("namespaces", { metadata: { name: "shop" } });
	}

	/** Lets everything happen and resolves when nothing moves any more. */
	async play(
		threads: readonly Thread[],
		{ shuffled }: { shuffled: boolean },
	): Promise<void> {
		const left = threads.map((thread) => [...thread]);
		if (!shuffled) this.#start(Number.POSITIVE_INFINITY);
		for (;;) {
			const open = left.filter((thread) => thread.length > 0);
			if (open.length === 0) break;
			const next = shuffled ? open[this.#below(open.length)] : open[0];
			next?.shift()?.(this);
			if (!shuffled) await this.#clock.advance(5_000);
			else {
				if (!this.#controller && this.#random() < 0.4) this.#startMortal();
				if (this.#random() < 0.7)
					await this.#clock.advance([0, 20, 600, 3_000][this.#below(4)] ?? 0);
			}
		}
		await this.#settle();
		await this.#controller?.stop();
	}

	/** What no history may bring a controller to say. */
	complaints(): string[] {
		return this.#logs.flatMap(({ lines }) =>
			lines
				.filter(
					({ level, fields }) =>
						level === "error" || fields.code === "InternalError",
				)
				.map(({ message }) => message),
		);
	}

	async #settle(): Promise<void> {
		for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
			if (rounds > 100)
				throw new Error(
					`it does not come to rest: ${JSON.stringify(this.cluster.patches.slice(-2))}`,
				);
			if (!this.#controller) this.#startMortal();
			const before = this.#mark();
			await this.#clock.advance(30_000);
			quiet = this.#controller && this.#mark() === before ? quiet + 1 : 0;
		}
	}

	#mark(): string {
		return `${this.cluster.version} ${JSON.stringify([...this.cloud.balancers])}`;
	}

	/** Mostly it dies soon, after a few times no more. */
	#startMortal(): void {
		this.#start(
			this.deaths < maxDeaths ? this.#below(80) : Number.POSITIVE_INFINITY,
		);
	}

	#start(halfEffects: number): void {
		const life = new Life(halfEffects, () => {
			this.deaths++;
			this.#controller = undefined;
			// What it still does has no effect: nobody waits for it.
			void controller.stop();
		});
		// A clock of its own, on which nothing of a dead process ever falls due.
		this.#clock = new FakeClock(this.#clock.now());
		const log = quietLog();
		this.#logs.push(log);
		const controller = new Controller({
			client: this.cluster.client(life),
			clock: this.#clock,
			random: this.#random,
			log,
			metrics: new Registry(),
			identity: `controller-${this.deaths}`,
			leaseNamespace: undefined,
			clusterId: "c1",
			workers: 4,
			auditSchedule: "0 0 1 1 *",
			createProvider: async ({ spec }) =>
				spec.provider === "Static" ? createStatic() : this.cloud.provider(life),
		});
		this.#controller = controller;
		controller.start();
	}

	#below(limit: number): number {
		return Math.floor(this.#random() * limit);
	}
}

export interface Ending {
	services: Record<
		string,
		{
			spec: Service["spec"];
			finalizers: string[];
			noted: Record<string, string>;
			ingress: unknown[];
			conditions: Omit<Condition, "lastTransitionTime">[];
		}
	>;
	classes: unknown[];
	pools: unknown[];
	reservations: unknown[];
	portPools: unknown[];
	policies: unknown[];
	balancers: { service: string; ports: string[]; targets: string[] }[];
}

/**
 * How a history ended, without what an order may decide: times, UIDs, assignment numbers, and which of its pool's free
 * addresses a Service got that asked for none.
 */
export function ending({ cluster, cloud }: History): Ending {
	const services: Ending["services"] = {};
	for (const service of cluster.all<Service>("services"))
		if (!isPlaceholder(service))
			services[objectKey(service)] = nameless(service, {
				spec: service.spec,
				finalizers: [...(service.metadata.finalizers ?? [])].sort(),
				noted: service.metadata.annotations ?? {},
				ingress: service.status?.loadBalancer?.ingress ?? [],
				conditions: timeless(service.status?.conditions),
			});
	return {
		services,
		classes: cluster
			.all<BalancerClass>("balancerclasses")
			.map(({ metadata, status }) => ({
				name: metadata.name,
				finalizers: metadata.finalizers ?? [],
				conditions: timeless(status?.conditions),
			})),
		pools: cluster
			.all<AddressPool>("addresspools")
			.map(({ metadata, status }) => ({
				name: metadata.name,
				counts: [status?.ipv4, status?.ipv6],
				conditions: timeless(status?.conditions),
			})),
		reservations: cluster
			.all<AddressReservation>("addressreservations")
			.map(({ metadata, spec, status }) => ({
				name: metadata.name,
				bound: status?.bound,
				...(spec.addresses
					? {
							addresses: status?.addresses ?? [],
							conditions: timeless(status?.conditions),
						}
					: { count: status?.addresses?.length }),
			})),
		portPools: cluster
			.all<NodePortPool>("nodeportpools")
			.map(({ metadata, status }) => ({
				name: metadata.name,
				used: status?.used,
				assigned: (status?.assigned ?? [])
					.filter(({ released }) => released === undefined)
					.map(({ service, ports }) => [service, Object.keys(ports)]),
				conditions: timeless(status?.conditions),
			})),
		policies: cluster
			.all<ExternalIPPolicy>("externalippolicies")
			.map(({ spec }) => spec),
		balancers: [...cloud.balancers.values()]
			.map(({ service, ports, targets }) => ({ service, ports, targets }))
			.sort((a, b) => (a.service < b.service ? -1 : 1)),
	};
}

function timeless(
	list: readonly Condition[] = [],
): Omit<Condition, "lastTransitionTime">[] {
	return list
		.map(({ type, status, reason, message }) => ({
			type,
			status,
			reason,
			message,
		}))
		.sort((a, b) => (a.type < b.type ? -1 : 1));
}

function nameless<T>(service: Service, state: T): T {
	let text = JSON.stringify(state)
		.replaceAll(/uid-\d+/g, "uid")
		.replaceAll(/(\\"number\\":\\")\d+/g, "$1");
	const asked = service.metadata.annotations?.[annotations.addresses];
	const record = assignmentOf(service);
	if (asked === undefined)
		for (const [at, pool] of (record?.pools ?? []).entries())
			text = text.replaceAll(record?.addresses[at] ?? "", `<of ${pool}>`);
	const external = externalIPRecordOf(service);
	for (const [at, pool] of (external?.pools ?? []).entries())
		text = text.replaceAll(external?.addresses[at] ?? "", `<out of ${pool}>`);
	if (service.metadata.annotations?.[annotations.nodePorts]?.match(/^[a-z]+$/))
		for (const { nodePort } of service.spec.ports ?? [])
			if (nodePort) text = text.replaceAll(String(nodePort), "0");
	return JSON.parse(text) as T;
}

/** Marsaglia's xorshift, 32 bits: numbers in [0, 1). */
function xorshift(seed: number): () => number {
	let x = hash(`history ${seed}`) * 65_537 + (seed | 1);
	return () => {
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		return (x >>> 0) / 4_294_967_296;
	};
}

function hash(text: string): number {
	let sum = 7;
	for (const letter of text) sum = (sum * 31 + letter.charCodeAt(0)) % 65_536;
	return sum;
}

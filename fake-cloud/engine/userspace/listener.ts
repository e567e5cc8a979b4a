import { BlockList, isIP } from "node:net";
import type { Clock } from "../../../operator/clock.ts";
import type { Service } from "../../store/records.ts";
import { type Counters } from "../engine.ts";

export function noCounters(): Counters {
	return { open: 0, total: 0, failed: 0, bytesIn: 0, bytesOut: 0 };
}

/** Clients remembered before the ones whose time is over are cleared out. */
const rememberedClients = 10_000;

/** One port of a balancer: who may connect, whose turn it is, who went where. */
export class Listener {
	readonly counters = noCounters();
	readonly #clock: Clock;
	#service: Service;
	#sources: BlockList | undefined;
	#turn = 0;
	#clients = new Map<string, { target: string; until: number }>();

	constructor(clock: Clock, service: Service) {
		this.#clock = clock;
		this.#service = service;
		this.#sources = sourceList(service);
	}

	get service(): Service {
		return this.#service;
	}

	update(service: Service): void {
		this.#service = service;
		this.#sources = sourceList(service);
		if (!service.affinity_seconds) this.#clients.clear();
	}

	admits(address: string): boolean {
		return (
			this.#sources === undefined ||
			this.#sources.check(address, isIP(address) === 6 ? "ipv6" : "ipv4")
		);
	}

	nextTurn(): number {
		return this.#turn++;
	}

	/** The target a client keeps; undefined without affinity, or when its time is over. */
	targetOf(client: string): string | undefined {
		const known = this.#clients.get(client);
		return known && known.until > this.#clock.monotonic()
			? known.target
			: undefined;
	}

	remember(client: string, target: string): void {
		const seconds = this.#service.affinity_seconds;
		if (!seconds) return;
		const now = this.#clock.monotonic();
		if (this.#clients.size >= rememberedClients)
			for (const [address, { until }] of this.#clients)
				if (until <= now) this.#clients.delete(address);
		this.#clients.set(client, { target, until: now + seconds * 1000 });
	}
}

function sourceList({ source_ranges: ranges }: Service): BlockList | undefined {
	if (!ranges) return undefined;
	const list = new BlockList();
	for (const range of ranges) {
		const [address = "", length = ""] = range.split("/");
		list.addSubnet(
			address,
			Number(length),
			isIP(address) === 6 ? "ipv6" : "ipv4",
		);
	}
	return list;
}

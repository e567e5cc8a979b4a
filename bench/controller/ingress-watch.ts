import type { Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { Store } from "../../operator/cluster/index.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { Reflector } from "../../operator/cluster/reflector.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { namespace } from "./cluster.ts";

/** Sees which Services have an ingress address, as a client that watches does. */
export class IngressWatch {
	readonly #store: Store<Service>;
	readonly #reflector: Reflector<Service>;
	readonly #have = new Set<string>();
	readonly #waiting = new Set<() => void>();

	constructor(client: KubeClient) {
		const log = quietLog();
		this.#store = new Store<Service>({ clock: systemClock, log });
		this.#store.onChange(({ type, object }) => {
			const has = (object.status?.loadBalancer?.ingress?.length ?? 0) > 0;
			if (type === "deleted" || !has) this.#have.delete(object.metadata.name);
			else this.#have.add(object.metadata.name);
			for (const look of this.#waiting) look();
		});
		this.#reflector = new Reflector<Service>({
			client,
			resource: resources.services,
			namespace,
			store: this.#store,
			clock: systemClock,
			random: Math.random,
			log,
		});
		this.#reflector.start();
	}

	async start(): Promise<void> {
		await this.#reflector.synced;
	}

	/** Resolves when `count` Services have one. */
	count(count: number): Promise<void> {
		return this.#until(() => this.#have.size >= count);
	}

	/** Resolves when the Service has one. */
	has(name: string): Promise<void> {
		return this.#until(() => this.#have.has(name));
	}

	/** Addresses that more than one Service has. */
	doubles(): number {
		const seen = new Set<string>();
		let doubles = 0;
		for (const service of this.#store.values())
			for (const { ip = "" } of service.status?.loadBalancer?.ingress ?? [])
				if (seen.has(ip)) doubles++;
				else seen.add(ip);
		return doubles;
	}

	stop(): Promise<void> {
		return this.#reflector.stop();
	}

	#until(isSo: () => boolean): Promise<void> {
		return new Promise((resolve) => {
			const look = () => {
				if (!isSo()) return;
				this.#waiting.delete(look);
				resolve();
			};
			this.#waiting.add(look);
			look();
		});
	}
}

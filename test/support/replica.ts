import { Registry } from "prom-client";
import { Controller } from "../../operator/controller/controller.ts";
import type { FairleadError } from "../../operator/errors.ts";
import type { FakeClock } from "./fake-clock.ts";
import { Life, type MemoryCluster } from "./memory-cluster.ts";
import { quietLog } from "./quiet-log.ts";

/** A controller on a cluster in memory, and the life of its process. */
export class Replica {
	readonly life = new Life(Number.POSITIVE_INFINITY, () => {});
	readonly log = quietLog();
	readonly #controller: Controller;

	constructor(
		cluster: MemoryCluster,
		clock: FakeClock,
		options: {
			identity?: string;
			leaseNamespace?: string;
			/** What reading a kind is answered from the beginning, by plural. */
			refused?: Record<string, FairleadError>;
		} = {},
	) {
		for (const [plural, answer] of Object.entries(options.refused ?? {}))
			cluster.refuse(this.life, plural, answer);
		this.#controller = new Controller({
			client: cluster.client(this.life),
			clock,
			random: () => 0.5,
			log: this.log,
			metrics: new Registry(),
			identity: options.identity ?? "controller",
			leaseNamespace: options.leaseNamespace,
			clusterId: "c1",
			workers: 4,
			auditSchedule: "0 0 1 1 *",
		});
		this.#controller.start();
	}

	notReady(): string[] {
		return this.#controller.notReady();
	}

	/** The process is killed. */
	die(): void {
		this.life.dead = true;
		// What it still does has no effect: nobody waits for it.
		void this.#controller.stop();
	}

	async stop(): Promise<void> {
		if (!this.life.dead) await this.#controller.stop();
	}
}

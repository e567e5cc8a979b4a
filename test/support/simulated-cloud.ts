import type {
	BalancerIdentity,
	DesiredBalancer,
	ObservedBalancer,
} from "../../operator/model/balancer/balancer.ts";
import { FairleadError } from "../../operator/errors.ts";
import type { Provider } from "../../operator/providers/provider.ts";
import type { Life } from "./memory-cluster.ts";

export interface SimulatedBalancer {
	serviceUid: string;
	service: string;
	address: string;
	ports: string[];
	targets: string[];
	/** Passes until the work that was begun is done. */
	busy: number;
}

/** A cloud in memory whose work takes several passes and fails now and then; it outlives the processes that call it. */
export class SimulatedCloud {
	readonly balancers = new Map<string, SimulatedBalancer>();
	/** The address of a Service, by name: the same in every history. */
	readonly #addressOf: (service: string) => string;
	/** In [0, 1). */
	readonly #random: () => number;
	#failures: number;

	constructor(
		addressOf: (service: string) => string,
		random: () => number,
		failures: number,
	) {
		this.#addressOf = addressOf;
		this.#random = random;
		this.#failures = failures;
	}

	/** The provider of one process. */
	provider(life: Life): Provider {
		return {
			source: "simulated",
			capabilities: async () => {
				throw new Error("nobody asks");
			},
			ensure: (desired) => this.#ensure(life, desired),
			delete: (identity) => this.#delete(life, identity),
			list: async () => [],
			forget: () => {},
			close: async () => {},
		};
	}

	async #ensure(
		life: Life,
		desired: DesiredBalancer,
	): Promise<ObservedBalancer> {
		await this.#stumble(life);
		const { serviceUid } = desired.identity;
		const service = `${desired.service.namespace}/${desired.service.name}`;
		const ports = desired.listeners.map(
			({ protocol, port, nodePort }) => `${protocol}/${port}>${nodePort}`,
		);
		const targets = desired.targets.map(({ node }) => node);
		let known = this.balancers.get(serviceUid);
		if (
			!known ||
			`${known.ports.join()} ${known.targets.join()}` !==
				`${ports.join()} ${targets.join()}`
		)
			known = await life.effect(() => {
				const made: SimulatedBalancer = {
					serviceUid,
					service,
					address: this.#addressOf(service),
					ports,
					targets,
					busy: Math.floor(this.#random() * 3),
				};
				this.balancers.set(serviceUid, made);
				return made;
			});
		else if (known.busy > 0) known.busy--;
		const pending = {
			waitingFor: "the work to be done",
			retryAfterMs: 50,
		};
		return {
			id: `sim-${service}`,
			addresses: [known.address],
			ipMode: "Proxy",
			ports: desired.listeners.map(({ protocol, port }) => ({
				protocol,
				port,
				state: known.busy > 0 ? "Configuring" : "Configured",
			})),
			targetProblems: [],
			...(known.busy > 0 ? { pending } : {}),
		};
	}

	async #delete(
		life: Life,
		{ serviceUid }: BalancerIdentity,
	): Promise<Awaited<ReturnType<Provider["delete"]>>> {
		await this.#stumble(life);
		const known = this.balancers.get(serviceUid);
		if (!known) return { gone: true };
		if (known.busy > 0) {
			known.busy--;
			return {
				gone: false,
				waitingFor: "the work to be done",
				retryAfterMs: 50,
			};
		}
		await life.effect(() => this.balancers.delete(serviceUid));
		return { gone: true };
	}

	/** Answers, sooner or later, or fails. */
	async #stumble(life: Life): Promise<void> {
		await life.look(() => {});
		if (this.#random() < 0.5)
			await new Promise((resolve) => setImmediate(resolve));
		await life.look(() => {});
		if (this.#failures > 0 && this.#random() < 0.4) {
			this.#failures--;
			throw new FairleadError("CloudServerError", "the cloud stumbled");
		}
	}
}

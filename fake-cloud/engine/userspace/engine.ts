import type { Duplex } from "node:stream";
import type { Clock } from "../../../operator/clock.ts";
import type { Log } from "../../../operator/log.ts";
import {
	type BalancerReport,
	type Client,
	DialError,
	type Engine,
	type EngineBalancer,
} from "../engine.ts";
import { BalancerPlane, type PlaneOptions } from "./balancer-plane.ts";
import { Binding } from "./binding.ts";
import { connectionPair } from "./pair.ts";
import { networkProbe, type Probe } from "./probe.ts";

export interface UserspaceEngineOptions {
	clock: Clock;
	log: Log;
	/** Also bind the loopback addresses among the balancers' (Linux has all of 127.0.0.0/8). */
	listen?: boolean;
	/** Milliseconds that a second of a health check's interval lasts; absent: 1000. */
	msPerSecond?: number;
	idleMs?: number;
	connectMs?: number;
	drainMs?: number;
	probe?: Probe;
	/** Anything but a counter of a balancer changed. */
	changed?(id: number): void;
	/** A counter of a balancer changed. */
	counted?(id: number): void;
}

/** Carries balancers' traffic in this process: any system, no privileges, TCP and HTTP. */
export class UserspaceEngine implements Engine {
	readonly kind = "userspace";
	readonly reach: Engine["reach"];
	readonly #options: UserspaceEngineOptions;
	readonly #planeOptions: Omit<PlaneOptions, "changed" | "counted">;
	readonly #planes = new Map<number, BalancerPlane>();
	readonly #addresses = new Map<string, BalancerPlane>();
	/** By balancer, then by address and port. */
	readonly #bindings = new Map<number, Map<string, Binding>>();

	constructor(options: UserspaceEngineOptions) {
		this.#options = options;
		this.reach = options.listen ? "listen" : "dial";
		const {
			clock,
			log,
			msPerSecond = 1000,
			idleMs = 300_000,
			connectMs = 3_000,
			drainMs = 30_000,
		} = options;
		const probe = options.probe ?? networkProbe(clock);
		this.#planeOptions = {
			clock,
			log,
			probe,
			msPerSecond,
			idleMs,
			connectMs,
			drainMs,
		};
	}

	set(balancer: EngineBalancer): void {
		const { id } = balancer;
		const known = this.#planes.get(id);
		for (const address of known?.balancer.addresses ?? [])
			this.#addresses.delete(address);
		if (known) known.set(balancer);
		const plane =
			known ??
			new BalancerPlane(
				{
					...this.#planeOptions,
					changed: () => this.#options.changed?.(id),
					counted: () => this.#options.counted?.(id),
				},
				balancer,
			);
		this.#planes.set(id, plane);
		for (const address of balancer.addresses)
			this.#addresses.set(address, plane);
		this.#bind(plane);
	}

	remove(id: number): void {
		const plane = this.#planes.get(id);
		if (!plane) return;
		for (const address of plane.balancer.addresses)
			this.#addresses.delete(address);
		for (const binding of this.#bindings.get(id)?.values() ?? [])
			binding.close();
		this.#bindings.delete(id);
		this.#planes.delete(id);
		plane.close();
	}

	report(id: number): BalancerReport | undefined {
		const plane = this.#planes.get(id);
		if (!plane) return undefined;
		const { listeners, ...rest } = plane.report();
		const bindings = this.#bindings.get(id);
		return {
			...rest,
			listeners: [...listeners]
				.map(([port, counters]) => ({
					port,
					counters,
					failure:
						plane.balancer.addresses
							.map(
								(address) =>
									bindings?.get(`${address} ${port}`)?.failure ?? null,
							)
							.find((failure) => failure !== null) ?? null,
				}))
				.sort((a, b) => a.port - b.port),
		};
	}

	dial(
		address: string,
		port: number,
		client: Client = { address: "127.0.0.1", port: 0 },
	): Duplex {
		const plane = this.#addresses.get(address);
		if (!plane)
			throw new DialError(
				"EHOSTUNREACH",
				`no balancer has the address ${address}`,
			);
		if (!plane.listensOn(port))
			throw new DialError(
				"ECONNREFUSED",
				`the balancer at ${address} has no listener on port ${port}`,
			);
		const [near, far] = connectionPair();
		plane.accept(far, client, address, port);
		return near;
	}

	async close(): Promise<void> {
		for (const id of [...this.#planes.keys()]) this.remove(id);
	}

	#bind(plane: BalancerPlane): void {
		if (!this.#options.listen) return;
		const { id, addresses, services } = plane.balancer;
		const before = this.#bindings.get(id) ?? new Map<string, Binding>();
		const after = new Map<string, Binding>();
		for (const address of addresses.filter(isLoopback))
			for (const { listen_port: port } of services) {
				const key = `${address} ${port}`;
				const binding = before.get(key) ?? this.#open(plane, address, port);
				before.delete(key);
				after.set(key, binding);
			}
		for (const binding of before.values()) binding.close();
		this.#bindings.set(id, after);
	}

	#open(plane: BalancerPlane, address: string, port: number): Binding {
		const { clock, log } = this.#options;
		const { id } = plane.balancer;
		const binding: Binding = new Binding({
			address,
			port,
			clock,
			accept: (socket) =>
				plane.accept(
					socket,
					{ address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
					address,
					port,
				),
			changed: () => {
				if (binding.failure !== null)
					log.error(
						{ balancer: id, address, port },
						`a listener is not open: ${binding.failure}`,
					);
				this.#options.changed?.(id);
			},
		});
		return binding;
	}
}

function isLoopback(address: string): boolean {
	return address === "::1" || address.startsWith("127.");
}

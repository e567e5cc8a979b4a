import type { Duplex } from "node:stream";
import type { Clock } from "../../../operator/clock.ts";
import type { Log } from "../../../operator/log.ts";
import {
	type ListenerKey,
	listenerKey,
	type Transport,
	transportOf,
} from "../../store/listener-key.ts";
import type { Service } from "../../store/records.ts";
import {
	type BalancerReport,
	type Client,
	type DatagramPath,
	DialError,
	type Engine,
	type EngineBalancer,
} from "../engine.ts";
import { type EngineNetwork, engineNetwork } from "../network.ts";
import { BalancerPlane, type PlaneOptions } from "./balancer-plane.ts";
import { Binding } from "./binding.ts";
import { noCounters } from "./listener.ts";
import { connectionPair } from "./pair.ts";
import { networkProbe, type Probe } from "./probe.ts";

export interface UserspaceEngineOptions {
	clock: Clock;
	log: Log;
	/** Absent: this machine's. With a namespace, all balancers' addresses are bound there; whoever made it gives it them. */
	network?: Partial<EngineNetwork>;
	/** Also bind the loopback addresses among the balancers' (Linux has all of 127.0.0.0/8). */
	listen?: boolean;
	/** Milliseconds that a second of a health check's interval lasts; absent: 1000. */
	msPerSecond?: number;
	idleMs?: number;
	udpIdleMs?: number;
	connectMs?: number;
	drainMs?: number;
	probe?: Probe;
	/** Anything but a counter of a balancer changed. */
	changed?(id: number): void;
	/** A counter of a balancer changed. */
	counted?(id: number): void;
}

/** Carries balancers' traffic in this process: any system, no privileges, TCP, UDP and HTTP. */
export class UserspaceEngine implements Engine {
	readonly kind = "userspace" as const;
	readonly reach: Engine["reach"];
	readonly transports: Engine["transports"];
	readonly #options: UserspaceEngineOptions;
	readonly #planeOptions: Omit<PlaneOptions, "changed" | "counted">;
	readonly #planes = new Map<number, BalancerPlane>();
	readonly #addresses = new Map<string, BalancerPlane>();
	/** By balancer, then by address and listener. */
	readonly #bindings = new Map<number, Map<BindingKey, Binding>>();

	constructor(options: UserspaceEngineOptions) {
		this.#options = options;
		const network = engineNetwork(options.network);
		this.reach = options.listen ? "listen" : "dial";
		this.transports = network.datagrams ? ["tcp", "udp"] : ["tcp"];
		const {
			clock,
			log,
			msPerSecond = 1000,
			idleMs = 300_000,
			udpIdleMs = 120_000,
			connectMs = 3_000,
			drainMs = 30_000,
		} = options;
		const probe = options.probe ?? networkProbe(clock, network);
		this.#planeOptions = {
			clock,
			log,
			network,
			probe,
			msPerSecond,
			idleMs,
			udpIdleMs,
			connectMs,
			drainMs,
		};
	}

	/**
	 * `binds` says which listeners of which addresses are to be open of those that can be; absent: all. In a namespace
	 * they are when this returns, or the report says why not.
	 */
	set(
		balancer: EngineBalancer,
		binds: (address: string, service: Service) => boolean = () => true,
	): void {
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
		this.#bind(plane, binds);
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
		const { services } = plane.balancer;
		return {
			...rest,
			listeners: services
				.map((service) => ({
					port: service.listen_port,
					transport: transportOf(service),
					engine: this.kind,
					counters: listeners.get(listenerKey(service)) ?? noCounters(),
					failure: this.#failureOf(plane, service),
				}))
				.sort(
					(a, b) => a.port - b.port || a.transport.localeCompare(b.transport),
				),
		};
	}

	/** The keys of the targets that a new connection to a listener may try; empty when none can be had. */
	usable(id: number, key: ListenerKey): string[] {
		return this.#planes.get(id)?.usable(key) ?? [];
	}

	/** @throws DialError */
	check(address: string, transport: Transport, port: number): void {
		this.#at(address, `${transport}/${port}`);
	}

	dial(
		address: string,
		port: number,
		client: Client = { address: "127.0.0.1", port: 0 },
	): Duplex {
		const plane = this.#at(address, `tcp/${port}`);
		const [near, far] = connectionPair();
		plane.accept(far, client, address, port);
		return near;
	}

	dialUdp(
		address: string,
		port: number,
		heard: (datagram: Buffer) => void,
		client: Client = { address: "127.0.0.1", port: 0 },
	): DatagramPath {
		const plane = this.#at(address, `udp/${port}`);
		let open = true;
		const answer = (data: Buffer) => {
			if (open) heard(data);
		};
		return {
			send: (data) => plane.hear({ data, from: client, address, port, answer }),
			close() {
				open = false;
			},
		};
	}

	async close(): Promise<void> {
		for (const id of [...this.#planes.keys()]) this.remove(id);
	}

	#failureOf(plane: BalancerPlane, service: Service): string | null {
		const transport = transportOf(service);
		if (!this.transports.includes(transport))
			return `this network carries no ${transport.toUpperCase()}`;
		const { id, addresses } = plane.balancer;
		const bindings = this.#bindings.get(id);
		return (
			addresses
				.map(
					(address) =>
						bindings?.get(bindingKey(address, service))?.failure ?? null,
				)
				.find((failure) => failure !== null) ?? null
		);
	}

	#at(address: string, key: ListenerKey): BalancerPlane {
		const plane = this.#addresses.get(address);
		if (!plane)
			throw new DialError(
				"EHOSTUNREACH",
				`no balancer has the address ${address}`,
			);
		if (plane.listensOn(key)) return plane;
		const [transport, port] = key.split("/");
		throw new DialError(
			"ECONNREFUSED",
			`the balancer at ${address} has no ${transport} listener on port ${port}`,
		);
	}

	#bind(
		plane: BalancerPlane,
		binds: (address: string, service: Service) => boolean,
	): void {
		const { namespace } = this.#planeOptions.network;
		if (!namespace && !this.#options.listen) return;
		const { id, addresses, services } = plane.balancer;
		const before = this.#bindings.get(id) ?? new Map<BindingKey, Binding>();
		const after = new Map<BindingKey, Binding>();
		this.#bindings.set(id, after);
		for (const address of addresses.filter(namespace ? Boolean : isLoopback))
			for (const service of services) {
				if (!binds(address, service)) continue;
				const key = bindingKey(address, service);
				after.set(key, before.get(key) ?? this.#open(plane, address, service));
				before.delete(key);
			}
		for (const binding of before.values()) binding.close();
	}

	#open(plane: BalancerPlane, address: string, service: Service): Binding {
		const { clock, log } = this.#options;
		const { id } = plane.balancer;
		const port = service.listen_port;
		return new Binding({
			transport: transportOf(service),
			address,
			port,
			namespace: this.#planeOptions.network.namespace,
			clock,
			accept: (socket) =>
				plane.accept(
					socket,
					{ address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
					address,
					port,
				),
			hear: (datagram) => plane.hear(datagram),
			changed: (failure) => {
				if (failure !== null)
					log.error(
						{ balancer: id, address, port },
						`a listener is not open: ${failure}`,
					);
				this.#options.changed?.(id);
			},
		});
	}
}

type BindingKey = `${string} ${ListenerKey}`;

function bindingKey(address: string, service: Service): BindingKey {
	return `${address} ${listenerKey(service)}`;
}

function isLoopback(address: string): boolean {
	return address === "::1" || address.startsWith("127.");
}

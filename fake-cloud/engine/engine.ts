import type { Duplex } from "node:stream";
import type { Transport } from "../store/listener-key.ts";
import type { Service } from "../store/records.ts";

/** What an engine carries for one balancer. */
export interface EngineBalancer {
	id: number;
	/** Canonical text, both families; none while the balancer has no interface. */
	addresses: string[];
	algorithm: "round_robin" | "least_connections";
	/** More are refused. */
	maxConnections: number;
	services: Service[];
	/** `address` is null for a target that cannot be reached now, and `problem` says why. */
	targets: { key: string; address: string | null; problem: string | null }[];
}

export interface TargetHealth {
	/** The listener's. */
	port: number;
	transport: Transport;
	status: "healthy" | "unhealthy" | "unknown";
	/** Hetzner's word for what failed last, for instance layer4_no_connection. */
	detail: string | null;
	/** What an HTTP check was answered, if that was the failure. */
	httpStatus: number | null;
	/** The same for people. */
	message: string | null;
	/** Milliseconds since the epoch. */
	since: number;
}

/** What carries packets: this process' sockets, or the kernel's rules. */
export type EngineKind = "userspace" | "kernel";

/**
 * Of TCP connections and of UDP sessions (all datagrams between one client's port and a listener, until a silence).
 * `failed`: no target could be had, or, of what the kernel carries, the target never answered. Bytes are payload in
 * userspace; of what the kernel carries they are whole IP packets, as conntrack counts them.
 */
export interface Counters {
	open: number;
	total: number;
	failed: number;
	bytesIn: number;
	bytesOut: number;
}

export interface BalancerReport {
	/** By port, TCP first. */
	listeners: {
		port: number;
		transport: Transport;
		/** What carries it; where the addresses differ, the first of them. */
		engine: EngineKind;
		/** Why it is not open where it should be; null when it is. */
		failure: string | null;
		counters: Counters;
	}[];
	targets: { key: string; health: TargetHealth[]; counters: Counters }[];
	counters: Counters;
}

/** Who connects: what a target learns through the PROXY protocol, and what source ranges and affinity go by. */
export interface Client {
	address: string;
	port: number;
}

/** Carries traffic from balancers' addresses to targets, and checks the targets' health. */
export interface Engine {
	/** What carries all that it can. */
	readonly kind: EngineKind;
	/** `listen`: addresses this machine can bind are bound as well. */
	readonly reach: "dial" | "listen";
	/** What it can carry at all. */
	readonly transports: readonly Transport[];

	/** Makes a balancer so; connections that the change does not concern go on. */
	set(balancer: EngineBalancer): void;

	/** Ends a balancer and its connections. */
	remove(id: number): void;

	report(id: number): BalancerReport | undefined;

	/**
	 * A connection to a balancer, as from the network.
	 *
	 * @throws DialError when no balancer has that address, or nothing listens on that port
	 */
	dial(address: string, port: number, client?: Client): Duplex;

	/**
	 * Datagrams between a client and a UDP listener, as from the network; `heard` gets what comes back.
	 *
	 * @throws DialError
	 */
	dialUdp(
		address: string,
		port: number,
		heard: (datagram: Buffer) => void,
		client?: Client,
	): DatagramPath;

	close(): Promise<void>;
}

export interface DatagramPath {
	send(datagram: Buffer): void;
	close(): void;
}

export class DialError extends Error {
	/** EHOSTUNREACH: no balancer has the address; ECONNREFUSED: it has no such listener. */
	readonly code: "EHOSTUNREACH" | "ECONNREFUSED";

	constructor(code: DialError["code"], message: string) {
		super(message);
		this.code = code;
	}
}

import type { Protocol, ServicePort } from "../../api/core.ts";
import { inRange, type PortRange } from "./port-range.ts";
import { portKey, protocolOf } from "./request.ts";

/** What is known of ports, beyond the Service in question. */
export interface Ground {
	/** Who has the port: a Service that holds it, or that lives and has it recorded; `namespace/name`. */
	holder(port: number): string | undefined;
	/** Since when (RFC 3339) it is kept for a Service that is gone. */
	keptSince(port: number): string | undefined;
	/** Something on a node uses it, so a NodePort there would clash. */
	blocked(port: number): boolean;
}

export interface Placing {
	/** `namespace/name` */
	service: string;
	ports: readonly ServicePort[];
	range: PortRange;
	/** What the Service had from this pool, by the key of the port. */
	recorded: Readonly<Record<string, number>>;
	ground: Ground;
}

/**
 * A NodePort of `range` for every port of a Service, by its key; undefined when there are too few. In this order: what
 * the port has; what was recorded for it; what the same port number has for another protocol, as the API server's own
 * allocator shares (k8s.io/kubernetes, pkg/registry/core/service/storage, initNodePorts); the lowest port nobody has;
 * then ports kept for Services that are gone, those gone longest first.
 */
export function placePorts(placing: Placing): Map<string, number> | undefined {
	const { ports, range, recorded, service, ground } = placing;
	const placed = new Placed();
	const usable = (nodePort: number) => {
		const holder = ground.holder(nodePort);
		return (
			inRange(range, nodePort) && (holder === undefined || holder === service)
		);
	};
	for (const port of ports) {
		const { nodePort = 0 } = port;
		if (usable(nodePort)) placed.put(port, nodePort);
	}
	for (const port of ports) {
		const nodePort = Object.hasOwn(recorded, portKey(port))
			? (recorded[portKey(port)] ?? 0)
			: 0;
		if (usable(nodePort) && !ground.blocked(nodePort))
			placed.put(port, nodePort);
	}
	const free = freePorts(placing, placed);
	for (const port of ports) {
		if (placed.has(port) || placed.share(port)) continue;
		const { value } = free.next();
		if (value === undefined) return undefined;
		placed.put(port, value);
	}
	return placed.ports;
}

class Placed {
	readonly ports = new Map<string, number>();
	readonly #taken = new Set<string>();
	/** By the Service's port number. */
	readonly #shared = new Map<number, number>();

	has(port: ServicePort): boolean {
		return this.ports.has(portKey(port));
	}

	uses(nodePort: number): boolean {
		const protocols: Protocol[] = ["TCP", "UDP", "SCTP"];
		return protocols.some((each) => this.#taken.has(`${nodePort}/${each}`));
	}

	/** False when the port has one already, or another port has that one for the same protocol. */
	put(port: ServicePort, nodePort: number): boolean {
		const taken = `${nodePort}/${protocolOf(port)}`;
		if (this.has(port) || this.#taken.has(taken)) return false;
		this.#taken.add(taken);
		this.ports.set(portKey(port), nodePort);
		if (!this.#shared.has(port.port)) this.#shared.set(port.port, nodePort);
		return true;
	}

	share(port: ServicePort): boolean {
		const nodePort = this.#shared.get(port.port);
		return nodePort !== undefined && this.put(port, nodePort);
	}
}

/** Ports nobody has, lowest first, then kept ones, those gone longest first. Lazy: most Services need one or two. */
function* freePorts(
	{ range, ground }: Placing,
	placed: Placed,
): Generator<number, undefined> {
	const kept: { port: number; since: string }[] = [];
	for (let port = range.first; port <= range.last; port++) {
		// A port of the Service's own, left over from what it had before, would be read as shared.
		if (ground.holder(port) !== undefined) continue;
		if (ground.blocked(port) || placed.uses(port)) continue;
		const since = ground.keptSince(port);
		if (since === undefined) yield port;
		else kept.push({ port, since });
	}
	kept.sort((a, b) =>
		a.since === b.since ? a.port - b.port : a.since < b.since ? -1 : 1,
	);
	for (const { port } of kept) if (!placed.uses(port)) yield port;
	return undefined;
}

import type { Service } from "../../api/core.ts";
import type { NodePortConflict } from "../../api/fairlead.ts";
import {
	type IsHealthCheck,
	type NodeFacts,
	nodeConflicts,
} from "./conflicts.ts";
import { isPlaceholder } from "./placeholders.ts";
import { nameOf } from "./plan.ts";
import type { PortPool } from "./pools.ts";
import { inRange, type PortRange, rangeSize } from "./port-range.ts";
import { portKey, protocolOf } from "./request.ts";

/** One NodePort that a Service holds. */
export interface HeldPort {
	namespace: string;
	service: string;
	/** Name of the Service's port, or `80/TCP`; `health check` for a healthCheckNodePort. */
	port: string;
	protocol: string;
	nodePort: number;
}

export interface PortOverview {
	/** By NodePort, then Service. */
	held: HeldPort[];
	/** Port numbers of the range: what Services hold, what pools keep that nobody holds, and what is left. */
	used: number;
	reserved: number;
	free: number;
	/** On the nodes, and Services that hold ports of a pool that does not admit them. */
	conflicts: NodePortConflict[];
}

/** How the NodePorts of a cluster are used. `admitted`: whether a pool admits a Service. */
export function portOverview(
	services: Iterable<Service>,
	pools: readonly PortPool[],
	facts: Iterable<NodeFacts>,
	range: PortRange,
	admitted: (pool: PortPool, service: Service) => boolean,
): PortOverview {
	const held: HeldPort[] = [];
	const others: NodePortConflict[] = [];
	const healthChecks = new Set<number>();
	for (const service of services) {
		if (isPlaceholder(service)) continue;
		held.push(...heldPorts(service));
		const { healthCheckNodePort } = service.spec;
		if (healthCheckNodePort) healthChecks.add(healthCheckNodePort);
		for (const pool of pools)
			if (!admitted(pool, service)) others.push(...strangerIn(pool, service));
	}
	held.sort(
		(a, b) =>
			a.nodePort - b.nodePort ||
			compare(`${a.namespace}/${a.service}`, `${b.namespace}/${b.service}`) ||
			compare(a.protocol, b.protocol),
	);
	const used = new Set(
		held.map(({ nodePort }) => nodePort).filter((port) => inRange(range, port)),
	);
	const reserved = new Set<number>();
	for (const { range: kept } of pools)
		for (let port = kept?.first ?? 1; port <= (kept?.last ?? 0); port++)
			if (!used.has(port)) reserved.add(port);
	const isHealthCheck: IsHealthCheck = (port) => healthChecks.has(port);
	return {
		held,
		used: used.size,
		reserved: reserved.size,
		free: rangeSize(range) - used.size - reserved.size,
		conflicts: [...nodeConflicts(facts, range, isHealthCheck), ...others],
	};
}

/** The numbers of a Service's NodePorts, each once. */
export function nodePortsOf({ spec }: Service): number[] {
	const found: number[] = [];
	for (const { nodePort } of spec.ports ?? [])
		if (nodePort && !found.includes(nodePort)) found.push(nodePort);
	const { healthCheckNodePort } = spec;
	if (healthCheckNodePort) found.push(healthCheckNodePort);
	return found;
}

/** NodePorts of a Service. */
export function heldPorts(service: Service): HeldPort[] {
	const { metadata, spec } = service;
	const of = { namespace: metadata.namespace ?? "", service: metadata.name };
	const held = (spec.ports ?? []).flatMap((port) =>
		port.nodePort
			? [
					{
						...of,
						port: portKey(port),
						protocol: protocolOf(port),
						nodePort: port.nodePort,
					},
				]
			: [],
	);
	const nodePort = spec.healthCheckNodePort;
	return nodePort
		? [...held, { ...of, port: "health check", protocol: "TCP", nodePort }]
		: held;
}

/** Ports of a pool that a Service holds which the pool does not admit. */
export function strangerIn(
	pool: PortPool,
	service: Service,
): NodePortConflict[] {
	const { range } = pool;
	if (!range) return [];
	return heldPorts(service)
		.filter(({ nodePort }) => inRange(range, nodePort))
		.map(({ nodePort, protocol }) => ({
			port: nodePort,
			protocol,
			kind: "OtherService",
			holder: `Service ${nameOf(service)}`,
		}));
}

function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

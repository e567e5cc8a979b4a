import type { Service, ServicePort } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";
import type { Labels } from "../addresses/labels.ts";
import { type Ground, placePorts } from "./placing.ts";
import { admits, type PortPool, poolOf } from "./pools.ts";
import { formatPortRange, inRange, type PortRange } from "./port-range.ts";
import { portKey, protocolOf, readNodePortRequest } from "./request.ts";

/** All that decides which NodePorts a Service should have. */
export interface PortView {
	service: Service;
	namespaceLabels: Labels;
	/** The API server's. */
	nodePorts: PortRange;
	/** By name. */
	pools: readonly PortPool[];
	/** The pool that gave the Service ports before, and which. */
	recorded:
		| { pool: string; ports: Readonly<Record<string, number>> }
		| undefined;
	ground: Ground;
}

export type PortPlan =
	/** Nobody asks for anything; the API server's choice stands. */
	| { kind: "None" }
	/** By the key of the port; `pool` when they come from one. */
	| { kind: "Place"; ports: ReadonlyMap<string, number>; pool?: string }
	/** `pool`, `ports`: what it waits for. */
	| {
			kind: "Refused";
			reason: PortRefusal;
			message: string;
			pool?: string;
			ports?: number[];
	  };

export type PortRefusal =
	| "InvalidRequest"
	| "NoNodePorts"
	| "UnknownPool"
	| "NotAdmitted"
	| "PoolInvalid"
	| "PoolExhausted"
	| "PortReserved"
	| "PortTaken";

/** What NodePorts a Service should have; pure, and the same whatever happened before beyond `recorded` and the ground. */
export function planPorts(view: PortView): PortPlan {
	const { service, nodePorts, pools } = view;
	const request = readNodePortRequest(service, nodePorts);
	const type = service.spec.type ?? "ClusterIP";
	if (request.kind === "None") return planFromSelectors(view);
	if (type !== "NodePort" && type !== "LoadBalancer")
		return refused(
			"NoNodePorts",
			`annotation ${annotations.nodePorts}: a Service of type ${type} has no NodePorts; make it NodePort or LoadBalancer, or remove the annotation`,
		);
	if (request.kind === "Invalid")
		return refused("InvalidRequest", request.message);
	if (request.kind === "Ports") return planAsked(view, request.ports);
	const pool = pools.find(({ name }) => name === request.pool);
	const asked = `annotation ${annotations.nodePorts}: NodePortPool ${request.pool}`;
	if (!pool)
		return refused("UnknownPool", `${asked} does not exist; create it`, {
			pool: request.pool,
		});
	if (!admits(pool, service, view.namespaceLabels))
		return refused(
			"NotAdmitted",
			`${asked} does not admit this Service: its namespaceSelector or serviceSelector says no`,
		);
	if (!pool.range)
		return refused("PoolInvalid", `${asked}: ${pool.problems.join("; ")}`);
	return planFromPool(view, pool, pool.range);
}

function planAsked(
	{ service, pools, ground, namespaceLabels }: PortView,
	ports: ReadonlyMap<string, number>,
): PortPlan {
	const self = nameOf(service);
	for (const [key, nodePort] of ports) {
		const held = (service.spec.ports ?? []).some(
			(port) => portKey(port) === key && port.nodePort === nodePort,
		);
		if (held) continue;
		const holder = ground.holder(nodePort);
		if (holder !== undefined && holder !== self)
			return refused(
				"PortTaken",
				`port ${key}: NodePort ${nodePort} is held by Service ${holder}; ask for another, or free it there`,
				{ ports: [...ports.values()] },
			);
		const pool = poolOf(nodePort, pools);
		if (pool && !admits(pool, service, namespaceLabels))
			return refused(
				"PortReserved",
				`port ${key}: NodePort ${nodePort} is kept by NodePortPool ${pool.name}, which does not admit this Service; ask for another`,
			);
	}
	return { kind: "Place", ports };
}

/**
 * Selectors give ports to Services that come after the pool: to make a pool must not move the NodePorts of Services
 * that are in use. Those that say they want no NodePorts, as Services of a class that releases them, get none.
 */
function planFromSelectors(view: PortView): PortPlan {
	const { service, pools, namespaceLabels, recorded } = view;
	const { metadata, spec } = service;
	const { type, allocateLoadBalancerNodePorts: wanted } = spec;
	if (type !== "NodePort" && type !== "LoadBalancer") return { kind: "None" };
	if (type === "LoadBalancer" && wanted === false) return { kind: "None" };
	if (metadata.annotations?.[annotations.nodePorts] !== undefined)
		return { kind: "None" };
	const born = metadata.creationTimestamp ?? "";
	const mine = pools.filter(
		(pool) =>
			pool.range !== undefined &&
			(born >= pool.createdAt ||
				recorded?.pool === pool.name ||
				holdsAll(spec.ports ?? [], pool.range)) &&
			admits(pool, service, namespaceLabels),
	);
	mine.sort(
		(a, b) =>
			Number(b.name === recorded?.pool) - Number(a.name === recorded?.pool),
	);
	let full: PortPlan = { kind: "None" };
	for (const pool of mine) {
		if (!pool.range) continue;
		const plan = planFromPool(view, pool, pool.range);
		if (plan.kind === "Place") return plan;
		if (full.kind === "None") full = plan;
	}
	return full;
}

function holdsAll(ports: readonly ServicePort[], range: PortRange): boolean {
	return (
		ports.length > 0 &&
		ports.every(({ nodePort = 0 }) => inRange(range, nodePort))
	);
}

function planFromPool(
	{ service, recorded, ground }: PortView,
	pool: PortPool,
	range: PortRange,
): PortPlan {
	const ports = placePorts({
		service: nameOf(service),
		ports: service.spec.ports ?? [],
		range,
		recorded: recorded?.pool === pool.name ? recorded.ports : {},
		ground,
	});
	if (ports) return { kind: "Place", ports, pool: pool.name };
	return refused(
		"PoolExhausted",
		`NodePortPool ${pool.name} (${formatPortRange(range)}) has too few free ports for this Service; widen it, or free some`,
		{ pool: pool.name },
	);
}

/** The ports of a plan that the Service does not have yet, as server-side apply takes them. */
export function missingPorts(
	service: Service,
	wanted: ReadonlyMap<string, number>,
): { port: number; protocol: string; nodePort: number }[] {
	return (service.spec.ports ?? []).flatMap((port) => {
		const nodePort = wanted.get(portKey(port));
		return nodePort === undefined || nodePort === port.nodePort
			? []
			: [{ port: port.port, protocol: protocolOf(port), nodePort }];
	});
}

export function nameOf({ metadata }: Service): string {
	return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function refused(
	reason: PortRefusal,
	message: string,
	waits: { pool?: string; ports?: number[] } = {},
): PortPlan {
	return { kind: "Refused", reason, message, ...waits };
}

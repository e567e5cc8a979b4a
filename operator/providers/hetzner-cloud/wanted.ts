import type {
	DesiredBalancer,
	Listener,
	Target,
} from "../../model/balancer/balancer.ts";
import type { WantedBalancer } from "./diff.ts";
import {
	identityLabels,
	listenerKey,
	type PartKey,
	targetKey,
} from "./ownership.ts";
import type { CloudService, OwnTarget } from "./wire.ts";

/** What a cloud of this kind can do beyond Hetzner's own; plain Hetzner: TCP and nothing else. */
export interface CloudFeatures {
	protocols: string[];
	sourceRanges: boolean;
	affinity: boolean;
	batchTargets: boolean;
}

export const plainHetzner: CloudFeatures = {
	protocols: ["tcp"],
	sourceRanges: false,
	affinity: false,
	batchTargets: false,
};

/** Why something cannot be had. */
export interface Refusal {
	/** CamelCase, fit for status.loadBalancer.ingress[].ports[].error. */
	reason: string;
	message: string;
}

export interface Translation {
	wanted: WantedBalancer;
	/** One per desired listener, in its order. */
	ports: { key: PartKey; refusal?: Refusal }[];
	/** Which node a target part stands for. */
	nodes: Map<PartKey, string>;
	/** Nodes that cannot be targets at all. */
	targetProblems: { node: string; message: string }[];
}

/**
 * A desired balancer in the wire's words. `serverOf` gives the id of a node's server, if it is one of this cloud's;
 * with `privateNetwork`, servers are reached through the balancer's network instead of their public addresses.
 */
export function translate(
	desired: DesiredBalancer,
	features: CloudFeatures,
	serverOf: (target: Target) => number | undefined,
	privateNetwork: boolean,
): Translation {
	const services: CloudService[] = [];
	const ports = desired.listeners.map((listener) => {
		const protocol = listener.protocol.toLowerCase();
		const key = listenerKey(protocol, listener.port);
		const refusal = refuse(desired, listener, features);
		if (refusal) return { key, refusal };
		services.push(service(desired, listener, features));
		return { key };
	});
	const targets: OwnTarget[] = [];
	const nodes = new Map<PartKey, string>();
	const targetProblems: Translation["targetProblems"] = [];
	for (const each of desired.targets) {
		const target = toTarget(each, serverOf(each), privateNetwork);
		const key = target && targetKey(target);
		if (!target || !key)
			targetProblems.push({
				node: each.node,
				message: `node ${each.node} is no server of this cloud project (spec.providerID ${each.providerId ?? "absent"}) and has no InternalIP`,
			});
		else if (!nodes.has(key)) {
			nodes.set(key, each.node);
			targets.push(target);
		}
	}
	const wanted: WantedBalancer = {
		name: desired.identity.name,
		labels: identityLabels(desired.identity, desired.service),
		algorithm: "round_robin",
		services,
		targets,
	};
	return { wanted, ports, nodes, targetProblems };
}

/** A missing capability fails the port loudly: serving it without would open it to everybody, or lose sessions. */
function refuse(
	desired: DesiredBalancer,
	{ protocol, port, nodePort }: Listener,
	features: CloudFeatures,
): Refusal | undefined {
	if (!features.protocols.includes(protocol.toLowerCase()))
		return {
			reason: "UnsupportedProtocol",
			message: `port ${port}/${protocol}: this cloud's balancers carry ${features.protocols.join(", ").toUpperCase()} only`,
		};
	if (desired.sourceRanges.length > 0 && !features.sourceRanges)
		return {
			reason: "UnsupportedSourceRanges",
			message: `port ${port}/${protocol}: this cloud's balancers cannot restrict clients; remove spec.loadBalancerSourceRanges or use another class`,
		};
	if (desired.affinitySeconds !== undefined && !features.affinity)
		return {
			reason: "UnsupportedSessionAffinity",
			message: `port ${port}/${protocol}: this cloud's balancers keep no session affinity; set spec.sessionAffinity to None or use another class`,
		};
	if (nodePort === 0)
		return {
			reason: "NodePortMissing",
			message: `port ${port}/${protocol} has no nodePort, which this cloud's balancers need; set spec.allocateLoadBalancerNodePorts to true`,
		};
	return undefined;
}

function service(
	desired: DesiredBalancer,
	listener: Listener,
	features: CloudFeatures,
): CloudService {
	const check = listener.healthCheck;
	return {
		protocol: listener.protocol.toLowerCase(),
		listen_port: listener.port,
		destination_port: listener.nodePort,
		proxyprotocol: false,
		health_check: {
			protocol: check.protocol === "HTTP" ? "http" : "tcp",
			port: check.port || listener.nodePort,
			interval: check.intervalSeconds,
			timeout: check.timeoutSeconds,
			retries: check.retries,
			...(check.protocol === "HTTP"
				? { http: { path: check.path ?? "/" } }
				: {}),
		},
		// Named even when empty: an update leaves what it does not name as it was.
		...(features.sourceRanges ? { source_ranges: desired.sourceRanges } : {}),
		...(features.affinity
			? { affinity_seconds: desired.affinitySeconds ?? null }
			: {}),
	};
}

function toTarget(
	target: Target,
	server: number | undefined,
	privateNetwork: boolean,
): OwnTarget | undefined {
	if (server !== undefined)
		return {
			type: "server",
			server: { id: server },
			use_private_ip: privateNetwork,
		};
	const [ip] = target.addresses;
	return ip === undefined ? undefined : { type: "ip", ip: { ip } };
}

/** The server id in a Node's spec.providerID, `hcloud://42`, as Hetzner's own cloud controller writes it. */
export function serverIdOf(providerId: string | undefined): number | undefined {
	const [, id] = /^hcloud:\/\/(\d{1,15})$/.exec(providerId ?? "") ?? [];
	return id === undefined ? undefined : Number(id);
}

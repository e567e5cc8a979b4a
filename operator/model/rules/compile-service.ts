import type {
	EndpointSlice,
	IPFamily,
	Service,
	ServicePort,
} from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import { canonicalSourceRanges } from "../addresses/cidr.ts";
import { formatIp } from "../addresses/ip.ts";
import { admittedSources } from "./admitted-sources.ts";
import { chooseEndpoints } from "./choose-endpoints.ts";
import {
	type Backend,
	type Frontend,
	type FrontendKind,
	frontendKey,
	type HeldAddress,
} from "./program.ts";
import { familyOf, type RulesNode } from "./rules-node.ts";
import {
	type ExternalIPJudge,
	fairleadAddresses,
	serviceAddresses,
} from "./service-addresses.ts";
import {
	endpointsKey,
	isForeign,
	isHandedOver,
	type ServiceEndpoint,
	type ServiceEndpoints,
	serviceEndpoints,
} from "./service-endpoints.ts";

/** What one Service asks of one node, before others that want the same address and port are heard. */
export interface CompiledService {
	/** `namespace/name`. */
	key: string;
	/** metadata.creationTimestamp; "" where there is none, which counts as oldest. */
	created: string;
	/** Each address, protocol and port once. */
	frontends: readonly Frontend[];
	held: readonly HeldAddress[];
	/** Of this Service only balanced frontends at these addresses are carried; absent: all frontends are. */
	only?: ReadonlySet<string>;
	/** Local policy of a balanced Service: what the server at its healthCheckNodePort says. */
	healthCheck?: HealthCheck;
	/** One sentence each. */
	problems: readonly string[];
}

export interface HealthCheck {
	/** The healthCheckNodePort. */
	port: number;
	/**
	 * Ready endpoints on this node, by address: a pod with two ports is one. Of two families that have more of them counts: a
	 * pod with an address of each is one too.
	 */
	localEndpoints: number;
}

/** Default of spec.sessionAffinityConfig.clientIP.timeoutSeconds. Source: k8s.io/api/core/v1, DefaultClientIPServiceAffinitySeconds. */
const defaultAffinitySeconds = 10_800;

/**
 * Compiles one Service for one node, with the semantics of kube-proxy 1.37. Undefined for what no rules are made for:
 * headless, ExternalName, no ClusterIP yet, or another proxy's by label.
 */
export function compileService(
	service: Service,
	slices: Iterable<EndpointSlice>,
	node: RulesNode,
	judge?: ExternalIPJudge,
): CompiledService | undefined {
	const { metadata, spec } = service;
	if (spec.type === "ExternalName" || isForeign(metadata.labels))
		return undefined;
	if (spec.clusterIP === "None" || spec.clusterIPs?.[0] === "None")
		return undefined;
	const addresses = serviceAddresses(service, judge);
	if (addresses.clusterIPs.length === 0) return undefined;
	const sources = canonicalSourceRanges(spec, metadata.annotations);
	const endpoints = serviceEndpoints(slices, node.name);
	const exposed =
		spec.type === "NodePort" ||
		spec.type === "LoadBalancer" ||
		addresses.externalIPs.length > 0;
	const externalLocal = exposed && spec.externalTrafficPolicy === "Local";
	const serviceKey = objectKey(service);
	const affinitySeconds = affinityOf(service);
	const frontends = new Map<string, Frontend>();
	for (const family of new Set(
		addresses.clusterIPs.map((each) => each.family),
	)) {
		const { open, cidrs } = sources[family];
		const sourceRanges = admittedSources(cidrs, addresses.ingress, node);
		for (const port of spec.ports ?? []) {
			const chosen = usedEndpoints(
				endpoints.get(portKey(family, port)) ?? [],
				node,
			);
			const add = (
				kind: FrontendKind,
				address: string,
				number: number,
				routing: Routing,
			) => {
				const protocol = port.protocol ?? "TCP";
				const key = frontendKey({ address, protocol, port: number });
				// An address that is given twice is served once, as the first kind: only ingress addresses have source ranges.
				if (frontends.has(key)) return;
				frontends.set(key, {
					kind,
					family,
					address,
					protocol,
					port: number,
					service: serviceKey,
					portName: port.name ?? "",
					...routing,
					...(protocol === "TCP" ? {} : lastingBeside(routing, chosen)),
					...(affinitySeconds === undefined ? {} : { affinitySeconds }),
					...(kind === "LoadBalancer" && !open ? { sourceRanges } : {}),
				});
			};
			const external = externalLocal
				? localRouting(chosen)
				: clusterRouting(chosen);
			for (const each of addresses.clusterIPs)
				if (each.family === family)
					add(
						"ClusterIP",
						formatIp(each),
						port.port,
						clusterIPRouting(chosen, spec.internalTrafficPolicy === "Local"),
					);
			if (port.nodePort)
				for (const address of node.nodePortAddresses)
					if (familyOf(address) === family)
						add("NodePort", address, port.nodePort, external);
			for (const each of addresses.ingress)
				if (each.family === family)
					add("LoadBalancer", formatIp(each), port.port, external);
			for (const each of addresses.externalIPs)
				if (each.family === family)
					add("ExternalIP", formatIp(each), port.port, external);
		}
	}
	const { healthCheckNodePort } = spec;
	const only =
		node.mode === "balancers" && !isHandedOver(metadata.labels)
			? fairleadAddresses(service)
			: undefined;
	return {
		key: serviceKey,
		created: metadata.creationTimestamp ?? "",
		frontends: [...frontends.values()],
		held: addresses.held.filter(({ address }) => only?.has(address) !== false),
		...(only ? { only } : {}),
		// What another proxy carries, its health check is that proxy's too.
		...(!only &&
		spec.type === "LoadBalancer" &&
		externalLocal &&
		healthCheckNodePort
			? {
					healthCheck: {
						port: healthCheckNodePort,
						localEndpoints: localPods(service, endpoints),
					},
				}
			: {}),
		problems: [
			...addresses.problems,
			...sources.problems.map(
				(problem) =>
					`spec.loadBalancerSourceRanges: ${problem}; it admits nobody`,
			),
		],
	};
}

type Routing = Pick<
	Frontend,
	"endpoints" | "internalEndpoints" | "whenEmpty" | "masquerade"
>;

/** As ChosenEndpoints; frontends share the lists. */
interface UsedEndpoints {
	cluster: readonly Backend[];
	local: readonly Backend[];
	anywhere: boolean;
	/** All that serve, whatever the policy. */
	serving: readonly Backend[];
}

function usedEndpoints(
	endpoints: readonly ServiceEndpoint[],
	node: RulesNode,
): UsedEndpoints {
	const { cluster, local, anywhere } = chooseEndpoints(endpoints, node);
	return {
		cluster: cluster.map(backend),
		local: local.map(backend),
		anywhere,
		serving: endpoints
			.filter((each) => each.ready || each.serving)
			.map(backend),
	};
}

function lastingBeside(
	{ endpoints, internalEndpoints = [] }: Routing,
	{ serving }: UsedEndpoints,
): Pick<Frontend, "lasting"> {
	const chosen = new Set(
		[...endpoints, ...internalEndpoints].map(
			({ address, port }) => `${address}|${port}`,
		),
	);
	const lasting = serving.filter(
		({ address, port }) => !chosen.has(`${address}|${port}`),
	);
	return lasting.length > 0 ? { lasting } : {};
}

function backend({ address, port, local }: ServiceEndpoint): Backend {
	return { address, port, local };
}

function clusterIPRouting(used: UsedEndpoints, local: boolean): Routing {
	return {
		endpoints: local ? used.local : used.cluster,
		whenEmpty: local && used.anywhere ? "drop" : "reject",
		masquerade: "outside",
	};
}

function clusterRouting({ cluster }: UsedEndpoints): Routing {
	return { endpoints: cluster, whenEmpty: "reject", masquerade: "always" };
}

/**
 * Policy Local: from outside only to this node's endpoints, which see the client's address. Pods and the node itself get
 * what a way out to the balancer and back would give them: any endpoint.
 */
function localRouting({ cluster, local, anywhere }: UsedEndpoints): Routing {
	const same =
		cluster.length === local.length &&
		cluster.every(({ address, port }, slot) => {
			const other = local[slot];
			return other?.address === address && other.port === port;
		});
	return {
		endpoints: local,
		...(same ? {} : { internalEndpoints: cluster }),
		whenEmpty: anywhere ? "drop" : "reject",
		masquerade: "node",
	};
}

function affinityOf({ spec }: Service): number | undefined {
	if (spec.sessionAffinity !== "ClientIP") return undefined;
	const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
	return seconds ?? defaultAffinitySeconds;
}

function portKey(family: IPFamily, port: ServicePort): string {
	return endpointsKey(family, port.protocol ?? "TCP", port.name ?? "");
}

function localPods({ spec }: Service, endpoints: ServiceEndpoints): number {
	const ofFamily = (family: IPFamily) => {
		const addresses = new Set<string>();
		for (const port of spec.ports ?? [])
			for (const each of endpoints.get(portKey(family, port)) ?? [])
				if (each.local && each.ready) addresses.add(each.address);
		return addresses.size;
	};
	return Math.max(ofFamily("IPv4"), ofFamily("IPv6"));
}

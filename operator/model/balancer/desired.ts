import type { Service, ServicePort } from "../../api/core.ts";
import { adoptWish } from "../adopt-wish.ts";
import { assignmentOf } from "../assignment.ts";
import type {
	DesiredBalancer,
	HealthCheck,
	Listener,
	Target,
} from "./balancer.ts";
import { balancerIdentity } from "./identity.ts";

/** Pace of health checks. Hetzner allows an interval of 3–60 s, a timeout of 1–60 s and 1–5 retries. */
const pace = { intervalSeconds: 3, timeoutSeconds: 2, retries: 2 } as const;

export interface DesiredInput {
	clusterId: string;
	service: Service;
	/** From `balancerTargets`: the same for every Service of the cluster. */
	targets: Target[];
	/** Addresses the Service must get; empty: any. */
	addresses: string[];
	/** Canonical CIDRs; empty: everybody. */
	sourceRanges: string[];
}

/** What a Service that is ours needs of its provider. The Service has been through the API server's validation. */
export function desiredBalancer(input: DesiredInput): DesiredBalancer {
	const { service } = input;
	const { spec, metadata } = service;
	const desired: DesiredBalancer = {
		identity: balancerIdentity(input.clusterId, metadata.uid ?? ""),
		service: { namespace: metadata.namespace ?? "", name: metadata.name },
		families: spec.ipFamilies ?? ["IPv4"],
		addresses: input.addresses,
		listeners: (spec.ports ?? [])
			.map((port) => listener(service, port))
			.sort(
				(a, b) =>
					(a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0) ||
					a.port - b.port,
			),
		targets: input.targets,
		sourceRanges: input.sourceRanges,
	};
	if (spec.sessionAffinity === "ClientIP")
		desired.affinitySeconds =
			spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800;
	const adopt = adoption(service);
	if (adopt) desired.adopt = adopt;
	return desired;
}

/**
 * A Service that shows an address nobody of ours recorded has it from another controller, whose balancer must neither be
 * taken unasked nor be doubled.
 */
function adoption(service: Service): DesiredBalancer["adopt"] {
	const means = adoptWish(service)?.means;
	if (means === "Take") return "Take";
	if (means === "Leave") return undefined;
	const shown = service.status?.loadBalancer?.ingress ?? [];
	return shown.length > 0 && !assignmentOf(service) ? "Ask" : undefined;
}

function listener(service: Service, port: ServicePort): Listener {
	return {
		protocol: port.protocol ?? "TCP",
		port: port.port,
		nodePort: port.nodePort ?? 0,
		healthCheck: healthCheck(service, port),
	};
}

/**
 * Under externalTrafficPolicy Local a node without endpoints drops what it gets, so the node's own answer on
 * healthCheckNodePort decides (200 or 503 on any path; kube-proxy, pkg/proxy/healthcheck). Otherwise an open nodePort
 * is enough. UDP and SCTP nodePorts do not answer a TCP connect: their nodes are judged by the Service's first TCP port.
 */
function healthCheck(service: Service, port: ServicePort): HealthCheck {
	const { spec } = service;
	if (spec.externalTrafficPolicy === "Local" && spec.healthCheckNodePort)
		return {
			protocol: "HTTP",
			port: spec.healthCheckNodePort,
			path: "/healthz",
			...pace,
		};
	const tcp =
		(port.protocol ?? "TCP") === "TCP"
			? port
			: spec.ports?.find((each) => (each.protocol ?? "TCP") === "TCP");
	return { protocol: "TCP", port: tcp?.nodePort ?? 0, ...pace };
}

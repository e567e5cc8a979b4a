import type { LoadBalancerIngress, Service } from "../api/core.ts";
import { assignmentOf } from "./assignment.ts";
import type { ObservedBalancer } from "./balancer/balancer.ts";

/**
 * Ingress is written when every wanted port is configured or refused and nothing is in flight; once there, it stays
 * through later work on the balancer. With every port refused nobody answers at the address, so there is none.
 */
export function wantedIngress(
	balancer: ObservedBalancer,
	before: LoadBalancerIngress[],
): LoadBalancerIngress[] {
	const unfinished =
		balancer.pending !== undefined ||
		balancer.ports.some((port) => port.state === "Configuring");
	if (unfinished || balancer.addresses.length === 0) return before;
	if (!balancer.ports.some((port) => port.state === "Configured")) return [];
	const anyRefused = balancer.ports.some((port) => port.state === "Refused");
	return balancer.addresses.map((ip) => {
		const ingress: LoadBalancerIngress = { ip, ipMode: balancer.ipMode };
		if (anyRefused)
			ingress.ports = balancer.ports.map((port) => ({
				port: port.port,
				protocol: port.protocol,
				...(port.state === "Refused"
					? { error: port.reason ?? "Refused" }
					: {}),
			}));
		return ingress;
	});
}

/**
 * While nodes still take addresses into their rules, those that are not shown yet stay hidden; what is shown and is still
 * the Service's goes on being shown.
 */
export function shownIngress(
	wanted: LoadBalancerIngress[],
	before: LoadBalancerIngress[],
	mayShow: boolean,
): LoadBalancerIngress[] {
	if (mayShow) return wanted;
	const shown = new Set(before.map(({ ip }) => ip));
	return wanted.filter(({ ip }) => shown.has(ip));
}

/** Ingress as text in which only what matters stands, in one order: whoever wrote it, the same is the same. */
function canonical(ingress: LoadBalancerIngress[]): string {
	return JSON.stringify(
		ingress.map((each) => [
			each.ip,
			each.hostname,
			each.ipMode ?? "VIP",
			each.ports?.map((port) => [port.port, port.protocol, port.error]),
		]),
	);
}

/** Whether two lists of ingress say the same, whoever wrote them. */
export function sameIngress(
	a: LoadBalancerIngress[],
	b: LoadBalancerIngress[],
): boolean {
	return canonical(a) === canonical(b);
}

/** Whether the ingress on a Service is what we recorded: once it no longer is, it may be the next controller's. */
export function ingressIsOurs(service: Service): boolean {
	const ingress = service.status?.loadBalancer?.ingress ?? [];
	const recorded = assignmentOf(service)?.addresses ?? [];
	return (
		ingress.length > 0 &&
		ingress.every((each) => each.ip !== undefined && recorded.includes(each.ip))
	);
}

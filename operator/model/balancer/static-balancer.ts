import type { DesiredBalancer, ObservedBalancer } from "./balancer.ts";

/**
 * What a balancer of provider Static is: its addresses, which somebody else carries. Nothing has to be made or asked for,
 * so a Service of such a class is brought about without a call to a provider.
 */
export function staticBalancer(desired: DesiredBalancer): ObservedBalancer {
	return {
		id: desired.identity.name,
		addresses: [...desired.addresses],
		ipMode: "VIP",
		ports: desired.listeners.map(({ protocol, port }) => ({
			protocol,
			port,
			state: "Configured",
		})),
		targetProblems: [],
	};
}

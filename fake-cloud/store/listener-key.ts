import type { Service } from "./records.ts";

export type Transport = "tcp" | "udp";

/** What a service's packets are; http and https travel over TCP. */
export function transportOf({
	protocol,
}: Pick<Service, "protocol">): Transport {
	return protocol === "udp" ? "udp" : "tcp";
}

/** One of a kind within a balancer: `tcp/80`. UDP beside TCP on one port is not Hetzner's. */
export type ListenerKey = `${Transport}/${number}`;

/** Orders services by port, TCP first. */
export function byListener(
	a: Pick<Service, "protocol" | "listen_port">,
	b: Pick<Service, "protocol" | "listen_port">,
): number {
	return (
		a.listen_port - b.listen_port ||
		transportOf(a).localeCompare(transportOf(b))
	);
}

export function listenerKey(
	service: Pick<Service, "protocol" | "listen_port">,
): ListenerKey {
	return `${transportOf(service)}/${service.listen_port}`;
}

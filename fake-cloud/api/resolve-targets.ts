import type { BalancerRecord, ServerRecord, Target } from "../store/records.ts";
import { parseSelector } from "./label-selector.ts";

/** One place connections may go to, and why it is or is not reachable. */
export interface ResolvedTarget {
	/** `server:42` or `ip:192.0.2.7`. */
	key: string;
	server: ServerRecord | null;
	usePrivateIp: boolean;
	address: string | null;
	/** Why there is no address. */
	problem: string | null;
}

/** Where to look servers up; a store or a transaction. */
export interface Servers {
	get(kind: "server", id: number): ServerRecord | undefined;
	all(kind: "server", project: string): ServerRecord[];
}

/** What one target of a balancer stands for now: one place, or one per server its label selector matches. */
export function resolveTarget(
	balancer: BalancerRecord,
	target: Target,
	servers: Servers,
): ResolvedTarget[] {
	if (target.type === "ip")
		return [
			{
				key: `ip:${target.ip.ip}`,
				server: null,
				usePrivateIp: false,
				address: target.ip.ip,
				problem: null,
			},
		];
	if (target.type === "server") {
		const server = servers.get("server", target.server.id);
		return server
			? [resolveServer(balancer, server, target.use_private_ip)]
			: [];
	}
	const matches =
		parseSelector(target.label_selector.selector) ?? (() => false);
	return servers
		.all("server", balancer.project)
		.filter(({ labels }) => matches(labels))
		.map((server) => resolveServer(balancer, server, target.use_private_ip));
}

function resolveServer(
	balancer: BalancerRecord,
	server: ServerRecord,
	usePrivateIp: boolean,
): ResolvedTarget {
	const place = (
		address: string | undefined,
		problem: string,
	): ResolvedTarget => {
		const reachable = server.status === "running" && address !== undefined;
		return {
			key: `server:${server.id}`,
			server,
			usePrivateIp,
			address: reachable ? address : null,
			problem: reachable
				? null
				: address === undefined
					? problem
					: `the server is ${server.status}`,
		};
	};
	if (!usePrivateIp)
		return place(server.ipv4?.address, "the server has no public IPv4 address");
	const networks = balancer.privateNet.map(({ network }) => network);
	return place(
		server.privateNet.find(({ network }) => networks.includes(network))?.ip,
		"the server is in none of the balancer's networks",
	);
}

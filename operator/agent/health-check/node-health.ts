import { createServer, type Server } from "node:http";
import type { Node } from "../../api/core.ts";
import { nodeTaints } from "../../api/names.ts";
import type { Clock } from "../../clock.ts";
import type { AgentMetrics } from "../metrics.ts";
import type { ListenOn } from "./listen-on.ts";

/** What this node's rules say of themselves. */
export interface RulesHealth {
	/** Wall time of the last sync that succeeded; undefined: there was none yet. */
	lastUpdated: number | undefined;
	/** Milliseconds a change has waited for. */
	lateMs: number;
}

/** A change that waits longer makes the node unhealthy: kube-proxy's limit, twice its sync period. */
const lateMs = 60_000;

/** Synced once, and not late since. Before the first sync nobody knows what the rules are. */
export function isHealthy(health: RulesHealth): boolean {
	return health.lastUpdated !== undefined && health.lateMs < lateMs;
}

/** Whether the node takes new traffic: it is neither being deleted nor about to be (kube-proxy, KEP-3836). */
export function isEligible(node: Node | undefined): boolean {
	return (
		node !== undefined &&
		node.metadata.deletionTimestamp === undefined &&
		!(node.spec?.taints ?? []).some(({ key }) => key === nodeTaints.toBeDeleted)
	);
}

/** kube-proxy's answer (pkg/proxy/healthcheck/proxy_health.go); `/livez` leaves the node's eligibility out. */
export function healthAnswer(
	health: RulesHealth,
	now: number,
	nodeEligible: boolean | undefined,
): { status: 200 | 503; body: string } {
	const healthy = isHealthy(health) && nodeEligible !== false;
	const stamp = (ms: number) => new Date(ms).toISOString();
	const updated = stamp(health.lastUpdated ?? 0);
	const family = { lastUpdated: updated, healthy: isHealthy(health) };
	return {
		status: healthy ? 200 : 503,
		body: JSON.stringify({
			lastUpdated: healthy ? stamp(now) : updated,
			currentTime: stamp(now),
			...(nodeEligible === undefined ? {} : { nodeEligible }),
			healthy: isHealthy(health),
			status: { IPv4: family, IPv6: family },
		}),
	};
}

export interface NodeHealthOptions {
	listen: ListenOn;
	address: string;
	port: number;
	clock: Clock;
	health: () => RulesHealth;
	node: () => Node | undefined;
	metrics: Pick<AgentMetrics, "healthz" | "livez">;
}

/** Serves /healthz, which balancers of policy Cluster ask, and /livez. Rejects as `listen` does. */
export async function startNodeHealth(
	options: NodeHealthOptions,
): Promise<Server> {
	const { clock, health, node, metrics } = options;
	const server = createServer((request, response) => {
		const path = request.url?.split("?")[0];
		if (path !== "/healthz" && path !== "/livez") {
			response.writeHead(404).end();
			return;
		}
		const eligible = path === "/healthz" ? isEligible(node()) : undefined;
		const { status, body } = healthAnswer(health(), clock.now(), eligible);
		(path === "/healthz" ? metrics.healthz : metrics.livez).inc({
			code: status,
		});
		response
			.writeHead(status, {
				"content-type": "application/json",
				"x-content-type-options": "nosniff",
			})
			.end(body);
	});
	await options.listen(server, options.address, options.port);
	return server;
}

import type { BalancerReport, Engine } from "../engine/engine.ts";
import type {
	ActionRecord,
	BalancerRecord,
	ServerRecord,
} from "../store/records.ts";
import { transportOf } from "../store/listener-key.ts";
import type { Store } from "../store/store.ts";
import type {
	LiveAction,
	LiveBalancer,
	LiveCounters,
	LiveServer,
	LiveTarget,
} from "./live.ts";
import { resolveTarget } from "./resolve-targets.ts";
import { progress } from "./wire.ts";

/** Records as the owner of the fake cloud sees them (live.ts). */

const time = (ms: number) => new Date(ms).toISOString();

const nothing: LiveCounters = {
	open: 0,
	total: 0,
	failed: 0,
	bytesIn: 0,
	bytesOut: 0,
};

export function liveBalancer(
	balancer: BalancerRecord,
	store: Store,
	engine: Engine,
): LiveBalancer {
	const report = engine.report(balancer.id);
	return {
		id: balancer.id,
		project: balancer.project,
		name: balancer.name,
		labels: balancer.labels,
		created: time(balancer.created),
		location: balancer.location,
		type: balancer.type,
		addresses: balancer.publicInterface
			? [balancer.ipv4.address, balancer.ipv6.address]
			: [],
		privateAddresses: balancer.privateNet.map(({ ip }) => ip),
		algorithm: balancer.algorithm,
		protected: balancer.protection,
		lockedBy: store.lockedBy(balancer.id) ?? null,
		engine: engine.kind,
		listeners: balancer.services.map((service) => {
			const transport = transportOf(service);
			const listener = report?.listeners.find(
				(each) =>
					each.port === service.listen_port && each.transport === transport,
			);
			const { protocol, port, interval, timeout, retries, http } =
				service.health_check;
			return {
				port: service.listen_port,
				transport,
				protocol: service.protocol,
				engine: listener?.engine ?? engine.kind,
				destinationPort: service.destination_port,
				proxyProtocol: service.proxyprotocol,
				healthCheck: {
					protocol,
					port,
					intervalSeconds: interval,
					timeoutSeconds: timeout,
					retries,
					path: http?.path ?? null,
				},
				state: listener?.failure ? "failed" : "serving",
				reason: listener?.failure ?? null,
				counters: { ...(listener?.counters ?? nothing) },
			};
		}),
		targets: liveTargets(balancer, store, report),
		counters: { ...(report?.counters ?? nothing) },
	};
}

function liveTargets(
	balancer: BalancerRecord,
	store: Store,
	report: BalancerReport | undefined,
): LiveTarget[] {
	const found = new Map<string, LiveTarget>();
	for (const target of balancer.targets)
		for (const place of resolveTarget(balancer, target, store)) {
			const { key, server } = place;
			if (found.has(key)) continue;
			const carried = report?.targets.find((each) => each.key === key);
			found.set(key, {
				key,
				kind: target.type === "ip" ? "ip" : "server",
				server: server && { id: server.id, name: server.name },
				selector:
					target.type === "label_selector"
						? target.label_selector.selector
						: null,
				usePrivateAddress: place.usePrivateIp,
				address: place.address,
				problem: place.problem,
				health: (carried?.health ?? []).map(
					({ port, transport, status, message, since }) => ({
						port,
						transport,
						status,
						detail: message,
						since: time(since),
					}),
				),
				counters: { ...(carried?.counters ?? nothing) },
			});
		}
	return [...found.values()];
}

export function liveServer(server: ServerRecord, store: Store): LiveServer {
	return {
		id: server.id,
		project: server.project,
		name: server.name,
		labels: server.labels,
		status: server.status,
		addresses: [server.ipv4, server.ipv6].flatMap((one) => one?.address ?? []),
		privateAddresses: server.privateNet.map(({ ip }) => ip),
		lockedBy: store.lockedBy(server.id) ?? null,
	};
}

export function liveAction(action: ActionRecord, now: number): LiveAction {
	const { id, project, command, status, started, finish, error, resources } =
		action;
	return {
		id,
		project,
		command,
		status,
		progress: progress(action, now),
		started: time(started),
		finished: status === "running" || finish === null ? null : time(finish),
		error,
		resources,
		stuck: status === "running" && finish === null,
	};
}

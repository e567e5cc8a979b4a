import { createServer, type Server } from "node:http";
import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { HealthCheck } from "../../model/rules/compile-service.ts";
import type { AgentIncident } from "../rules/incidents.ts";
import type { ListenOn } from "./listen-on.ts";

export interface ServiceHealthOptions {
	listen: ListenOn;
	/** Where the ports are opened. */
	address: string;
	/** Whether this node's rules are as they should be. */
	isHealthy: () => boolean;
	node: string;
	clock: Clock;
	log: Log;
	tell: (incident: AgentIncident) => void;
}

interface Opened extends HealthCheck {
	server: Server;
}

/** A port that is still held when its new owner wants it is free soon: the old server is closing. */
const retryMs = 1_000;

/**
 * Answers at the healthCheckNodePort of every Service with externalTrafficPolicy Local, as kube-proxy does
 * (pkg/proxy/healthcheck): whatever the path, 200 while this node has ready endpoints of the Service, else 503.
 */
export class ServiceHealth {
	readonly #options: ServiceHealthOptions;
	readonly #opened = new Map<string, Opened>();
	#wanted: ReadonlyMap<string, HealthCheck> = new Map();
	/** Ports that could not be opened, and why: said once. */
	readonly #said = new Map<string, string>();
	#cancelRetry: Cancel | undefined;

	constructor(options: ServiceHealthOptions) {
		this.#options = options;
	}

	/** Opens, moves and closes ports until they are these, by `namespace/name` of their Services. */
	sync(wanted: ReadonlyMap<string, HealthCheck>): void {
		this.#wanted = wanted;
		for (const [service, opened] of this.#opened)
			if (wanted.get(service)?.port !== opened.port)
				this.#close(service, opened);
		for (const service of this.#said.keys())
			if (!wanted.has(service)) this.#said.delete(service);
		for (const [service, check] of wanted) {
			const opened = this.#opened.get(service);
			if (opened) opened.localEndpoints = check.localEndpoints;
			else this.#open(service, check);
		}
	}

	close(): void {
		this.#cancelRetry?.();
		this.#wanted = new Map();
		for (const [service, opened] of this.#opened) this.#close(service, opened);
	}

	#open(service: string, check: HealthCheck): void {
		const { listen, address, log } = this.#options;
		const server = createServer((_, response) => {
			const healthy = this.#options.isHealthy();
			const [namespace, name] = service.split("/");
			const { localEndpoints } = opened;
			response
				.writeHead(localEndpoints > 0 && healthy ? 200 : 503, {
					"content-type": "application/json",
					"x-content-type-options": "nosniff",
					"x-load-balancing-endpoint-weight": localEndpoints,
				})
				.end(
					JSON.stringify(
						{
							service: { namespace, name },
							localEndpoints,
							serviceProxyHealthy: healthy,
						},
						null,
						"\t",
					),
				);
		});
		const opened: Opened = { ...check, server };
		this.#opened.set(service, opened);
		listen(server, address, check.port).then(
			() => {
				this.#said.delete(service);
				// It may have been given up while it was opening.
				if (this.#opened.get(service) !== opened) end(server);
				else log.debug({ service, port: check.port }, "health check is served");
			},
			(error: Error) => this.#failed(service, opened, error),
		);
	}

	#failed(service: string, opened: Opened, error: Error): void {
		if (this.#opened.get(service) !== opened) return;
		const { log, tell, node, clock } = this.#options;
		this.#opened.delete(service);
		const note = `node ${node} cannot serve the health check of ${service} on port ${opened.port}: ${error.message}`;
		if (this.#said.get(service) !== note) {
			log.error({ err: error, service }, "a healthCheckNodePort is not served");
			tell({ reason: "FailedToStartServiceHealthcheck", note, service });
		}
		this.#said.set(service, note);
		this.#cancelRetry?.();
		this.#cancelRetry = clock.after(retryMs, () => this.sync(this.#wanted));
	}

	#close(service: string, opened: Opened): void {
		this.#opened.delete(service);
		end(opened.server);
	}
}

function end(server: Server): void {
	server.close();
	server.closeAllConnections();
}

import type { Duplex } from "node:stream";
import type { Cancel, Clock } from "../../../operator/clock.ts";
import type { Log } from "../../../operator/log.ts";
import type {
	BalancerReport,
	Client,
	Counters,
	EngineBalancer,
} from "../engine.ts";
import { order } from "./candidates.ts";
import { HealthMonitor, type Subject } from "./health-monitor.ts";
import { HttpService } from "./http-service.ts";
import { Listener, noCounters } from "./listener.ts";
import { open } from "./outlet.ts";
import type { Probe } from "./probe.ts";
import { proxyHeader } from "./proxy-protocol.ts";
import { reset, splice } from "./splice.ts";

export interface PlaneOptions {
	clock: Clock;
	log: Log;
	probe: Probe;
	/** Milliseconds that a second of a health check's interval lasts. */
	msPerSecond: number;
	/** A connection on which nothing is said for so long is reset. */
	idleMs: number;
	/** A target that does not answer a SYN for so long is passed over. */
	connectMs: number;
	/** Connections of a listener or target that was taken away may go on for so long. */
	drainMs: number;
	/** Something but a counter changed. */
	changed(): void;
	/** A counter changed. */
	counted(): void;
}

interface PlaneTarget {
	key: string;
	address: string | null;
	problem: string | null;
	counters: Counters;
	/** By listener. */
	monitors: Map<number, HealthMonitor>;
}

interface Connection {
	port: number;
	target: PlaneTarget | undefined;
	end(): void;
}

/** The traffic of one balancer. */
export class BalancerPlane {
	readonly #options: PlaneOptions;
	readonly #counters = noCounters();
	readonly #listeners = new Map<number, Listener>();
	readonly #http = new Map<number, HttpService>();
	#targets = new Map<string, PlaneTarget>();
	readonly #connections = new Set<Connection>();
	readonly #drains = new Set<Cancel>();
	#balancer: EngineBalancer;

	constructor(options: PlaneOptions, balancer: EngineBalancer) {
		this.#options = options;
		this.#balancer = balancer;
		this.set(balancer);
	}

	get balancer(): EngineBalancer {
		return this.#balancer;
	}

	listensOn(port: number): boolean {
		return this.#listeners.has(port);
	}

	set(balancer: EngineBalancer): void {
		this.#balancer = balancer;
		this.#setListeners(balancer);
		this.#setTargets(balancer);
		for (const target of this.#targets.values()) this.#watch(target);
	}

	/** Takes over a connection that a client made to `address`:`port`. */
	accept(client: Duplex, from: Client, address: string, port: number): void {
		// Until it is joined to a target; without a listener it would end the process.
		client.on("error", () => {});
		const listener = this.#listeners.get(port);
		if (
			!listener?.admits(from.address) ||
			this.#counters.open >= this.#balancer.maxConnections
		) {
			if (listener) this.#failed(listener);
			reset(client);
			return;
		}
		const http = this.#http.get(port);
		if (http) this.#serveHttp(http, listener, client, from, address);
		else
			this.#serve(listener, client, from, address).catch((error: unknown) => {
				this.#options.log.error(
					{ err: error, port },
					"a connection could not be served",
				);
				reset(client);
			});
	}

	report(): Omit<BalancerReport, "listeners"> & {
		listeners: Map<number, Counters>;
	} {
		return {
			counters: this.#counters,
			listeners: new Map(
				[...this.#listeners].map(([port, { counters }]) => [port, counters]),
			),
			targets: [...this.#targets.values()].map(
				({ key, counters, monitors }) => ({
					key,
					counters,
					health: [...monitors.values()]
						.map(({ health }) => health)
						.sort((a, b) => a.port - b.port),
				}),
			),
		};
	}

	/** Ends everything at once. */
	close(): void {
		for (const { monitors } of this.#targets.values())
			for (const monitor of monitors.values()) monitor.stop();
		for (const cancel of this.#drains) cancel();
		for (const connection of this.#connections) connection.end();
	}

	#setListeners({ services }: EngineBalancer): void {
		const wanted = new Map(
			services.map((service) => [service.listen_port, service]),
		);
		for (const port of this.#listeners.keys()) {
			if (wanted.get(port)?.protocol !== "http") this.#http.delete(port);
			if (wanted.has(port)) continue;
			this.#listeners.delete(port);
			this.#drain((connection) => connection.port === port);
		}
		for (const [port, service] of wanted) {
			const listener = this.#listeners.get(port);
			if (listener) listener.update(service);
			else
				this.#listeners.set(port, new Listener(this.#options.clock, service));
			if (service.protocol === "http" && !this.#http.has(port))
				this.#http.set(port, this.#httpService(port));
		}
	}

	#setTargets({ targets }: EngineBalancer): void {
		const before = this.#targets;
		this.#targets = new Map(
			targets.map(({ key, address, problem }) => {
				const known = before.get(key);
				// A server that is off and one that has moved keep their counters; what it carried at the old place drains.
				const target = known ?? {
					key,
					address,
					problem,
					counters: noCounters(),
					monitors: new Map(),
				};
				const moved = target.address !== address;
				if (known && moved)
					this.#drain((connection) => connection.target === known);
				Object.assign(target, { address, problem });
				return [key, target];
			}),
		);
		for (const [key, target] of before) {
			if (this.#targets.has(key)) continue;
			for (const monitor of target.monitors.values()) monitor.stop();
			this.#drain((connection) => connection.target === target);
		}
	}

	#watch(target: PlaneTarget): void {
		for (const [port, monitor] of target.monitors) {
			if (this.#listeners.has(port)) continue;
			monitor.stop();
			target.monitors.delete(port);
		}
		const subject: Subject =
			target.address === null
				? { problem: target.problem ?? "it has no address" }
				: { address: target.address };
		for (const [port, { service }] of this.#listeners) {
			const monitor = target.monitors.get(port);
			if (monitor) monitor.update(service.health_check, subject);
			else
				target.monitors.set(
					port,
					new HealthMonitor(
						{ ...this.#options, port },
						service.health_check,
						subject,
					),
				);
		}
	}

	/** Lets the connections go on that a change concerns, for a while. */
	#drain(concerns: (connection: Connection) => boolean): void {
		const draining = [...this.#connections].filter(concerns);
		if (draining.length === 0) return;
		const cancel = this.#options.clock.after(this.#options.drainMs, () => {
			this.#drains.delete(cancel);
			for (const connection of draining) connection.end();
		});
		this.#drains.add(cancel);
	}

	#order(listener: Listener, preferred: string | undefined): PlaneTarget[] {
		const port = listener.service.listen_port;
		return order(
			[...this.#targets.values()].map((target) => ({
				key: target.key,
				address: target.address,
				status: target.monitors.get(port)?.health.status ?? "unknown",
				open: target.counters.open,
				target,
			})),
			this.#balancer.algorithm,
			listener.nextTurn(),
			preferred,
		).map(({ target }) => target);
	}

	/** Tries target after target until one takes the connection; nothing has been read from the client before that. */
	async #serve(
		listener: Listener,
		client: Duplex,
		from: Client,
		address: string,
	): Promise<void> {
		const { clock, connectMs, idleMs } = this.#options;
		const { service } = listener;
		const gone = new AbortController();
		const abort = () => gone.abort();
		client.once("close", abort);
		const connection: Connection = {
			port: service.listen_port,
			target: undefined,
			end: () => reset(client),
		};
		this.#opened(listener, connection);
		for (const target of this.#order(
			listener,
			listener.targetOf(from.address),
		)) {
			const host = target.address;
			if (gone.signal.aborted || host === null) break;
			connection.target = target;
			const outlet = await open(
				clock,
				host,
				service.destination_port,
				connectMs,
				gone.signal,
			).catch(() => undefined);
			if (!outlet) continue;
			if (client.destroyed) {
				reset(outlet);
				break;
			}
			client.off("close", abort);
			listener.remember(from.address, target.key);
			if (service.proxyprotocol)
				outlet.write(proxyHeader(from, address, service.listen_port));
			const all = [this.#counters, listener.counters, target.counters];
			target.counters.open++;
			target.counters.total++;
			connection.end = () => {
				reset(client);
				reset(outlet);
			};
			splice(client, outlet, {
				clock,
				idleMs,
				counted: (direction, bytes) => this.#moved(all, direction, bytes),
				closed: () => {
					target.counters.open--;
					this.#closed(listener, connection);
				},
			});
			return;
		}
		this.#closed(listener, connection);
		if (!gone.signal.aborted) this.#failed(listener);
		reset(client);
	}

	#serveHttp(
		http: HttpService,
		listener: Listener,
		client: Duplex,
		from: Client,
		address: string,
	): void {
		const connection: Connection = {
			port: listener.service.listen_port,
			target: undefined,
			end: () => reset(client),
		};
		this.#opened(listener, connection);
		client.once("close", () => this.#closed(listener, connection));
		http.accept(client, from, address);
	}

	#httpService(port: number): HttpService {
		const listener = () => this.#listeners.get(port);
		return new HttpService({
			clock: this.#options.clock,
			connectMs: this.#options.connectMs,
			idleMs: this.#options.idleMs,
			service: () => listener()?.service,
			targets: () => {
				const now = listener();
				return now ? this.#order(now, undefined) : [];
			},
			moved: (target, direction, bytes) => {
				const now = listener();
				this.#moved(
					[this.#counters, target, ...(now ? [now.counters] : [])],
					direction,
					bytes,
				);
			},
			failed: () => {
				const now = listener();
				if (now) this.#failed(now);
			},
		});
	}

	#opened(listener: Listener, connection: Connection): void {
		this.#connections.add(connection);
		for (const counters of [this.#counters, listener.counters]) {
			counters.open++;
			counters.total++;
		}
		this.#options.counted();
	}

	#closed(listener: Listener, connection: Connection): void {
		this.#connections.delete(connection);
		for (const counters of [this.#counters, listener.counters]) counters.open--;
		this.#options.counted();
	}

	#failed(listener: Listener): void {
		this.#counters.failed++;
		listener.counters.failed++;
		this.#options.counted();
	}

	#moved(all: Counters[], direction: "in" | "out", bytes: number): void {
		for (const counters of all)
			if (direction === "in") counters.bytesIn += bytes;
			else counters.bytesOut += bytes;
		this.#options.counted();
	}
}

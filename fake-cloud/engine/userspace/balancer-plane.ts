import type { Duplex } from "node:stream";
import type { Cancel, Clock } from "../../../operator/clock.ts";
import type { Log } from "../../../operator/log.ts";
import { type ListenerKey, listenerKey } from "../../store/listener-key.ts";
import type {
	BalancerReport,
	Client,
	Counters,
	EngineBalancer,
} from "../engine.ts";
import type { EngineNetwork } from "../network.ts";
import { order, usable } from "./candidates.ts";
import { type Datagram, DatagramService } from "./datagram-service.ts";
import { HttpService } from "./http-service.ts";
import { Listener, noCounters } from "./listener.ts";
import { open } from "./outlet.ts";
import { type PlaneTarget, PlaneTargets } from "./plane-targets.ts";
import type { Probe } from "./probe.ts";
import { proxyHeader } from "./proxy-protocol.ts";
import { reset, splice } from "./splice.ts";

export interface PlaneOptions {
	clock: Clock;
	log: Log;
	network: EngineNetwork;
	probe: Probe;
	/** Milliseconds that a second of a health check's interval lasts. */
	msPerSecond: number;
	/** A connection on which nothing is said for so long is reset. */
	idleMs: number;
	/** A UDP session on which nothing is said for so long is over. */
	udpIdleMs: number;
	/** A target that does not answer a SYN for so long is passed over. */
	connectMs: number;
	/** Connections of a listener or target that was taken away may go on for so long. */
	drainMs: number;
	/** Something but a counter changed. */
	changed(): void;
	/** A counter changed. */
	counted(): void;
}

interface Connection {
	listener: Listener;
	target: PlaneTarget | undefined;
	end(): void;
}

/** The traffic of one balancer. */
export class BalancerPlane {
	readonly #options: PlaneOptions;
	readonly #counters = noCounters();
	readonly #listeners = new Map<ListenerKey, Listener>();
	readonly #http = new Map<ListenerKey, HttpService>();
	readonly #udp = new Map<ListenerKey, DatagramService<PlaneTarget>>();
	readonly #targets: PlaneTargets;
	readonly #connections = new Set<Connection>();
	readonly #drains = new Set<Cancel>();
	#balancer: EngineBalancer;

	constructor(options: PlaneOptions, balancer: EngineBalancer) {
		this.#options = options;
		this.#balancer = balancer;
		this.#targets = new PlaneTargets({
			...options,
			left: (target) => this.#leave(target),
			judged: (key, target) => this.#judged(key, target),
		});
		this.set(balancer);
	}

	get balancer(): EngineBalancer {
		return this.#balancer;
	}

	listensOn(key: ListenerKey): boolean {
		return this.#listeners.has(key);
	}

	/** The keys of the targets that a new connection to a listener may try; empty when none can be had. */
	usable(key: ListenerKey): string[] {
		return usable(this.#targets.candidates(key)).map(({ key }) => key);
	}

	set(balancer: EngineBalancer): void {
		this.#balancer = balancer;
		this.#setListeners(balancer);
		this.#targets.set(balancer);
	}

	/** Takes over a connection that a client made to `address`:`port`. */
	accept(client: Duplex, from: Client, address: string, port: number): void {
		// Until it is joined to a target; without a listener it would end the process.
		client.on("error", () => {});
		const key: ListenerKey = `tcp/${port}`;
		const listener = this.#listeners.get(key);
		if (
			!listener?.admits(from.address) ||
			this.#counters.open >= this.#balancer.maxConnections
		) {
			if (listener) this.#failed(listener);
			reset(client);
			return;
		}
		const http = this.#http.get(key);
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

	/** Takes a datagram that a client sent to a UDP listener. */
	hear(datagram: Datagram): void {
		this.#udp.get(`udp/${datagram.port}`)?.hear(datagram);
	}

	report(): Omit<BalancerReport, "listeners"> & {
		listeners: Map<ListenerKey, Counters>;
	} {
		return {
			counters: this.#counters,
			listeners: new Map(
				[...this.#listeners].map(([key, { counters }]) => [key, counters]),
			),
			targets: this.#targets.report(),
		};
	}

	/** Ends everything at once. */
	close(): void {
		this.#targets.stop();
		for (const cancel of this.#drains) cancel();
		for (const connection of this.#connections) connection.end();
		for (const udp of this.#udp.values()) udp.close();
	}

	#setListeners({ services }: EngineBalancer): void {
		const wanted = new Map(
			services.map((service) => [listenerKey(service), service]),
		);
		for (const [key, listener] of this.#listeners) {
			if (wanted.get(key)?.protocol !== "http") this.#http.delete(key);
			if (wanted.has(key)) continue;
			this.#listeners.delete(key);
			this.#udp.get(key)?.close();
			this.#udp.delete(key);
			this.#drain((connection) => connection.listener === listener);
		}
		for (const [key, service] of wanted) {
			const listener = this.#listeners.get(key);
			if (listener?.service.destination_port !== service.destination_port)
				this.#udp.get(key)?.close();
			if (listener) listener.update(service);
			else this.#listeners.set(key, new Listener(this.#options.clock, service));
			if (service.protocol === "http" && !this.#http.has(key))
				this.#http.set(key, this.#httpService(key));
			if (service.protocol === "udp" && !this.#udp.has(key))
				this.#udp.set(key, this.#datagramService(key));
		}
	}

	/** A target is not there any more: connections drain, datagrams go elsewhere at once. */
	#leave(target: PlaneTarget): void {
		this.#drain((connection) => connection.target === target);
		for (const udp of this.#udp.values()) udp.leave(target.key);
	}

	#judged(key: ListenerKey, target: PlaneTarget): void {
		// Datagrams promise nothing: they need not stay with a target that has failed.
		if (target.monitors.get(key)?.health.status === "unhealthy")
			this.#udp.get(key)?.leave(target.key);
		this.#options.changed();
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
		return order(
			this.#targets.candidates(listenerKey(listener.service)),
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
		const { clock, idleMs } = this.#options;
		const { service } = listener;
		const gone = new AbortController();
		const abort = () => gone.abort();
		client.once("close", abort);
		const connection: Connection = {
			listener,
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
				this.#options,
				host,
				service.destination_port,
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
			listener,
			target: undefined,
			end: () => reset(client),
		};
		this.#opened(listener, connection);
		client.once("close", () => this.#closed(listener, connection));
		http.accept(client, from, address);
	}

	#httpService(key: ListenerKey): HttpService {
		const listener = () => this.#listeners.get(key);
		return new HttpService({
			...this.#options,
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

	#datagramService(key: ListenerKey): DatagramService<PlaneTarget> {
		// Outlives no listener: both go together.
		const listener = this.#listeners.get(key) as Listener;
		return new DatagramService({
			...this.#options,
			listener,
			full: () => this.#counters.open >= this.#balancer.maxConnections,
			target: (preferred) => this.#order(listener, preferred)[0],
			opened: (target) => this.#count([listener.counters, target.counters], 1),
			closed: (target) => this.#count([listener.counters, target.counters], -1),
			failed: () => this.#failed(listener),
			moved: (target, direction, bytes) =>
				this.#moved(
					[this.#counters, listener.counters, target.counters],
					direction,
					bytes,
				),
		});
	}

	#opened(listener: Listener, connection: Connection): void {
		this.#connections.add(connection);
		this.#count([listener.counters], 1);
	}

	#closed(listener: Listener, connection: Connection): void {
		this.#connections.delete(connection);
		this.#count([listener.counters], -1);
	}

	/** One more that is open, or one less. */
	#count(of: readonly Counters[], by: 1 | -1): void {
		for (const counters of [this.#counters, ...of]) {
			counters.open += by;
			if (by > 0) counters.total++;
		}
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

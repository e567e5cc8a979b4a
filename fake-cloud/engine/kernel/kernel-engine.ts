import type { Duplex } from "node:stream";
import type { Cancel } from "../../../operator/clock.ts";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import {
	type Frontend,
	frontendKey,
} from "../../../operator/model/rules/program.ts";
import { listenerKey } from "../../store/listener-key.ts";
import type { Service } from "../../store/records.ts";
import type {
	BalancerReport,
	DatagramPath,
	Engine,
	EngineBalancer,
	EngineKind,
} from "../engine.ts";
import type { EngineNetwork } from "../network.ts";
import {
	UserspaceEngine,
	type UserspaceEngineOptions,
} from "../userspace/engine.ts";
import { carrierOf, frontendsOf } from "./carriers.ts";
import { FlowCounters, sum } from "./flow-counters.ts";
import type { FlowMatch, Flows } from "./flows.ts";
import type { HeldAddresses } from "./loopback-addresses.ts";
import { openDatagrams } from "./outside-datagrams.ts";
import type { RulesWriter } from "./rules-writer.ts";

export interface KernelEngineOptions
	extends Omit<UserspaceEngineOptions, "network" | "listen"> {
	/** Where balancers' addresses are, and where connections to targets and checks of them begin. */
	network: Partial<EngineNetwork> & { namespace: NetworkNamespace };
	/** Where `dial` begins: a machine whose packets to balancers come to the namespace. */
	outside: EngineNetwork;
	rules: RulesWriter;
	flows: Flows;
	addresses: HeldAddresses;
}

/** How often counters are read, foreign changes of the rules looked for, and what failed is tried again. */
const lookMs = 1_000;
/** A port that rules serve now stays open for so long, for who was waiting to be let in. */
const lingerMs = 1_000;

/** A balancer as it is set, and what became of it. */
interface Carried {
	balancer: EngineBalancer;
	/** By `frontendKey`. */
	frontends: Map<string, Frontend>;
	/** As many connections as its type allows: its TCP listeners refuse. */
	full: boolean;
	/** Why it has not got its addresses. */
	failure: string | null;
	/**
	 * The listeners that are open as sockets: those that a socket carries, and for a while those that rules carry since, for
	 * whoever was waiting to be let in.
	 */
	sockets: Set<string>;
	/** Cancels the end of that while. */
	close: Cancel;
}

/**
 * Carries balancers' traffic by the kernel's rules, which are the operator's own, and in this process, inside the same
 * namespace, what rules cannot do (carriers.ts). A listener changes from one to the other while it serves: the socket is
 * open before the rule goes, and the rule is there before the socket is closed. Health is checked from the namespace, by the
 * userspace engine's monitors; a target that fails gets no new connections, the ones it has go on. A target that was taken
 * away keeps its TCP connections for `drainMs`; datagrams go elsewhere at once (the rules' backend forgets their flows). A
 * balancer that has all the connections its type allows refuses more from the next look on.
 */
export class KernelEngine implements Engine {
	readonly kind = "kernel";
	readonly reach = "dial";
	readonly transports: Engine["transports"] = ["tcp", "udp"];
	readonly #options: KernelEngineOptions;
	readonly #inner: UserspaceEngine;
	readonly #rules: RulesWriter;
	readonly #balancers = new Map<number, Carried>();
	readonly #counters = new FlowCounters();
	readonly #timers = new Set<Cancel>();
	/** The one whose sockets are being opened: its rules wait until they are. */
	#setting: number | undefined;
	/** What the kernel would not do, as far as it has been logged. */
	readonly #refusals = new Set<string>();

	constructor(options: KernelEngineOptions) {
		this.#options = options;
		this.#rules = options.rules;
		this.#inner = new UserspaceEngine({
			...options,
			changed: (id) => this.#onHealth(id),
		});
		this.#later(lookMs, () => this.#look());
	}

	set(balancer: EngineBalancer): void {
		const { id, addresses } = balancer;
		const known = this.#balancers.get(id);
		const before = known?.balancer;
		const carried: Carried = known ?? {
			balancer,
			frontends: new Map(),
			full: false,
			failure: null,
			sockets: new Set(),
			close() {},
		};
		carried.balancer = balancer;
		this.#balancers.set(id, carried);
		this.#hold(carried);
		for (const socket of socketsOf(balancer)) carried.sockets.add(socket);
		this.#setting = id;
		this.#bind(carried);
		this.#setting = undefined;
		this.#write(carried);
		carried.close();
		carried.close = this.#later(lingerMs, () => {
			carried.sockets = socketsOf(carried.balancer);
			this.#bind(carried);
		});
		if (!before) return;
		this.#drain(before, balancer);
		for (const address of before.addresses)
			if (!addresses.includes(address)) this.#letGo(address);
	}

	remove(id: number): void {
		const carried = this.#balancers.get(id);
		if (!carried) return;
		carried.close();
		this.#balancers.delete(id);
		this.#rules.set(carried.frontends, new Map());
		this.#inner.remove(id);
		for (const address of carried.balancer.addresses) this.#letGo(address);
	}

	report(id: number): BalancerReport | undefined {
		const carried = this.#balancers.get(id);
		const report = this.#inner.report(id);
		if (!carried || !report) return undefined;
		const { balancer } = carried;
		const sums = this.#counters.of(id);
		const engines = new Map(
			balancer.services.map((service) => [
				listenerKey(service),
				engineOf(balancer, service),
			]),
		);
		return {
			listeners: report.listeners.map((listener) => {
				const key = `${listener.transport}/${listener.port}` as const;
				const engine = engines.get(key) ?? listener.engine;
				const ruled = engine === "kernel" ? this.#rules.failure : null;
				return {
					...listener,
					engine,
					failure: carried.failure ?? listener.failure ?? ruled,
					counters: sum(listener.counters, sums?.listeners.get(key)),
				};
			}),
			targets: report.targets.map((target) => ({
				...target,
				counters: sum(target.counters, sums?.targets.get(target.key)),
			})),
			counters: sum(report.counters, sums?.all),
		};
	}

	/** The client is the machine that `outside` is, whoever asks for it. */
	dial(address: string, port: number): Duplex {
		this.#inner.check(address, "tcp", port);
		return this.#options.outside.connect({ host: address, port });
	}

	dialUdp(
		address: string,
		port: number,
		heard: (datagram: Buffer) => void,
	): DatagramPath {
		this.#inner.check(address, "udp", port);
		return openDatagrams(this.#options.outside, address, port, heard);
	}

	async close(): Promise<void> {
		for (const cancel of this.#timers) cancel();
		this.#rules.close();
		await this.#inner.close();
		const { flows, addresses } = this.#options;
		for (const { balancer } of this.#balancers.values())
			for (const address of balancer.addresses) addresses.remove(address);
		this.#balancers.clear();
		addresses.close();
		flows.close();
	}

	#onHealth(id: number): void {
		const carried = this.#balancers.get(id);
		if (carried && this.#setting !== id) this.#write(carried);
		this.#options.changed?.(id);
	}

	/** Gives the namespace a balancer's addresses. */
	#hold(carried: Carried): void {
		const was = carried.failure;
		const failures = carried.balancer.addresses.map((address) =>
			this.#attempt(() => this.#options.addresses.add(address)),
		);
		carried.failure = failures.find((failure) => failure !== null) ?? null;
		if (carried.failure !== was) this.#options.changed?.(carried.balancer.id);
	}

	/** An address is nobody's any more. */
	#letGo(address: string): void {
		this.#forget({ address });
		this.#attempt(() => this.#options.addresses.remove(address));
	}

	#bind({ balancer, sockets }: Carried): void {
		this.#inner.set(balancer, (address, service) =>
			sockets.has(socketKey(address, service)),
		);
	}

	/** Makes the rules what a balancer should have. */
	#write(carried: Carried): void {
		const { balancer, full, frontends: before } = carried;
		carried.frontends = new Map(
			frontendsOf(
				balancer,
				(service) => this.#inner.usable(balancer.id, listenerKey(service)),
				full,
				before,
			).map((frontend) => [frontendKey(frontend), frontend]),
		);
		const failure = this.#rules.failure;
		this.#rules.set(before, carried.frontends);
		if (this.#rules.failure !== failure) this.#tellAll();
	}

	/** TCP flows of listeners and targets that were taken away end when their time is over. */
	#drain(before: EngineBalancer, after: EngineBalancer): void {
		const targets = goneFrom(before, after, ({ targets }) =>
			targets.flatMap(({ address }) => address ?? []),
		);
		const ports = goneFrom(before, after, tcpPorts);
		if (targets.length === 0 && ports.length === 0) return;
		this.#later(this.#options.drainMs ?? 30_000, () => {
			const now = this.#balancers.get(after.id)?.balancer;
			if (!now) return;
			for (const address of now.addresses) {
				for (const port of ports)
					if (!tcpPorts(now).includes(port))
						this.#forget({ transport: "tcp", address, port });
				for (const target of targets)
					if (!now.targets.some((each) => each.address === target))
						this.#forget({
							transport: "tcp",
							address,
							target: { address: target },
						});
			}
		});
	}

	#forget(match: FlowMatch): void {
		this.#attempt(() => this.#options.flows.forget(match));
	}

	#look(): void {
		this.#later(lookMs, () => this.#look());
		const { flows, counted } = this.#options;
		const balancers = new Map(
			[...this.#balancers].map(([id, { balancer }]) => [id, balancer]),
		);
		this.#attempt(() => {
			for (const id of this.#counters.look(flows.list(), balancers))
				counted?.(id);
		});
		for (const [id, carried] of this.#balancers) {
			if (carried.failure !== null) this.#hold(carried);
			const open = this.report(id)?.counters.open ?? 0;
			const full = open >= carried.balancer.maxConnections;
			if (full === carried.full) continue;
			carried.full = full;
			this.#write(carried);
		}
		const failure = this.#rules.failure;
		this.#rules.check();
		if (this.#rules.failure !== failure) this.#tellAll();
	}

	/** What concerns the rules concerns every balancer. */
	#tellAll(): void {
		for (const id of this.#balancers.keys()) this.#options.changed?.(id);
	}

	/** Asks the kernel for something; gives why it refused. The same is logged once. */
	#attempt(work: () => void): string | null {
		try {
			work();
			return null;
		} catch (error) {
			const { message } = error as Error;
			if (!this.#refusals.has(message))
				this.#options.log.error({ err: error }, "the kernel refused a change");
			this.#refusals.add(message);
			return message;
		}
	}

	#later(ms: number, run: () => void): Cancel {
		const cancel = this.#options.clock.after(ms, () => {
			this.#timers.delete(cancel);
			run();
		});
		this.#timers.add(cancel);
		return () => {
			this.#timers.delete(cancel);
			cancel();
		};
	}
}

/** The listeners that rules cannot carry, by `socketKey`. */
function socketsOf(balancer: EngineBalancer): Set<string> {
	return new Set(
		balancer.addresses.flatMap((address) =>
			balancer.services
				.filter(
					(service) => carrierOf(balancer, address, service) === "userspace",
				)
				.map((service) => socketKey(address, service)),
		),
	);
}

function socketKey(address: string, service: Service): string {
	return `${address} ${listenerKey(service)}`;
}

function engineOf(balancer: EngineBalancer, service: Service): EngineKind {
	const [address] = balancer.addresses;
	return address === undefined
		? "kernel"
		: carrierOf(balancer, address, service);
}

function tcpPorts({ services }: EngineBalancer): number[] {
	return services.flatMap((service) =>
		service.protocol === "udp" ? [] : [service.listen_port],
	);
}

function goneFrom<T>(
	before: EngineBalancer,
	after: EngineBalancer,
	of: (balancer: EngineBalancer) => T[],
): T[] {
	const now = new Set(of(after));
	return [...new Set(of(before))].filter((each) => !now.has(each));
}

import {
	type ListenerKey,
	listenerKey,
	transportOf,
} from "../../store/listener-key.ts";
import type { Service } from "../../store/records.ts";
import type { BalancerReport, Counters, EngineBalancer } from "../engine.ts";
import type { Candidate } from "./candidates.ts";
import {
	HealthMonitor,
	type HealthMonitorOptions,
	type Subject,
} from "./health-monitor.ts";
import { noCounters } from "./listener.ts";

export interface PlaneTarget {
	key: string;
	address: string | null;
	problem: string | null;
	counters: Counters;
	monitors: Map<ListenerKey, HealthMonitor>;
}

export interface PlaneTargetsOptions
	extends Pick<HealthMonitorOptions, "clock" | "probe" | "msPerSecond"> {
	/** A target was taken away, or is somewhere else now. */
	left(target: PlaneTarget): void;
	/** A target's health for a listener, or why it is ill, changed. */
	judged(key: ListenerKey, target: PlaneTarget): void;
}

/** The targets of a balancer, and how each is for each listener. */
export class PlaneTargets {
	readonly #options: PlaneTargetsOptions;
	#targets = new Map<string, PlaneTarget>();

	constructor(options: PlaneTargetsOptions) {
		this.#options = options;
	}

	set({ targets, services }: EngineBalancer): void {
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
				if (known && moved) this.#options.left(known);
				Object.assign(target, { address, problem });
				return [key, target];
			}),
		);
		for (const [key, target] of before) {
			if (this.#targets.has(key)) continue;
			for (const monitor of target.monitors.values()) monitor.stop();
			this.#options.left(target);
		}
		for (const target of this.#targets.values()) this.#watch(target, services);
	}

	candidates(key: ListenerKey): (Candidate & { target: PlaneTarget })[] {
		return [...this.#targets.values()].map((target) => ({
			key: target.key,
			address: target.address,
			status: target.monitors.get(key)?.health.status ?? "unknown",
			open: target.counters.open,
			target,
		}));
	}

	report(): BalancerReport["targets"] {
		return [...this.#targets.values()].map(({ key, counters, monitors }) => ({
			key,
			counters,
			health: [...monitors.values()]
				.map(({ health }) => health)
				.sort(
					(a, b) => a.port - b.port || a.transport.localeCompare(b.transport),
				),
		}));
	}

	stop(): void {
		for (const { monitors } of this.#targets.values())
			for (const monitor of monitors.values()) monitor.stop();
	}

	#watch(target: PlaneTarget, services: readonly Service[]): void {
		const wanted = new Map(services.map((each) => [listenerKey(each), each]));
		for (const [key, monitor] of target.monitors) {
			if (wanted.has(key)) continue;
			monitor.stop();
			target.monitors.delete(key);
		}
		const subject: Subject =
			target.address === null
				? { problem: target.problem ?? "it has no address" }
				: { address: target.address };
		for (const [key, service] of wanted) {
			const monitor = target.monitors.get(key);
			if (monitor) monitor.update(service.health_check, subject);
			else
				target.monitors.set(
					key,
					new HealthMonitor(
						{
							...this.#options,
							port: service.listen_port,
							transport: transportOf(service),
							changed: () => this.#options.judged(key, target),
						},
						service.health_check,
						subject,
					),
				);
		}
	}
}

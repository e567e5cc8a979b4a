import type { EndpointSlice, Service } from "../../../operator/api/core.ts";
import { objectKey } from "../../../operator/api/meta.ts";
import type { Cancel, Clock } from "../../../operator/clock.ts";
import type { Store } from "../../../operator/cluster/index.ts";
import { type ServicePath, servicePath } from "./service-path.ts";

/** What a follower is told: all there are, then each that changed or went. */
export type ServiceEvent =
	| { name: "services"; data: ServicePath[] }
	| { name: "service"; data: ServicePath }
	| { name: "service-removed"; data: { namespace: string; name: string } };

const serviceLabel = "kubernetes.io/service-name";
const byService = "path-service";
/** A rollout changes a slice several times within milliseconds. */
const gatherMs = 50;

/** The Services of a cluster as paths, kept true from caches that somebody else feeds. */
export class ServiceFeed {
	readonly #clock: Clock;
	readonly #services: Store<Service>;
	readonly #slices: Store<EndpointSlice>;
	readonly #followers = new Set<(event: ServiceEvent) => void>();
	readonly #undo: (() => void)[];
	#changed = new Set<string>();
	#cancel: Cancel = () => {};

	constructor(options: {
		clock: Clock;
		services: Store<Service>;
		slices: Store<EndpointSlice>;
	}) {
		const { clock, services, slices } = options;
		this.#clock = clock;
		this.#services = services;
		this.#slices = slices;
		slices.addIndex(byService, (slice) => keyOf(slice) ?? []);
		this.#undo = [
			services.onChange(({ object }) => this.#later([objectKey(object)])),
			slices.onChange((change) =>
				this.#later([
					...(keyOf(change.object) ?? []),
					...(change.type === "updated" ? (keyOf(change.old) ?? []) : []),
				]),
			),
		];
	}

	list(): ServicePath[] {
		return [...this.#services.values()].map((service) => this.#pathOf(service));
	}

	/** Tells `follower` all there are, and then what changes. */
	follow(follower: (event: ServiceEvent) => void): Cancel {
		follower({ name: "services", data: this.list() });
		this.#followers.add(follower);
		return () => this.#followers.delete(follower);
	}

	close(): void {
		this.#cancel();
		for (const undo of this.#undo) undo();
		this.#followers.clear();
	}

	#later(keys: string[]): void {
		if (this.#changed.size === 0)
			this.#cancel = this.#clock.after(gatherMs, () => this.#tell());
		for (const key of keys) this.#changed.add(key);
	}

	#tell(): void {
		const keys = this.#changed;
		this.#changed = new Set();
		for (const key of keys) {
			const service = this.#services.get(key);
			const [namespace = "", name = ""] = key.split("/");
			const event: ServiceEvent = service
				? { name: "service", data: this.#pathOf(service) }
				: { name: "service-removed", data: { namespace, name } };
			for (const follower of this.#followers) follower(event);
		}
	}

	#pathOf(service: Service): ServicePath {
		return servicePath(
			service,
			this.#slices.byIndex(byService, objectKey(service)),
		);
	}
}

function keyOf({ metadata }: EndpointSlice): string[] | undefined {
	const name = metadata.labels?.[serviceLabel];
	return name === undefined
		? undefined
		: [`${metadata.namespace ?? ""}/${name}`];
}

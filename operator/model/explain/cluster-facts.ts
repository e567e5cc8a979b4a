import type { EndpointSlice, Node, Service } from "../../api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	BalancerClass,
} from "../../api/fairlead.ts";
import { type KubeObject, objectKey } from "../../api/meta.ts";
import type { Allocator } from "../addresses/allocator.ts";
import type { Labels } from "../addresses/labels.ts";
import { readRequest, type RequestResult } from "../addresses/request.ts";
import { isBalancerTarget } from "../balancer/targets.ts";
import { adoptAddresses, type Recorded } from "./adopted-addresses.ts";

/** All of a cluster that explanations are made from, as it was read; plain data in any order. */
export interface ClusterSnapshot {
	services: Service[];
	namespaces: KubeObject[];
	nodes: Node[];
	slices: EndpointSlice[];
	classes: BalancerClass[];
	pools: AddressPool[];
	reservations: AddressReservation[];
	controller: ControllerPresence;
	/** Kinds that could not be read. */
	unread: Unread[];
	/** When it was read: wall time in milliseconds since the epoch. */
	at: number;
}

export type ControllerPresence =
	| { state: "Running"; holder: string }
	/** `holder` has not renewed the Lease since `renewed` (RFC 3339). */
	| { state: "Expired"; holder: string; renewed: string }
	/** No Lease, or one that was given up; `lease` is `namespace/name`. */
	| { state: "Absent"; lease: string }
	/** The Lease could not be read. */
	| { state: "Unknown" };

export interface Unread {
	/** As `kubectl get` takes it: `addresspools.fairlead.dev`. */
	resource: string;
	why: "Missing" | "Forbidden" | "Failed";
	/** What the API server said. */
	message: string;
}

/** A snapshot, put in order and made easy to ask. What is costly is made when it is first asked for. */
export class ClusterFacts {
	readonly snapshot: ClusterSnapshot;
	/** By name. */
	readonly classes: readonly BalancerClass[];
	/** By namespace and name. */
	readonly services: readonly Service[];
	readonly #labels: ReadonlyMap<string, Labels>;
	readonly #slices: ReadonlyMap<string, EndpointSlice[]>;
	#allocator: Allocator | undefined;
	#targets: ReadonlySet<string> | undefined;

	constructor(snapshot: ClusterSnapshot) {
		this.snapshot = snapshot;
		this.classes = inOrder(snapshot.classes);
		this.services = inOrder(snapshot.services).map(withUid);
		this.#labels = new Map(
			snapshot.namespaces.map(({ metadata }) => [
				metadata.name,
				metadata.labels ?? {},
			]),
		);
		const slices = new Map<string, EndpointSlice[]>();
		for (const slice of inOrder(snapshot.slices)) {
			const name = slice.metadata.labels?.["kubernetes.io/service-name"];
			if (name === undefined) continue;
			const key = `${slice.metadata.namespace ?? ""}/${name}`;
			slices.set(key, [...(slices.get(key) ?? []), slice]);
		}
		this.#slices = slices;
	}

	service(key: string): Service | undefined {
		return this.services.find((each) => objectKey(each) === key);
	}

	slicesOf(key: string): readonly EndpointSlice[] {
		return this.#slices.get(key) ?? [];
	}

	/** Names of the nodes that balancers send traffic to. */
	get targets(): ReadonlySet<string> {
		this.#targets ??= new Set(
			this.snapshot.nodes
				.filter(isBalancerTarget)
				.map(({ metadata }) => metadata.name),
		);
		return this.#targets;
	}

	/** Who holds which address, as the controller takes it from the records when it starts. Asking must change nothing. */
	get allocator(): Allocator {
		this.#allocator ??= adoptAddresses(this.recorded);
		return this.#allocator;
	}

	/** What the allocator is made from. */
	get recorded(): Recorded {
		const { pools, reservations, at } = this.snapshot;
		return {
			services: this.services,
			pools: inOrder(pools),
			reservations: inOrder(reservations),
			labelsOf: (namespace) => this.#labels.get(namespace) ?? {},
			request: (service, className) => this.request(service, className),
			at,
		};
	}

	request(service: Service, className: string): RequestResult {
		return readRequest(service, {
			className,
			namespaceLabels: this.#labels.get(service.metadata.namespace ?? "") ?? {},
		});
	}

	unread(...resources: string[]): Unread | undefined {
		return this.snapshot.unread.find(({ resource }) =>
			resources.includes(resource),
		);
	}
}

function inOrder<T extends KubeObject>(objects: readonly T[]): T[] {
	return objects
		.map((object) => ({ object, key: objectKey(object) }))
		.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
		.map(({ object }) => object);
}

/** Every stored object has one; what was made by hand is told apart by its name. */
function withUid(service: Service): Service {
	return service.metadata.uid
		? service
		: {
				...service,
				metadata: { ...service.metadata, uid: objectKey(service) },
			};
}

import type {
	Endpoint,
	EndpointSlice,
	Lease,
	Node,
	Service,
} from "../api/core.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import { isFairleadError } from "../errors.ts";
import type {
	ClusterSnapshot,
	ControllerPresence,
	Unread,
} from "../model/explain/cluster-facts.ts";
import { type KubeClient, type Resource, resources } from "./kube.ts";
import { listAll } from "./list-all.ts";

export interface ViewOptions {
	clock: Pick<Clock, "now">;
	/** Of the controller's Lease. */
	namespace: string;
	/** Only this Service's EndpointSlices are read; absent: all. */
	about?: { namespace: string; name: string };
	signal?: AbortSignal;
}

const pageSize = 500;

/**
 * Reads once, in pages, all that explanations need; nothing but list and one get, so that read-only access will do. What
 * may not be read, or is not installed, is left out and named in `unread`; only Services must be readable.
 */
export async function readCluster(
	client: Pick<KubeClient, "list" | "get">,
	options: ViewOptions,
): Promise<ClusterSnapshot> {
	const signal = options.signal ?? new AbortController().signal;
	const unread: Unread[] = [];
	const read = async <T extends KubeObject>(
		resource: Resource,
		trim: (object: T) => T,
		scope: { namespace?: string; labelSelector?: string } = {},
	): Promise<T[]> => {
		try {
			const { objects } = await listAll<T>(client, resource, scope, {
				pageSize,
				trim,
				signal,
			});
			return objects;
		} catch (error) {
			if (resource === resources.services) throw error;
			unread.push(unreadOf(resource, error));
			return [];
		}
	};
	const { about } = options;
	const [
		services,
		namespaces,
		nodes,
		slices,
		classes,
		pools,
		reservations,
		controller,
	] = await Promise.all([
		read<Service>(resources.services, trimService),
		read(resources.namespaces, asIs),
		read<Node>(resources.nodes, trimNode),
		read<EndpointSlice>(
			resources.endpointSlices,
			trimSlice,
			about
				? {
						namespace: about.namespace,
						labelSelector: `kubernetes.io/service-name=${about.name}`,
					}
				: {},
		),
		read<ClusterSnapshot["classes"][number]>(resources.balancerClasses, asIs),
		read<ClusterSnapshot["pools"][number]>(resources.addressPools, asIs),
		read<ClusterSnapshot["reservations"][number]>(
			resources.addressReservations,
			asIs,
		),
		readPresence(client, options, unread),
	]);
	return {
		services,
		namespaces,
		nodes,
		slices,
		classes,
		pools,
		reservations,
		controller,
		unread,
		at: options.clock.now(),
	};
}

const lease = "fairlead-controller";

async function readPresence(
	client: Pick<KubeClient, "get">,
	{ clock, namespace }: ViewOptions,
	unread: Unread[],
): Promise<ControllerPresence> {
	const absent = { state: "Absent", lease: `${namespace}/${lease}` } as const;
	try {
		const { spec } = await client.get<Lease>(resources.leases, {
			namespace,
			name: lease,
		});
		const {
			holderIdentity: holder,
			renewTime,
			leaseDurationSeconds,
		} = spec ?? {};
		if (!holder || renewTime === undefined) return absent;
		const overdue = clock.now() - Date.parse(renewTime);
		return overdue > (leaseDurationSeconds ?? 0) * 1000
			? { state: "Expired", holder, renewed: renewTime }
			: { state: "Running", holder };
	} catch (error) {
		if (isFairleadError(error, "KubeNotFound")) return absent;
		unread.push(unreadOf(resources.leases, error));
		return { state: "Unknown" };
	}
}

function unreadOf({ plural, group }: Resource, error: unknown): Unread {
	// An answer that no role or installation explains is not one to go on without.
	if (!isFairleadError(error, "KubeNotFound", "KubeForbidden")) throw error;
	return {
		resource: group === "" ? plural : `${plural}.${group}`,
		why: error.code === "KubeNotFound" ? "Missing" : "Forbidden",
		message: error.message,
	};
}

function asIs<T>(object: T): T {
	return object;
}

/** Of ten thousand Services the managed fields are most of the memory, and nobody reads them. */
function trimService(service: Service): Service {
	const { managedFields: _, ...metadata } =
		service.metadata as Service["metadata"] & {
			managedFields?: unknown;
		};
	return { ...service, metadata };
}

/** Nodes list their images; what says whether they may be targets is a hundredth of them. */
function trimNode({ metadata, spec }: Node): Node {
	const { name, labels, deletionTimestamp } = metadata;
	return {
		metadata: {
			name,
			...(labels === undefined ? {} : { labels }),
			...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
		},
		...(spec?.taints ? { spec: { taints: spec.taints } } : {}),
	};
}

/** An EndpointSlice, reduced to whose it is, which of its endpoints are ready, and where. */
function trimSlice(slice: EndpointSlice): EndpointSlice {
	const { name, namespace, labels } = slice.metadata;
	return {
		metadata: {
			name,
			...(namespace === undefined ? {} : { namespace }),
			...(labels === undefined ? {} : { labels }),
		},
		addressType: slice.addressType,
		endpoints: (slice.endpoints ?? []).map(trimEndpoint),
	};
}

function trimEndpoint({ conditions, nodeName }: Endpoint): Endpoint {
	return {
		addresses: [],
		...(conditions ? { conditions } : {}),
		...(nodeName === undefined ? {} : { nodeName }),
	};
}

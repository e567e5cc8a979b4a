import type {
	EndpointSlice,
	Lease,
	Node,
	Service,
	ServiceCIDR,
} from "../api/core.ts";
import type { KubeObject, ObjectMeta } from "../api/meta.ts";
import { agentAnnotations } from "../api/names.ts";
import { ownManagedFields } from "../model/nodeports/field-manager.ts";

/**
 * What is kept of objects in the caches: with thousands of Services, what nobody reads is most of the memory. Trimming
 * keeps an object's shape, so that trimming twice is trimming once: a cache may do either.
 */

const serviceNameLabel = "kubernetes.io/service-name";

/** Drops only who wrote which field, which nobody reads. */
export function trimManaged<T extends KubeObject>(object: T): T {
	const { managedFields: _, ...metadata } = object.metadata as ObjectMeta & {
		managedFields?: unknown;
	};
	return { ...object, metadata };
}

export function trimService(service: Service): Service {
	const { metadata: whole, ...rest } = trimManaged(service);
	const metadata = { ...whole, ...ownManagedFields(service.metadata) };
	const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
	if (metadata.annotations?.[lastApplied] !== undefined) {
		metadata.annotations = { ...metadata.annotations };
		delete metadata.annotations[lastApplied];
	}
	return { ...rest, metadata };
}

export function trimNode(node: Node): Node {
	const trimmed: Node = { metadata: identity(node.metadata) };
	if (node.metadata.labels) trimmed.metadata.labels = node.metadata.labels;
	if (node.spec) {
		const { providerID, taints } = node.spec;
		trimmed.spec = {
			...(providerID === undefined ? {} : { providerID }),
			...(taints === undefined ? {} : { taints }),
		};
	}
	const { addresses, conditions } = node.status ?? {};
	const ready = conditions?.find(({ type }) => type === "Ready");
	if (addresses || ready)
		trimmed.status = {
			...(addresses ? { addresses } : {}),
			...(ready
				? { conditions: [{ type: ready.type, status: ready.status }] }
				: {}),
		};
	return trimmed;
}

/** The Lease of an agent: who holds it until when, and what it reports. */
export function trimLease({ metadata, spec }: Lease): Lease {
	const report = metadata.annotations?.[agentAnnotations.report];
	return {
		metadata: {
			...identity(metadata),
			...(report === undefined
				? {}
				: { annotations: { [agentAnnotations.report]: report } }),
		},
		...(spec ? { spec } : {}),
	};
}

/** An EndpointSlice, reduced to whose it is and to one ready endpoint if it has any; of the Kubernetes API's all are kept. */
export function trimSlice(slice: EndpointSlice): EndpointSlice {
	const metadata = identity(slice.metadata);
	const service = slice.metadata.labels?.[serviceNameLabel];
	if (service !== undefined) metadata.labels = { [serviceNameLabel]: service };
	const { addressType, endpoints = [] } = slice;
	// The addresses of the Kubernetes API, which no Service may take.
	if (slice.metadata.namespace === "default" && service === "kubernetes")
		return {
			metadata,
			addressType,
			endpoints: endpoints.map(({ addresses, conditions }) => ({
				addresses,
				...(conditions ? { conditions } : {}),
			})),
		};
	return {
		metadata,
		addressType,
		endpoints: hasReadyEndpoint(slice) ? [anyReady] : [],
	};
}

const anyReady = { addresses: [] };

/** Endpoints are ready unless they say they are not (discovery.k8s.io/v1: nil should be taken as true). */
export function hasReadyEndpoint(slice: EndpointSlice): boolean {
	return (slice.endpoints ?? []).some(
		(endpoint) => endpoint.conditions?.ready !== false,
	);
}

/** `namespace/name` of the Service an EndpointSlice belongs to; undefined when it belongs to none. */
export function serviceOf(slice: EndpointSlice): string | undefined {
	const name = slice.metadata.labels?.[serviceNameLabel];
	return name === undefined
		? undefined
		: `${slice.metadata.namespace ?? ""}/${name}`;
}

export function trimServiceCIDR({ metadata, spec }: ServiceCIDR): ServiceCIDR {
	return { metadata: identity(metadata), spec: { cidrs: spec.cidrs } };
}

export function trimLabels(object: KubeObject): KubeObject {
	const metadata = identity(object.metadata);
	if (object.metadata.labels) metadata.labels = object.metadata.labels;
	return { metadata };
}

function identity(metadata: ObjectMeta): ObjectMeta {
	const { name, namespace, uid, resourceVersion, deletionTimestamp } = metadata;
	return {
		name,
		...(namespace === undefined ? {} : { namespace }),
		...(uid === undefined ? {} : { uid }),
		...(resourceVersion === undefined ? {} : { resourceVersion }),
		...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
	};
}

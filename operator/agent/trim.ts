import type { EndpointSlice, Node, Service } from "../api/core.ts";
import type { ExternalIPPolicy } from "../api/fairlead.ts";
import type { KubeObject, ObjectMeta } from "../api/meta.ts";
import { annotations as ours, conditions } from "../api/names.ts";
import { triggerTimeAnnotation } from "./rules/programming-latency.ts";

/**
 * What an agent keeps of objects: on a node of a big cluster, what the rules do not need is most of the memory. Trimming
 * keeps an object's shape, so that trimming twice is trimming once: a cache may do either.
 */

/** Source: k8s.io/api/core/v1, AnnotationLoadBalancerSourceRangesKey. */
const sourceRanges = "service.beta.kubernetes.io/load-balancer-source-ranges";

export function trimService(service: Service): Service {
	const { metadata, spec, status } = service;
	const { selector: _, ...rest } = spec;
	const ingress = status?.loadBalancer?.ingress;
	// Bears out the record of what is not shown yet.
	const assigned = status?.conditions?.filter(
		({ type }) => type === conditions.addressAssigned,
	);
	return {
		metadata: identity(metadata, [
			ours.assigned,
			ours.assignedExternalIPs,
			sourceRanges,
		]),
		spec: rest,
		...(ingress || assigned?.length
			? {
					status: {
						...(ingress ? { loadBalancer: { ingress } } : {}),
						...(assigned?.length ? { conditions: assigned } : {}),
					},
				}
			: {}),
	};
}

export function trimSlice(slice: EndpointSlice): EndpointSlice {
	const { metadata, addressType, endpoints, ports } = slice;
	return {
		metadata: identity(metadata, [triggerTimeAnnotation]),
		addressType,
		...(ports ? { ports } : {}),
		endpoints: (endpoints ?? []).map(
			({ addresses, conditions, nodeName, hints }) => ({
				addresses,
				...(conditions ? { conditions } : {}),
				...(nodeName === undefined ? {} : { nodeName }),
				...(hints ? { hints } : {}),
			}),
		),
	};
}

export function trimNode(node: Node): Node {
	const { metadata, spec, status } = node;
	const trimmed: Node = { metadata: identity(metadata, []) };
	if (spec)
		trimmed.spec = {
			...(spec.podCIDRs ? { podCIDRs: spec.podCIDRs } : {}),
			...(spec.taints ? { taints: spec.taints } : {}),
		};
	if (status?.addresses) trimmed.status = { addresses: status.addresses };
	return trimmed;
}

/** A Namespace: its labels are what it is granted external IPs by. */
export function trimNamespace({ metadata }: KubeObject): KubeObject {
	return { metadata: identity(metadata, []) };
}

/** An ExternalIPPolicy. */
export function trimPolicy({
	metadata,
	spec,
}: ExternalIPPolicy): ExternalIPPolicy {
	return { metadata: identity(metadata, []), spec };
}

function identity(metadata: ObjectMeta, kept: readonly string[]): ObjectMeta {
	const { name, namespace, uid, resourceVersion, labels } = metadata;
	const { creationTimestamp, deletionTimestamp } = metadata;
	const annotations = Object.fromEntries(
		Object.entries(metadata.annotations ?? {}).filter(([key]) =>
			kept.includes(key),
		),
	);
	return {
		name,
		...(namespace === undefined ? {} : { namespace }),
		...(uid === undefined ? {} : { uid }),
		...(resourceVersion === undefined ? {} : { resourceVersion }),
		...(creationTimestamp === undefined ? {} : { creationTimestamp }),
		...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
		...(labels === undefined ? {} : { labels }),
		...(Object.keys(annotations).length > 0 ? { annotations } : {}),
	};
}

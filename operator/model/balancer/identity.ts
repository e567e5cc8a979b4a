import type { BalancerIdentity } from "./balancer.ts";

/**
 * The identity of a Service's balancer: `fairlead-<8 hex of the cluster id>-<Service UID>`, 54 characters, within the
 * 63 that label values and cloud names allow. The UID, not the name: a Service re-created under its old name is another.
 */
export function balancerIdentity(
	clusterId: string,
	serviceUid: string,
): BalancerIdentity {
	return {
		clusterId,
		serviceUid,
		name: `fairlead-${fnv1a(clusterId)}-${serviceUid}`,
	};
}

/** 32-bit FNV-1a as 8 hex digits: tells clusters in one cloud project apart in names; labels carry the whole id. */
function fnv1a(text: string): string {
	let hash = 0x811c9dc5;
	for (let at = 0; at < text.length; at++)
		hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
	return (hash >>> 0).toString(16).padStart(8, "0");
}

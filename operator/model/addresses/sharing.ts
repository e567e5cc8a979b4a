import type { AddressRequest } from "./request.ts";

/**
 * Services that may stand on one address have the same group; a Service that shares with nobody has none. The rules are
 * MetalLB's (its documentation, "IP address sharing"): the same sharing key, no port and protocol in common, and either
 * externalTrafficPolicy Cluster for both, whatever their namespaces, or Local for both and the very same pods, which
 * takes the same selector in the same namespace. Unlike MetalLB (internal/allocator/k8salloc, BackendKey), a Local Service
 * without selector shares with nobody: nothing says that its endpoints are the same pods.
 */
export function sharingGroup(request: AddressRequest): string | undefined {
	if (request.sharingKey === undefined) return undefined;
	if (request.externalTrafficPolicy === "Cluster")
		return JSON.stringify([request.sharingKey]);
	const selector = Object.entries(request.selector).sort(([a], [b]) =>
		a < b ? -1 : 1,
	);
	if (selector.length === 0) return undefined;
	return JSON.stringify([request.sharingKey, request.namespace, selector]);
}

/** Why two Services cannot stand on one address, in words that follow `it is held by NAMESPACE/NAME, `. */
export function sharingRefusal(
	request: AddressRequest,
	other: AddressRequest,
): string {
	if (request.sharingKey === undefined)
		return "and this Service has no sharing key";
	if (other.sharingKey === undefined) return "which has no sharing key";
	if (request.sharingKey !== other.sharingKey)
		return "which has another sharing key";
	if (request.externalTrafficPolicy !== other.externalTrafficPolicy)
		return `whose externalTrafficPolicy is ${other.externalTrafficPolicy}, not ${request.externalTrafficPolicy}`;
	const group = sharingGroup(request);
	if (group === undefined || group !== sharingGroup(other))
		return "and with externalTrafficPolicy Local both must select the same pods: same namespace, same non-empty selector";
	const clash = request.ports.find((port) => other.ports.includes(port));
	return `which has port ${clash} on it`;
}

/** Whether a Service that changed from `a` to `b` is to others on its address as it was. */
export function isSharedAlike(a: AddressRequest, b: AddressRequest): boolean {
	return (
		a.ports.length === b.ports.length &&
		a.ports.every((port, index) => port === b.ports[index]) &&
		sharingGroup(a) === sharingGroup(b)
	);
}

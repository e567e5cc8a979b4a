import type { EndpointSlice, IPFamily, Protocol } from "../../api/core.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";

/** One address and port behind a Service, with what decides whether a node uses it. */
export interface ServiceEndpoint {
	address: string;
	port: number;
	/** On the node the program is for. */
	local: boolean;
	/** Takes new connections: ready and not on its way out, or published although not ready. */
	ready: boolean;
	/** Still answers, whether it is on its way out or not. */
	serving: boolean;
	terminating: boolean;
	/** Topology hints; empty: none. */
	zones: readonly string[];
	nodes: readonly string[];
}

/** The endpoints of each port of a Service, by `endpointsKey`; each list is ordered by address and port. */
export type ServiceEndpoints = ReadonlyMap<string, ServiceEndpoint[]>;

/** EndpointSlice ports carry the name and protocol of the Service's port they belong to. */
export function endpointsKey(
	family: IPFamily,
	protocol: Protocol,
	portName: string,
): string {
	return `${family}|${protocol}|${portName}`;
}

/** Label of Services that names the proxy that carries them instead of kube-proxy (k8s.io/kubernetes, cmd/kube-proxy). */
export const proxyNameLabel = "service.kubernetes.io/service-proxy-name";
/**
 * Label of the EndpointSlices of headless Services, which no proxy reads (k8s.io/kubernetes, cmd/kube-proxy). On a Service
 * it means nothing.
 */
const headlessLabel = "service.kubernetes.io/headless";

/** Our name as such a proxy. */
export const proxyName = "fairlead.dev";

export function isForeign(labels: Record<string, string> | undefined): boolean {
	const proxy = labels?.[proxyNameLabel];
	return proxy !== undefined && proxy !== proxyName;
}

/** By its label a Service is ours as a whole, and kube-proxy knows nothing of it. */
export function isHandedOver(
	labels: Record<string, string> | undefined,
): boolean {
	return labels?.[proxyNameLabel] === proxyName;
}

/**
 * What the slices of one Service say together. An endpoint in several slices is one endpoint: while a pod moves between
 * slices, or a new pod has the address of one that is ending, what is not terminating counts (k8s.io/kubernetes, pkg/proxy
 * EndpointSliceCache), then what is ready. Slices of another address type than their addresses, FQDN slices and ports
 * without a number give nothing.
 */
export function serviceEndpoints(
	slices: Iterable<EndpointSlice>,
	nodeName: string,
): ServiceEndpoints {
	const found = new Map<string, ServiceEndpoint[]>();
	for (const slice of slices) {
		const { labels = {} } = slice.metadata;
		if (slice.addressType === "FQDN" || headlessLabel in labels) continue;
		const endpoints = endpointsOf(slice, nodeName);
		for (const { name = "", protocol = "TCP", port } of slice.ports ?? []) {
			if (!port) continue;
			const key = endpointsKey(slice.addressType, protocol, name);
			const own = endpoints.map((each) => ({ ...each, port }));
			const known = found.get(key);
			found.set(key, known ? known.concat(own) : own);
		}
	}
	for (const [key, known] of found) {
		// Of those with one address and port, the first is the one that counts.
		known.sort((a, b) => byAddress(a, b) || byPrecedence(a, b));
		found.set(
			key,
			known.filter((each, index) => {
				const before = known[index - 1];
				return before === undefined || byAddress(before, each) !== 0;
			}),
		);
	}
	return found;
}

type Placed = Omit<ServiceEndpoint, "port">;

function endpointsOf(slice: EndpointSlice, nodeName: string): Placed[] {
	const placed: Placed[] = [];
	for (const endpoint of slice.endpoints ?? []) {
		// All addresses of one endpoint are the same pod (discovery.k8s.io/v1, Endpoint.addresses), so the first does.
		const address = parseIp(endpoint.addresses[0] ?? "");
		if (!address.ok || address.value.family !== slice.addressType) continue;
		const { conditions, hints } = endpoint;
		placed.push({
			address: formatIp(address.value),
			local: endpoint.nodeName === nodeName,
			ready: conditions?.ready !== false,
			serving: conditions?.serving !== false,
			terminating: conditions?.terminating === true,
			zones: hints?.forZones?.map(({ name }) => name) ?? none,
			nodes: hints?.forNodes?.map(({ name }) => name) ?? none,
		});
	}
	return placed;
}

const none: readonly string[] = [];

function byAddress(a: ServiceEndpoint, b: ServiceEndpoint): number {
	if (a.address !== b.address) return a.address < b.address ? -1 : 1;
	return a.port - b.port;
}

/** A total order, so that the order of slices decides nothing. */
function byPrecedence(a: ServiceEndpoint, b: ServiceEndpoint): number {
	if (a.terminating !== b.terminating) return a.terminating ? 1 : -1;
	if (a.ready !== b.ready) return a.ready ? -1 : 1;
	if (a.serving !== b.serving) return a.serving ? -1 : 1;
	if (a.local !== b.local) return a.local ? -1 : 1;
	const [x, y] = [a, b].map(({ zones, nodes }) =>
		JSON.stringify([zones, nodes]),
	) as [string, string];
	return x < y ? -1 : x > y ? 1 : 0;
}

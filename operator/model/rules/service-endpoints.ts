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

/** Labels on Services and EndpointSlices whose traffic is somebody else's business. Source: k8s.io/kubernetes, cmd/kube-proxy. */
export const foreignLabels = [
	"service.kubernetes.io/service-proxy-name",
	"service.kubernetes.io/headless",
] as const;

export function isForeign(labels: Record<string, string> | undefined): boolean {
	return labels !== undefined && foreignLabels.some((label) => label in labels);
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
	const found = new Map<string, Map<string, ServiceEndpoint>>();
	for (const slice of slices) {
		if (slice.addressType === "FQDN" || isForeign(slice.metadata.labels))
			continue;
		const endpoints = endpointsOf(slice, nodeName);
		for (const { name = "", protocol = "TCP", port } of slice.ports ?? []) {
			if (!port) continue;
			const key = endpointsKey(slice.addressType, protocol, name);
			const known = found.get(key) ?? new Map<string, ServiceEndpoint>();
			found.set(key, known);
			for (const endpoint of endpoints) {
				const id = `${endpoint.address}|${port}`;
				const other = known.get(id);
				if (!other || outranks(endpoint, other))
					known.set(id, { ...endpoint, port });
			}
		}
	}
	return new Map(
		[...found].map(([key, known]) => [
			key,
			[...known.values()].sort(byAddress),
		]),
	);
}

type Placed = Omit<ServiceEndpoint, "port">;

function endpointsOf(slice: EndpointSlice, nodeName: string): Placed[] {
	return (slice.endpoints ?? []).flatMap((endpoint) => {
		// "Consumers must handle different types of addresses": all addresses of one endpoint are the same pod, so the first does.
		const address = parseIp(endpoint.addresses[0] ?? "");
		if (!address.ok || address.value.family !== slice.addressType) return [];
		const { conditions = {}, hints = {} } = endpoint;
		return [
			{
				address: formatIp(address.value),
				local: endpoint.nodeName === nodeName,
				ready: conditions.ready !== false,
				serving: conditions.serving !== false,
				terminating: conditions.terminating === true,
				zones: hints.forZones?.map(({ name }) => name) ?? [],
				nodes: hints.forNodes?.map(({ name }) => name) ?? [],
			},
		];
	});
}

/** A total order, so that the order of slices decides nothing. */
function outranks(a: ServiceEndpoint | Placed, b: ServiceEndpoint): boolean {
	if (a.terminating !== b.terminating) return b.terminating;
	if (a.ready !== b.ready) return a.ready;
	if (a.serving !== b.serving) return a.serving;
	if (a.local !== b.local) return a.local;
	const hints = (each: Placed) => JSON.stringify([each.zones, each.nodes]);
	return hints(a) < hints(b);
}

function byAddress(a: ServiceEndpoint, b: ServiceEndpoint): number {
	if (a.address !== b.address) return a.address < b.address ? -1 : 1;
	return a.port - b.port;
}

import type {
	EndpointSlice,
	Protocol,
	Service,
} from "../../../operator/api/core.ts";

/** One Service as the way of a packet: where it can be sent, and which pods it can end at. */
export interface ServicePath {
	namespace: string;
	name: string;
	type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
	/** Ingress addresses and host names, as status has them. */
	ingress: string[];
	externalIPs: string[];
	/** Empty for a headless Service. */
	clusterIPs: string[];
	/** What DNS answers with instead of addresses; null for other types. */
	externalName: string | null;
	/** `Local`: a node hands packets from outside to its own pods only. */
	externalTrafficPolicy: "Cluster" | "Local";
	ports: {
		name: string;
		protocol: Protocol;
		port: number;
		/** Null where nodes have no port for it. */
		nodePort: number | null;
		endpoints: PathEndpoint[];
	}[];
}

export interface PathEndpoint {
	/** Name of the pod; null for an endpoint that somebody wrote by hand. */
	pod: string | null;
	node: string | null;
	address: string;
	port: number;
	state: "ready" | "not ready" | "terminating";
}

/** `slices` are all the EndpointSlices of the Service. */
export function servicePath(
	service: Service,
	slices: readonly EndpointSlice[],
): ServicePath {
	const { metadata, spec, status } = service;
	return {
		namespace: metadata.namespace ?? "",
		name: metadata.name,
		type: spec.type ?? "ClusterIP",
		ingress: (status?.loadBalancer?.ingress ?? []).flatMap(
			({ ip, hostname }) => ip ?? hostname ?? [],
		),
		externalIPs: spec.externalIPs ?? [],
		clusterIPs: (spec.clusterIPs ?? []).filter((ip) => ip !== "None"),
		externalName: spec.externalName ?? null,
		externalTrafficPolicy: spec.externalTrafficPolicy ?? "Cluster",
		ports: (spec.ports ?? []).map(
			({ name = "", protocol = "TCP", port, nodePort }) => ({
				name,
				protocol,
				port,
				nodePort: nodePort || null,
				endpoints: endpointsOf(slices, name, protocol),
			}),
		),
	};
}

/** Slices carry their Service's port names; by address, so that a drawing does not jump. */
function endpointsOf(
	slices: readonly EndpointSlice[],
	name: string,
	protocol: Protocol,
): PathEndpoint[] {
	const found = new Map<string, PathEndpoint>();
	for (const { addressType, endpoints = [], ports = [] } of slices) {
		const port = ports.find(
			(one) =>
				(one.name ?? "") === name && (one.protocol ?? "TCP") === protocol,
		)?.port;
		if (port === undefined || addressType === "FQDN") continue;
		for (const { addresses, conditions, nodeName, targetRef } of endpoints)
			for (const address of addresses)
				found.set(`${address}|${port}`, {
					pod: targetRef?.kind === "Pod" ? (targetRef.name ?? null) : null,
					node: nodeName ?? null,
					address,
					port,
					state: conditions?.terminating
						? "terminating"
						: conditions?.ready === false
							? "not ready"
							: "ready",
				});
	}
	return [...found.values()].sort((a, b) =>
		a.address.localeCompare(b.address, "en", { numeric: true }),
	);
}

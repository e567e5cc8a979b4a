import type { Endpoint, EndpointSlice } from "../../operator/api/core.ts";
import { sameMeaning } from "./merge-diff.ts";

const nearby = ["PreferClose", "PreferSameZone", "PreferSameNode"];

/**
 * The slice with the hints that a Service's trafficDistribution asks for (k8s.io/endpointslice/trafficdist); the very same
 * one if it has them.
 */
export function withHints(
	slice: EndpointSlice,
	distribution: string | undefined,
): EndpointSlice {
	const endpoints = slice.endpoints ?? [];
	const hinted = endpoints.map((endpoint) => hint(endpoint, distribution));
	return hinted.every((endpoint, index) => endpoint === endpoints[index])
		? slice
		: { ...slice, endpoints: hinted };
}

function hint(endpoint: Endpoint, distribution = ""): Endpoint {
	const { hints, ...bare } = endpoint;
	if (!nearby.includes(distribution)) return hints ? bare : endpoint;
	// What gets no traffic needs no direction, and keeps the one it had.
	if (endpoint.conditions?.ready !== true) return endpoint;
	const { zone, nodeName } = endpoint;
	const wanted = {
		...(zone ? { forZones: [{ name: zone }] } : {}),
		...(nodeName && distribution === "PreferSameNode"
			? { forNodes: [{ name: nodeName }] }
			: {}),
	};
	if (sameMeaning(hints, wanted)) return endpoint;
	return Object.keys(wanted).length > 0 ? { ...bare, hints: wanted } : bare;
}

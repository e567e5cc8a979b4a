import type { ServiceEndpoint } from "./service-endpoints.ts";

/** Which endpoints of one Service port a node uses, by traffic policy. */
export interface ChosenEndpoints {
	/** Policy Cluster. */
	cluster: ServiceEndpoint[];
	/** Policy Local. */
	local: ServiceEndpoint[];
	/** Somebody serves, if not on this node. */
	anywhere: boolean;
}

/**
 * Chooses as kube-proxy 1.37 does (pkg/proxy/topology.go): ready endpoints; where there is none, those that still serve
 * while they terminate, for Cluster and Local each by itself. Topology hints narrow Cluster, never Local.
 */
export function chooseEndpoints(
	endpoints: readonly ServiceEndpoint[],
	node: { name: string; zone?: string },
): ChosenEndpoints {
	const ready = endpoints.filter((each) => each.ready);
	const leaving = endpoints.filter(
		(each) => !each.ready && each.serving && each.terminating,
	);
	const onNode = (each: ServiceEndpoint) => each.local;
	const localReady = ready.filter(onNode);
	return {
		cluster: ready.length > 0 ? hinted(ready, node) : leaving,
		local: localReady.length > 0 ? localReady : leaving.filter(onNode),
		anywhere: ready.length + leaving.length > 0,
	};
}

/**
 * The ready endpoints that hints give this node. Hints count only when every ready endpoint has one and one of them is for
 * this node (or its zone): half a set of hints is being written, and following it would overload who has them.
 */
function hinted(
	ready: ServiceEndpoint[],
	node: { name: string; zone?: string },
): ServiceEndpoint[] {
	if (ready.every((each) => each.nodes.length > 0)) {
		const forNode = ready.filter((each) => each.nodes.includes(node.name));
		if (forNode.length > 0) return forNode;
	}
	const { zone } = node;
	if (zone === undefined || !ready.every((each) => each.zones.length > 0))
		return ready;
	const forZone = ready.filter((each) => each.zones.includes(zone));
	return forZone.length > 0 ? forZone : ready;
}

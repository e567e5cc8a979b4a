import type { Endpoint, Node, Service } from "../../api/core.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import { objectKey } from "../../api/meta.ts";
import { isBalancerTarget } from "../balancer/targets.ts";
import { providerTraits } from "../provider-traits.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import type { StepReport } from "./explanation.ts";

export function endpointsOf(
	service: Service,
	facts: ClusterFacts,
): { ready: Endpoint[]; total: number } {
	// With two families every pod is in a slice of each: the fuller one counts.
	let fullest: Endpoint[] = [];
	for (const type of ["IPv4", "IPv6", "FQDN"]) {
		const all = facts
			.slicesOf(objectKey(service))
			.filter(({ addressType }) => addressType === type)
			.flatMap(({ endpoints }) => endpoints ?? []);
		if (readyOf(all).length > readyOf(fullest).length) fullest = all;
		else if (fullest.length === 0) fullest = all;
	}
	return { ready: readyOf(fullest), total: fullest.length };
}

/** Endpoints are ready unless they say they are not (discovery.k8s.io/v1: nil should be taken as true). */
function readyOf(endpoints: readonly Endpoint[]): Endpoint[] {
	return endpoints.filter(({ conditions }) => conditions?.ready !== false);
}

/** Whether anybody answers behind the address. */
export function servingStep(
	service: Service,
	found: BalancerClass,
	facts: ClusterFacts,
): StepReport {
	const step = "Serving";
	const blocked = (reason: string, message: string): StepReport => ({
		step,
		state: "Blocked",
		reason,
		message,
	});
	const unread = facts.unread("endpointslices.discovery.k8s.io");
	if (unread)
		return {
			step,
			state: "Skipped",
			reason: "KindUnreadable",
			message: `EndpointSlices cannot be read: ${unread.message}`,
		};
	const toNodes = providerTraits[found.spec.provider]?.needsTargets ?? false;
	const nodesKnown = !facts.unread("nodes");
	if (toNodes && nodesKnown && facts.targets.size === 0)
		return blocked("NoNodes", whyNoNodes(facts.snapshot.nodes));
	const { ready, total } = endpointsOf(service, facts);
	if (ready.length === 0) return blocked(...whyNotReady(service, total));
	const local = service.spec.externalTrafficPolicy === "Local";
	if (local && nodesKnown) {
		const nodes = toNodes
			? facts.targets
			: new Set(facts.snapshot.nodes.map(({ metadata }) => metadata.name));
		const serving = new Set(
			ready.flatMap(({ nodeName }) =>
				nodeName !== undefined && nodes.has(nodeName) ? nodeName : [],
			),
		);
		if (serving.size === 0)
			return blocked(
				"NoLocalEndpoints",
				`externalTrafficPolicy is Local, and no node that takes traffic has one of the ${ready.length} ready endpoints`,
			);
		return {
			step,
			state: "Done",
			reason: "EndpointsReady",
			message: `${ready.length} of ${total} endpoints are ready, on ${serving.size} nodes that take traffic`,
		};
	}
	return {
		step,
		state: "Done",
		reason: "EndpointsReady",
		message: `${ready.length} of ${total} endpoints are ready`,
	};
}

function whyNotReady(
	{ spec }: Service,
	total: number,
): [reason: string, message: string] {
	if (total > 0)
		return ["NoReadyEndpoints", `none of its ${total} endpoints is ready`];
	const selector = Object.entries(spec.selector ?? {})
		.map(([key, value]) => `${key}=${value}`)
		.sort();
	return selector.length > 0
		? [
				"SelectorMatchesNothing",
				`no pod with an address matches its selector ${selector.join(",")}`,
			]
		: [
				"NoSelector",
				"it has no selector, and nobody wrote EndpointSlices for it",
			];
}

function whyNoNodes(nodes: readonly Node[]): string {
	if (nodes.length === 0) return "the cluster has no nodes";
	const excluded = nodes
		.filter((node) => !isBalancerTarget(node))
		.map(({ metadata }) => metadata.name)
		.sort();
	const some = excluded.slice(0, 5).join(", ");
	return `no node may be a target (excluded by label, about to be removed, or being deleted): ${some}${excluded.length > 5 ? ` and ${excluded.length - 5} more` : ""}`;
}

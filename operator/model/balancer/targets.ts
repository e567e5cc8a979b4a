import type { Node } from "../../api/core.ts";
import { nodeLabels, nodeTaints } from "../../api/names.ts";
import type { Target } from "./balancer.ts";

/**
 * Whether balancers send traffic to a node. The rules of the upstream service controller
 * (k8s.io/cloud-provider, controllers/service, stableNodeSetPredicates); readiness is not among them:
 * it is the balancer's health check's business.
 */
export function isBalancerTarget(node: Node): boolean {
	if (node.metadata.deletionTimestamp) return false;
	if (isExcluded(node.metadata.labels?.[nodeLabels.exclude])) return false;
	return !node.spec?.taints?.some(
		(taint) => taint.key === nodeTaints.toBeDeleted,
	);
}

/** Values Go's strconv.ParseBool takes for false; anything else, "" included, excludes. */
const parsedAsFalse = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function isExcluded(label: string | undefined): boolean {
	return label !== undefined && !parsedAsFalse.has(label);
}

/** Targets of every balancer of the cluster, sorted by node name. */
export function balancerTargets(nodes: Iterable<Node>): Target[] {
	const targets: Target[] = [];
	for (const node of nodes) {
		if (!isBalancerTarget(node)) continue;
		const target: Target = {
			node: node.metadata.name,
			addresses: (node.status?.addresses ?? [])
				.filter((address) => address.type === "InternalIP")
				.map((address) => address.address),
		};
		if (node.spec?.providerID) target.providerId = node.spec.providerID;
		targets.push(target);
	}
	return targets.sort((a, b) => (a.node < b.node ? -1 : 1));
}

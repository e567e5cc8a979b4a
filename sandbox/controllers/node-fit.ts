import type { Node, Pod } from "../../operator/api/core.ts";
import { isTerminal } from "./pod-state.ts";
import { hasLabels } from "./selectors.ts";

/** A node with what runs on it, or is about to. */
export interface Candidate {
	node: Node;
	pods: readonly Pod[];
}

type Taint = NonNullable<NonNullable<Node["spec"]>["taints"]>[number];

/** The node for a pod: the one with the fewest pods, of those the one with the fewest siblings; or why there is none. */
export function chooseNode(
	pod: Pod,
	candidates: readonly Candidate[],
): { node: Node } | { problem: string } {
	if (candidates.length === 0)
		return { problem: "no nodes available to schedule pods" };
	const reasons = candidates.map((each) => misfit(pod, each));
	const best = candidates
		.filter((_, index) => reasons[index] === undefined)
		.map((candidate) => ({
			node: candidate.node,
			pods: candidate.pods.filter((each) => !isTerminal(each)).length,
			siblings: candidate.pods.filter((each) => areSiblings(each, pod)).length,
		}))
		.sort(
			(a, b) =>
				a.pods - b.pods ||
				a.siblings - b.siblings ||
				byNumberInName(a.node.metadata.name, b.node.metadata.name),
		)[0];
	return best ? { node: best.node } : { problem: problemOf(reasons) };
}

/** Why a node is not for a pod, in the scheduler's words; undefined if it is. */
export function misfit(
	pod: Pod,
	{ node, pods }: Candidate,
): string | undefined {
	const { nodeSelector = {}, tolerations = [] } = pod.spec;
	if (
		node.spec?.unschedulable &&
		!isTolerated(
			{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" },
			tolerations,
		)
	)
		return "node(s) were unschedulable";
	if (taintsOf(node).some((taint) => !isTolerated(taint, tolerations)))
		return "node(s) had untolerated taint(s)";
	if (!hasLabels(nodeSelector, node.metadata.labels))
		return "node(s) didn't match Pod's node affinity/selector";
	const running = pods.filter((each) => !isTerminal(each));
	if (sharesHostPort(pod, running))
		return "node(s) didn't have free ports for the requested pod ports";
	if (running.length >= podLimit(node)) return "Too many pods";
	return undefined;
}

/** Those that keep pods away; a node that is not ready has one even if nobody has put it there. */
function taintsOf({ spec, status }: Node): Taint[] {
	const taints = (spec?.taints ?? []).filter(
		({ effect }) => effect === "NoSchedule" || effect === "NoExecute",
	);
	const ready = status?.conditions?.find(({ type }) => type === "Ready");
	if (ready?.status === "True") return taints;
	const key =
		ready?.status === "Unknown"
			? "node.kubernetes.io/unreachable"
			: "node.kubernetes.io/not-ready";
	return [...taints, { key, effect: "NoSchedule" }];
}

/** v1.Toleration.ToleratesTaint */
function isTolerated(
	taint: Taint,
	tolerations: NonNullable<Pod["spec"]["tolerations"]>,
): boolean {
	return tolerations.some(
		({ key, operator = "Equal", value = "", effect }) =>
			(!effect || effect === taint.effect) &&
			(!key || key === taint.key) &&
			(operator === "Exists" || (key && value === (taint.value ?? ""))),
	);
}

function sharesHostPort(pod: Pod, others: readonly Pod[]): boolean {
	const wanted = hostPorts(pod);
	return (
		wanted.length > 0 &&
		others
			.flatMap(hostPorts)
			.some((held) =>
				wanted.some(
					(port) =>
						port.number === held.number &&
						port.protocol === held.protocol &&
						(port.ip === held.ip || anyAddress(port.ip) || anyAddress(held.ip)),
				),
			)
	);
}

const anyAddress = (ip: string) => ip === "" || ip === "0.0.0.0" || ip === "::";

function hostPorts({ spec }: Pod) {
	return spec.containers.flatMap(({ ports = [] }) =>
		ports
			.filter(({ hostPort }) => hostPort)
			.map(({ hostPort = 0, hostIP = "", protocol = "TCP" }) => ({
				number: hostPort,
				ip: hostIP,
				protocol,
			})),
	);
}

function podLimit(node: Node): number {
	const limit = node.status?.allocatable?.["pods"];
	return limit === undefined ? Infinity : Number(limit);
}

function areSiblings(a: Pod, b: Pod): boolean {
	return (
		a.metadata.namespace === b.metadata.namespace &&
		(a.metadata.ownerReferences ?? []).some(({ uid }) =>
			b.metadata.ownerReferences?.some((other) => other.uid === uid),
		)
	);
}

/** node-2 before node-10. */
function byNumberInName(a: string, b: string): number {
	return a.localeCompare(b, "en", { numeric: true });
}

/** FitError.Error() of the scheduler, with what its preemption says when it cannot help. */
function problemOf(reasons: readonly (string | undefined)[]): string {
	const counts = new Map<string, number>();
	for (const reason of reasons)
		if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
	const said = [...counts].map(([reason, count]) => `${count} ${reason}`);
	const none = `0/${reasons.length} nodes are available`;
	return `${none}: ${said.sort().join(", ")}. preemption: ${none}: ${reasons.length} Preemption is not helpful for scheduling.`;
}

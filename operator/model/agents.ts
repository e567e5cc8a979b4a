import type { Lease, Node, Service } from "../api/core.ts";
import { conditions } from "../api/names.ts";
import { type AgentReport, reportOf, type RulesMode } from "./agent-report.ts";
import { isBalancerTarget } from "./balancer/targets.ts";
import { assignmentOf } from "./assignment.ts";
import type { Verdict } from "./conditions.ts";
import { reflects, type Watermark } from "./watermark.ts";

/** What the nodes do with the addresses recorded on one Service, as far as their agents say. */
export type Programming =
	/** Nobody whose word would be waited for: ingress is written at once. */
	| { kind: "NoAgents" | "AgentsWithoutRules" | "NoReadyNodes" }
	/** The record that agents program from is not written, or not as it will be. */
	| { kind: "Unrecorded" }
	/** There is no address to record. */
	| { kind: "Unassigned" }
	| {
			kind: "Reported";
			/** Nodes that matter and have not got as far, by name: `listed` at most, and but one while they have time. */
			behind: readonly string[];
			/** There are further ones. */
			more: boolean;
			/** They have had their time. */
			overdue: boolean;
			/** Nodes whose kernel does not take the Service as it should be, by name, `listed` at most. */
			refused: readonly { node: string; message: string }[];
			/** Some node that matters has got as far and does not refuse. */
			servable: boolean;
	  };

/** One node whose agent programs addresses, and how far it has got. */
export interface Carrier {
	node: string;
	reached: Watermark | undefined;
}

/** Nodes named in one condition. */
export const listed = 5;

/** How long nodes may take before a Service that some of them serve is shown without the others. */
export const programmingMs = 10_000;

/** Agents' Leases are kept as kubelets keep theirs. Source: k8s.io/kubernetes, pkg/kubelet, nodeLeaseDurationSeconds. */
export const agentLeaseSeconds = 40;

/** A Lease must speak for the node it is named after, and be held by it: nobody reports for another. */
export function agentOf(lease: Lease): AgentReport | undefined {
	const report = reportOf(lease);
	return report && report.node === lease.spec?.holderIdentity
		? report
		: undefined;
}

export function programs(rules: RulesMode): boolean {
	return rules === "full" || rules === "balancers";
}

/**
 * Whether traffic for balancers may come to a node, so that its rules matter: Ready, and not excluded by the rules that
 * every balancer's targets follow.
 */
export function takesTraffic(node: Node | undefined): boolean {
	return node !== undefined && isBalancerTarget(node) && isReady(node);
}

function isReady({ status }: Node): boolean {
	const ready = status?.conditions?.find(({ type }) => type === "Ready");
	return ready?.status === "True";
}

/**
 * What the nodes that matter make of a Service whose record and endpoints stand at `asked`; undefined: they have been
 * there, and are not asked again. `carriers` are in the order of
 * their names; `refusals` are by node.
 */
export function programmingOf(
	asked: Watermark | undefined,
	carriers: readonly Carrier[],
	refusals: ReadonlyMap<string, string> | undefined,
	overdue: boolean,
): Programming {
	const behind: string[] = [];
	const refused: { node: string; message: string }[] = [];
	let servable = false;
	let more = false;
	for (const { node, reached } of carriers) {
		const message = refusals?.get(node);
		if (message !== undefined && refused.length < listed)
			refused.push({ node, message });
		if (asked && !reflects(reached, asked)) {
			if (behind.length < listed) behind.push(node);
			else more = true;
		} else if (message === undefined) servable = true;
		// Thousands of Services must not ask each of thousands of nodes: one that has time left is answer enough.
		if (behind.length > 0 && (!overdue || (more && servable && !refusals)))
			break;
	}
	return { kind: "Reported", behind, more, overdue, refused, servable };
}

/** What nodes do with `addresses`, the ones the Service is to have: nobody programs what is not recorded. */
export function programmingFor(
	{ service, programming }: { service: Service; programming?: Programming },
	addresses: readonly string[],
): Programming {
	if (!programming) return { kind: "NoAgents" };
	if (programming.kind !== "Reported" && programming.kind !== "Unrecorded")
		return programming;
	if (addresses.length === 0) return { kind: "Unassigned" };
	const recorded = assignmentOf(service)?.addresses ?? [];
	return addresses.join() === recorded.join()
		? programming
		: { kind: "Unrecorded" };
}

/** Whether ingress may show an address that it does not show yet. */
export function mayShow(programming: Programming): boolean {
	if (programming.kind === "Unrecorded" || programming.kind === "Unassigned")
		return false;
	if (programming.kind !== "Reported") return true;
	const { behind, overdue, servable } = programming;
	return servable && (behind.length === 0 || overdue);
}

/**
 * Whether a Service's nodes had all programmed it when that was last looked at. From then on only another spec or another
 * record asks them anew: endpoints come and go, and a node that joins reads everything before it is ready.
 */
export function wasProgrammed({ status }: Service): boolean {
	const said = status?.conditions?.find(
		({ type }) => type === conditions.programmed,
	);
	return said?.status === "True" || said?.reason === "RefusedByNodes";
}

/** Messages name no counts and, until nodes are overdue, no nodes: they would change with every report. */
export function explainProgrammed(programming: Programming): Verdict {
	switch (programming.kind) {
		case "NoAgents":
			return verdict(
				"Unknown",
				"NoAgents",
				"no Fairlead agent runs on the nodes: kube-proxy, or what stands in for it, carries the address and does not report",
			);
		case "AgentsWithoutRules":
			return verdict(
				"Unknown",
				"AgentsWithoutRules",
				"Fairlead's agents leave the rules alone (--rules audit or off): kube-proxy, or what stands in for it, carries the address and does not report",
			);
		case "NoReadyNodes":
			return verdict(
				"Unknown",
				"NoReadyNodes",
				"no node with a live Fairlead agent is ready and takes traffic of balancers",
			);
		case "Unassigned":
			return verdict(
				"False",
				"Unassigned",
				"there is no address that nodes could program",
			);
		case "Unrecorded":
			return programmingNow;
		case "Reported":
			return explainReported(programming);
	}
}

function explainReported(
	programming: Extract<Programming, { kind: "Reported" }>,
): Verdict {
	const { behind, more, overdue, refused } = programming;
	const sentences = refused.map(
		({ node, message }) => `node ${node} refuses it: ${message}`,
	);
	if (behind.length > 0 && !overdue) return programmingNow;
	if (behind.length > 0)
		return verdict(
			"False",
			"NodesLagging",
			[
				`not in the rules of ${behind.length === 1 && !more ? "node" : "nodes"} ${behind.join(", ")}${more ? " and others" : ""} after ${programmingMs / 1000} s; look at the agents there`,
				...sentences,
			].join("; "),
		);
	if (refused.length > 0)
		return verdict("False", "RefusedByNodes", sentences.join("; "));
	return verdict(
		"True",
		"Programmed",
		"every ready node with a Fairlead agent has it in its rules",
	);
}

const programmingNow = verdict(
	"False",
	"Programming",
	"nodes are taking it into their rules",
);

function verdict(
	status: Verdict["status"],
	reason: string,
	message: string,
): Verdict {
	return { type: conditions.programmed, status, reason, message };
}

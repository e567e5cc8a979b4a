import type { EndpointSlice, Service } from "../../../api/core.ts";
import { compile } from "../compile.ts";
import type { Backend, Frontend } from "../program.ts";
import { frontendKey, type Program } from "../program.ts";
import type { RulesNode } from "../rules-node.ts";
import { proxyNameLabel } from "../service-endpoints.ts";
import {
	type FoundFrontend,
	type KubeProxyRules,
	nodePortKey,
} from "./kube-proxy-rules.ts";

/** By `namespace/name` ("" where nobody can say whose it is): what kube-proxy does with it that it should not, one sentence each. */
export type Findings = Map<string, string[]>;

/**
 * What kube-proxy should have written: what it cannot know (what Fairlead records in annotations, and what label
 * service-proxy-name keeps from it) is left out.
 */
export function kubeProxyProgram(
	services: Iterable<Service>,
	slices: Iterable<EndpointSlice>,
	node: RulesNode,
): Program {
	const seen: Service[] = [];
	for (const service of services) {
		const { annotations: _, ...metadata } = service.metadata;
		if (metadata.labels && proxyNameLabel in metadata.labels) continue;
		seen.push({ ...service, metadata });
	}
	return compile({ services: seen, slices, node }).program;
}

/** Compares what kube-proxy should have written with what is there. */
export function compareRules(
	wanted: Program,
	found: Pick<KubeProxyRules, "frontends">,
): Findings {
	const findings: Findings = new Map();
	const say = (service: string, sentence: string) => {
		const known = findings.get(service) ?? [];
		// A NodePort is one finding, at however many addresses it is served.
		if (!known.includes(sentence)) known.push(sentence);
		findings.set(service, known);
	};
	const expected = new Set<string>();
	const balanced = new Set(
		[...wanted.frontends.values()].map(({ address }) => address),
	);
	for (const frontend of wanted.frontends.values()) {
		const key = keyOf(frontend);
		expected.add(key);
		const there = found.frontends.get(key);
		const what = nameOf(frontend);
		if (!there) say(frontend.service, `${what} is missing`);
		else
			for (const why of differences(frontend, there, balanced))
				say(frontend.service, `${what} ${why}`);
	}
	for (const [key, { service }] of found.frontends)
		if (!expected.has(key))
			say(service, `${key.replaceAll("|", " ")} is there and should not be`);
	return findings;
}

function keyOf(frontend: Frontend): string {
	const { kind, family, protocol, port } = frontend;
	return kind === "NodePort"
		? nodePortKey(family, protocol, port)
		: frontendKey(frontend);
}

function nameOf({ kind, family, address, protocol, port }: Frontend): string {
	return kind === "NodePort"
		? `NodePort ${protocol} ${port} (${family})`
		: `${kind} ${address} ${protocol} ${port}`;
}

function differences(
	wanted: Frontend,
	found: FoundFrontend,
	balanced: ReadonlySet<string>,
): string[] {
	const { endpoints, internalEndpoints = endpoints, whenEmpty } = wanted;
	const outside = difference(endpoints, found.endpoints);
	const inside = difference(internalEndpoints, found.internalEndpoints);
	const sentences: string[] = [];
	if (outside !== "") sentences.push(outside);
	if (inside !== "" && inside !== outside)
		sentences.push(`${inside} (for pods and the node)`);
	if (endpoints.length === 0 && found.refuses !== whenEmpty)
		sentences.push(
			`has no endpoint here, and packets are not ${whenEmpty === "drop" ? "dropped" : "rejected"}`,
		);
	if (endpoints.length > 0 && found.refuses)
		sentences.push(
			`has endpoints, and packets are ${found.refuses === "drop" ? "dropped" : "rejected"} all the same`,
		);
	if (
		endpoints.length > 0 &&
		wanted.affinitySeconds !== undefined &&
		!found.affinity
	)
		sentences.push("does not keep a client with its endpoint");
	const ranges = wanted.sourceRanges ?? [];
	if (ranges.length > 0) {
		const lacking = ranges.filter((cidr) => found.sources?.has(cidr) === false);
		// Where a node may connect, kube-proxy lets the balancer's own addresses through too.
		const more = [...(found.sources ?? [])].filter(
			(cidr) =>
				!ranges.includes(cidr) && !balanced.has(cidr.split("/")[0] ?? ""),
		);
		if (!found.sources) sentences.push("admits everybody, whatever its ranges");
		if (lacking.length > 0)
			sentences.push(`keeps out ${lacking.join(", ")} of its source ranges`);
		if (more.length > 0)
			sentences.push(`admits ${more.join(", ")} beside its source ranges`);
	} else if (!wanted.sourceRanges && found.sources)
		sentences.push(`admits only ${[...found.sources].join(", ")}`);
	return sentences;
}

function difference(
	wanted: readonly Backend[],
	found: ReadonlySet<string>,
): string {
	const should = new Set(
		wanted.map(({ address, port }) => `${address} ${port}`),
	);
	const missing = [...should].filter((each) => !found.has(each));
	const extra = [...found].filter((each) => !should.has(each));
	return [
		...(missing.length > 0 ? [`does not lead to ${few(missing)}`] : []),
		...(extra.length > 0 ? [`leads to ${few(extra)} as well`] : []),
	].join(" and ");
}

/** Some of many: a sentence is for people. */
function few(endpoints: readonly string[]): string {
	const shown = endpoints.slice(0, 3).join(", ");
	const more = endpoints.length - 3;
	return more > 0 ? `${shown} and ${more} more` : shown;
}

import { coverTexts } from "../../external-ips/cidr-cover.ts";
import { cidrRange, parseCidr } from "../../addresses/cidr.ts";
import {
	type Interval,
	mergeIntervals,
	subtractIntervals,
} from "../../addresses/intervals.ts";
import { parseIp } from "../../addresses/ip.ts";
import type { Backend, Frontend } from "../program.ts";
import type { FoundFrontend, KubeProxyRules } from "./kube-proxy-rules.ts";
import type { WantedFrontends } from "./wanted-frontends.ts";

/** By `namespace/name` ("" where nobody can say whose it is): what kube-proxy does with it that it should not, one sentence each. */
export type Findings = Map<string, string[]>;

/**
 * Compares what kube-proxy should have written with what is there. Where several Services want the same, kube-proxy goes through
 * them in no order, and what it wrote of one lies beside what it wrote of another: any of them may be there.
 */
export function compareRules(
	wanted: WantedFrontends,
	found: Pick<KubeProxyRules, "frontends">,
): Findings {
	const findings: Findings = new Map();
	const say = (service: string, sentence: string) => {
		const known = findings.get(service);
		if (known) known.push(sentence);
		else findings.set(service, [sentence]);
	};
	const balanced = balancedAddresses(wanted);
	for (const [key, candidates] of wanted) {
		const there = found.frontends.get(key);
		const frontend =
			candidates.find(({ service }) => service === there?.service) ??
			(candidates[0] as Frontend);
		if (!there && isServed(frontend))
			say(frontend.service, `${nameOf(frontend)} is missing`);
		else if (!there)
			for (const why of differences(frontend, nothingThere, balanced))
				say(frontend.service, `${nameOf(frontend)} ${why}`);
		else if (candidates.length === 1 || !isAnyOf(candidates, there, balanced))
			for (const why of differences(frontend, there, balanced))
				say(frontend.service, `${nameOf(frontend)} ${why}`);
	}
	for (const [key, { service }] of found.frontends)
		if (!wanted.has(key))
			say(service, `${key.replaceAll("|", " ")} is there and should not be`);
	return findings;
}

const nothingThere: FoundFrontend = {
	service: "",
	endpoints: new Set(),
	internalEndpoints: new Set(),
	affinity: false,
};

function isServed({ endpoints, internalEndpoints = [] }: Frontend): boolean {
	return endpoints.length + internalEndpoints.length > 0;
}

function isAnyOf(
	candidates: readonly Frontend[],
	{ refuses, sources, ...led }: FoundFrontend,
	balanced: Balanced,
): boolean {
	const parts = [
		{ ...led },
		{ ...led, ...(refuses && { refuses }) },
		{ ...led, ...(sources && { sources }) },
		{ ...led, ...(refuses && { refuses }), ...(sources && { sources }) },
	];
	return candidates.some((each) =>
		parts.some((part) => differences(each, part, balanced).length === 0),
	);
}

function nameOf({ kind, family, address, protocol, port }: Frontend): string {
	return kind === "NodePort"
		? `NodePort ${protocol} ${port} (${family})`
		: `${kind} ${address} ${protocol} ${port}`;
}

/** The addresses of each balanced Service, by `namespace/name`. */
type Balanced = ReadonlyMap<string, readonly Interval[]>;

function balancedAddresses(wanted: WantedFrontends): Balanced {
	const balanced = new Map<string, Interval[]>();
	for (const { kind, service, address } of [...wanted.values()].flat()) {
		const ip = parseIp(address);
		if (kind !== "LoadBalancer" || !ip.ok) continue;
		const { value } = ip.value;
		const known = balanced.get(service) ?? [];
		balanced.set(service, known);
		known.push({ start: value, end: value });
	}
	return balanced;
}

function differences(
	wanted: Frontend,
	found: FoundFrontend,
	balanced: Balanced,
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
	// Where nobody serves, everybody is refused, and iptables mode writes no ranges.
	if (isServed(wanted)) {
		const own = balanced.get(wanted.service) ?? [];
		sentences.push(...sourceDifferences(wanted, found.sources, own));
		if (wanted.sourceRanges && found.letsOthersBy)
			sentences.push("does not drop what its source ranges keep out");
	}
	return sentences;
}

function sourceDifferences(
	{ family, sourceRanges }: Frontend,
	found: readonly Interval[] | undefined,
	own: readonly Interval[],
): string[] {
	if (!sourceRanges)
		return found ? [`admits only ${few(coverTexts(family, found))}`] : [];
	if (sourceRanges.length === 0) return [];
	if (!found) return ["admits everybody, whatever its ranges"];
	const ranges = sourceRanges.flatMap((text) => {
		const cidr = parseCidr(text);
		return cidr.ok ? [cidrRange(cidr.value)] : [];
	});
	const lacking = subtractIntervals(mergeIntervals(ranges), found);
	// Where the node itself may connect, kube-proxy lets the balancer's own addresses through too.
	const more = subtractIntervals(found, mergeIntervals([...ranges, ...own]));
	return [
		...(lacking.length > 0
			? [`keeps out ${few(coverTexts(family, lacking))} of its source ranges`]
			: []),
		...(more.length > 0
			? [`admits ${few(coverTexts(family, more))} beside its source ranges`]
			: []),
	];
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

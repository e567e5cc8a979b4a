import type { IPFamily } from "../../../api/core.ts";
import { cidrRange, parseCidr } from "../../addresses/cidr.ts";
import { type Interval, mergeIntervals } from "../../addresses/intervals.ts";
import { parseIp } from "../../addresses/ip.ts";
import {
	type FoundFrontend,
	type KubeProxyRules,
	nodePortKey,
} from "./kube-proxy-rules.ts";

/** An expression or an object of nft's JSON. */
type Json = unknown;

/**
 * Reads `nft -j list table ip kube-proxy`. The layout is that of Kubernetes 1.37 (pkg/proxy/nftables/proxier.go): verdict maps
 * lead from addresses and NodePorts to chains `service-…`, `local-…` and `external-…`, which name endpoints.
 *
 * @throws RangeError for what is no listing of nft
 */
export function readNftables(family: IPFamily, listing: Json): KubeProxyRules {
	const objects = field(listing, "nftables");
	if (!Array.isArray(objects)) throw new RangeError("not a listing of nft");
	const table = new Table(family, objects);
	return {
		families: new Set([family]),
		frontends: table.frontends(),
		broken: table.broken(),
	};
}

/** Base chains, the type and hook of each, and where it leads. */
const baseChains: readonly [string, string, readonly string[]][] = [
	["filter-prerouting-pre-dnat", "filter prerouting", ["firewall-check"]],
	["filter-output-pre-dnat", "filter output", ["firewall-check"]],
	[
		"filter-input",
		"filter input",
		["nodeport-endpoints-check", "service-endpoints-check"],
	],
	[
		"filter-forward",
		"filter forward",
		["service-endpoints-check", "cluster-ips-check"],
	],
	[
		"filter-output",
		"filter output",
		["service-endpoints-check", "cluster-ips-check"],
	],
	["nat-prerouting", "nat prerouting", ["services"]],
	["nat-output", "nat output", ["services"]],
	["nat-postrouting", "nat postrouting", ["masquerading"]],
];

/** Further chains that all Services share, a word that each must contain, and what is to be said if it does not. */
const contents: readonly [chain: string, word: string, lack: string][] = [
	["services", "@service-ips", "does not ask map service-ips"],
	["services", "@service-nodeports", "does not ask map service-nodeports"],
	["firewall-check", "@firewall-ips", "does not ask map firewall-ips"],
	[
		"service-endpoints-check",
		"@no-endpoint-services",
		"does not ask map no-endpoint-services",
	],
	[
		"nodeport-endpoints-check",
		"@no-endpoint-nodeports",
		"does not ask map no-endpoint-nodeports",
	],
	["cluster-ips-check", "@cluster-ips", "does not ask set cluster-ips"],
	["masquerading", "masquerade", "masquerades nothing"],
	["reject-chain", "reject", "rejects nothing"],
];

class Table {
	readonly #family: IPFamily;
	readonly #rules = new Map<string, Json[][]>();
	readonly #maps = new Map<string, [key: Json, verdict: Json][]>();
	/** Type and hook of base chains. */
	readonly #hooked = new Map<string, string>();

	constructor(family: IPFamily, objects: readonly Json[]) {
		this.#family = family;
		for (const object of objects) {
			const rule = field(object, "rule");
			const map = field(object, "map");
			const chain = field(object, "chain");
			if (rule !== undefined) {
				const of = textOf(field(rule, "chain"));
				const rules = this.#rules.get(of) ?? [];
				this.#rules.set(of, rules);
				rules.push(listOf(field(rule, "expr")));
			} else if (map !== undefined) {
				const pairs = listOf(field(map, "elem")).map(
					(pair) => listOf(pair) as [Json, Json],
				);
				this.#maps.set(textOf(field(map, "name")), pairs);
			} else if (field(chain, "hook") !== undefined)
				this.#hooked.set(
					textOf(field(chain, "name")),
					`${textOf(field(chain, "type"))} ${textOf(field(chain, "hook"))}`,
				);
		}
	}

	/** Whether packets come by at all. */
	broken(): string[] {
		const missing: string[] = [];
		for (const [chain, hook, targets] of baseChains)
			if (this.#hooked.get(chain) !== hook)
				missing.push(`chain ${chain} is not at hook ${hook}`);
			else
				for (const target of targets)
					if (!this.#targets(chain).includes(target))
						missing.push(`chain ${chain} does not lead to chain ${target}`);
		for (const [chain, word, lack] of contents)
			if (!JSON.stringify(this.#rules.get(chain) ?? []).includes(`"${word}"`))
				missing.push(`chain ${chain} ${lack}`);
		return missing.map((each) => `${this.#family}: ${each}`);
	}

	frontends(): Map<string, FoundFrontend> {
		const found = new Map<string, FoundFrontend>();
		const at = (key: string, service: string): FoundFrontend => {
			const known = found.get(key) ?? {
				service,
				endpoints: new Set(),
				internalEndpoints: new Set(),
				affinity: false,
			};
			found.set(key, known);
			return known;
		};
		for (const [map, keyOf] of [
			["service-ips", addressKey],
			["service-nodeports", portKey(this.#family)],
		] as const)
			for (const [key, verdict] of this.#maps.get(map) ?? []) {
				const chain = targetOf(verdict);
				const frontend = at(keyOf(valuesOf(key)), serviceOf(chain));
				frontend.endpoints = this.#endpoints(chain, false);
				frontend.internalEndpoints = this.#endpoints(chain, true);
				frontend.affinity = this.#remembers(chain);
			}
		for (const [map, keyOf] of [
			["no-endpoint-services", addressKey],
			["no-endpoint-nodeports", portKey(this.#family)],
		] as const)
			for (const [key, verdict] of this.#maps.get(map) ?? []) {
				const comment = textOf(field(field(key, "elem"), "comment"));
				const [service = ""] = comment.split(":");
				at(keyOf(valuesOf(key)), service).refuses =
					targetOf(verdict) === "" ? "drop" : "reject";
			}
		for (const [key, verdict] of this.#maps.get("firewall-ips") ?? []) {
			const chain = targetOf(verdict);
			const sources = this.#sources(chain);
			if (sources)
				at(addressKey(valuesOf(key)), serviceOf(chain)).sources = sources;
		}
		return found;
	}

	/** Where a chain leads pods and the node itself, or who comes from outside. */
	#endpoints(chain: string, inside: boolean): Set<string> {
		const found = new Set<string>();
		for (const rule of this.#rules.get(chain) ?? []) {
			if (isAboutAffinity(rule)) continue;
			const forInside = isAboutSource(rule);
			if (forInside && !inside) continue;
			for (const expression of rule) {
				for (const endpoint of endpointsIn(field(expression, "dnat")))
					found.add(endpoint);
				for (const target of targetsIn(expression))
					for (const endpoint of this.#endpoints(target, inside))
						found.add(endpoint);
			}
			// Who is led away here sees no later rule.
			if (forInside && rule.some((each) => targetOf(each) !== "")) return found;
		}
		return found;
	}

	#remembers(chain: string): boolean {
		return (this.#rules.get(chain) ?? []).some(
			(rule) =>
				isAboutAffinity(rule) ||
				rule.some((each) => {
					const target = field(field(each, "goto"), "target");
					return target !== undefined && this.#remembers(textOf(target));
				}),
		);
	}

	/** Undefined where a chain keeps nobody out. */
	#sources(chain: string): Interval[] | undefined {
		const [rule] = this.#rules.get(chain) ?? [];
		const right = field(field(rule?.[0], "match"), "right");
		const listed = field(right, "set");
		const ranges = (Array.isArray(listed) ? listed : [right]).map(intervalOf);
		return ranges.every((each) => each !== undefined)
			? mergeIntervals(ranges)
			: undefined;
	}

	#targets(chain: string): string[] {
		return (this.#rules.get(chain) ?? []).flat().flatMap(targetsIn);
	}
}

function field(of: Json, name: string): Json {
	return typeof of === "object" && of !== null
		? (of as Record<string, Json>)[name]
		: undefined;
}

function textOf(value: Json): string {
	return typeof value === "string" ? value : "";
}

function listOf(value: Json): Json[] {
	return Array.isArray(value) ? value : [];
}

/** The parts of an element's key; one that has a comment lies deeper. */
function valuesOf(key: Json): Json[] {
	const value = field(field(key, "elem"), "val") ?? key;
	return listOf(field(value, "concat"));
}

function addressKey([address, protocol, port]: Json[]): string {
	return `${textOf(address)}|${textOf(protocol).toUpperCase()}|${Number(port)}`;
}

function portKey(family: IPFamily): (values: Json[]) => string {
	return ([protocol, port]) =>
		nodePortKey(family, textOf(protocol).toUpperCase(), Number(port));
}

/** Where a verdict goes; "" if nowhere. */
function targetOf(verdict: Json): string {
	return textOf(field(field(verdict, "goto"), "target"));
}

function targetsIn(expression: Json): string[] {
	const direct = ["goto", "jump"].flatMap((verb) => {
		const target = textOf(field(field(expression, verb), "target"));
		return target === "" ? [] : [target];
	});
	const drawn = listOf(
		field(field(field(expression, "vmap"), "data"), "set"),
	).map((pair) => targetOf(listOf(pair)[1]));
	return [...direct, ...drawn.filter((target) => target !== "")];
}

function endpointsIn(dnat: Json): string[] {
	const addr = field(dnat, "addr");
	if (typeof addr === "string")
		return [`${addr} ${Number(field(dnat, "port"))}`];
	const set = field(field(field(addr, "map"), "data"), "set");
	return listOf(set).map((pair) => {
		const [address, port] = listOf(field(listOf(pair)[1], "concat"));
		return `${textOf(address)} ${Number(port)}`;
	});
}

function isAboutAffinity(rule: readonly Json[]): boolean {
	return rule.some((each) =>
		textOf(field(field(each, "match"), "right")).startsWith("@affinity-"),
	);
}

/** Only for pods, or for the node itself. */
function isAboutSource(rule: readonly Json[]): boolean {
	return rule.some((each) => {
		const left = field(field(each, "match"), "left");
		return (
			field(left, "fib") !== undefined ||
			textOf(field(field(left, "payload"), "field")) === "saddr"
		);
	});
}

/** An address, prefix or range; undefined for anything else. */
function intervalOf(value: Json): Interval | undefined {
	if (typeof value === "string") return between(value, value);
	const range = field(value, "range");
	if (Array.isArray(range)) return between(textOf(range[0]), textOf(range[1]));
	const prefix = field(value, "prefix");
	const cidr = parseCidr(
		`${textOf(field(prefix, "addr"))}/${Number(field(prefix, "len"))}`,
	);
	return cidr.ok ? cidrRange(cidr.value) : undefined;
}

function between(first: string, last: string): Interval | undefined {
	const [start, end] = [parseIp(first), parseIp(last)];
	return start.ok && end.ok
		? { start: start.value.value, end: end.value.value }
		: undefined;
}

/** Chains are named `service-HASH-namespace/name/protocol/port`. */
function serviceOf(chain: string): string {
	return /^[a-z]+-\w+-([^/]+\/[^/]+)\//.exec(chain)?.[1] ?? "";
}

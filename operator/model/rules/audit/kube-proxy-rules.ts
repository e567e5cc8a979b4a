import type { IPFamily } from "../../../api/core.ts";

/**
 * What kube-proxy's own nftables rules do, read from `nft -j list table ip kube-proxy`. Its layout is that of Kubernetes
 * 1.37 (pkg/proxy/nftables/proxier.go): verdict maps lead from addresses and NodePorts to chains `service-…`, `local-…` and
 * `external-…`, which name endpoints.
 */
export interface KubeProxyRules {
	/** By `frontendKey`; NodePorts by `nodePortKey`, for a port is served at all node addresses alike. */
	frontends: Map<string, FoundFrontend>;
	/** What is wrong with the rules as a whole, one sentence each: no packet meets what this concerns. */
	broken: string[];
}

export interface FoundFrontend {
	/** `namespace/name`; "" where the rules do not say. */
	service: string;
	/** `ADDRESS PORT` of every endpoint that clients outside are led to. */
	endpoints: Set<string>;
	/** The same for pods and the node itself. */
	internalEndpoints: Set<string>;
	/** What happens to who is led nowhere; undefined: he is not stopped. */
	refuses?: "reject" | "drop";
	affinity: boolean;
	/** Who may connect, as CIDRs; absent: everybody. */
	sources?: Set<string>;
}

/** `IPv4|NodePort|TCP|30080`. */
export function nodePortKey(
	family: IPFamily,
	protocol: string,
	port: number,
): string {
	return `${family}|NodePort|${protocol}|${port}`;
}

/** An expression or an object of nft's JSON. */
type Json = unknown;

/** @throws RangeError for what is no listing of nft */
export function readKubeProxyTable(
	family: IPFamily,
	listing: Json,
): KubeProxyRules {
	const objects = field(listing, "nftables");
	if (!Array.isArray(objects)) throw new RangeError("not a listing of nft");
	const table = new Table(family, objects);
	return { frontends: table.frontends(), broken: table.broken() };
}

class Table {
	readonly #family: IPFamily;
	readonly #rules = new Map<string, Json[][]>();
	readonly #maps = new Map<string, [key: Json, verdict: Json][]>();
	readonly #hooked = new Set<string>();

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
			} else if (textOf(field(chain, "type")) === "nat")
				this.#hooked.add(
					`${textOf(field(chain, "hook"))} ${textOf(field(chain, "name"))}`,
				);
		}
	}

	/** Whether the maps are asked at all. */
	broken(): string[] {
		const missing: string[] = [];
		for (const hook of ["prerouting", "output"])
			if (
				!this.#hooked.has(`${hook} nat-${hook}`) ||
				!this.#targets(`nat-${hook}`).includes("services")
			)
				missing.push(
					`${this.#family}: nothing at hook ${hook} leads to chain services`,
				);
		for (const map of ["service-ips", "service-nodeports"])
			if (
				!JSON.stringify(this.#rules.get("services") ?? []).includes(`@${map}`)
			)
				missing.push(`${this.#family}: chain services does not ask map ${map}`);
		return missing;
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

	/** Undefined where a listing does not say it as CIDRs. */
	#sources(chain: string): Set<string> | undefined {
		const [rule] = this.#rules.get(chain) ?? [];
		const right = field(field(rule?.[0], "match"), "right");
		const listed = field(right, "set");
		const cidrs = (Array.isArray(listed) ? listed : [right]).map((each) =>
			typeof each === "string"
				? `${each}/${this.#family === "IPv4" ? 32 : 128}`
				: prefixOf(field(each, "prefix")),
		);
		return cidrs.every((each) => each !== undefined)
			? new Set(cidrs)
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

function prefixOf(prefix: Json): string | undefined {
	return prefix === undefined
		? undefined
		: `${textOf(field(prefix, "addr"))}/${Number(field(prefix, "len"))}`;
}

/** Chains are named `service-HASH-namespace/name/protocol/port`. */
function serviceOf(chain: string): string {
	return /^[a-z]+-\w+-([^/]+\/[^/]+)\//.exec(chain)?.[1] ?? "";
}

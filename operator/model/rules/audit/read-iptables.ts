import type { IPFamily } from "../../../api/core.ts";
import { cidrRange, parseCidr } from "../../addresses/cidr.ts";
import { type Interval, mergeIntervals } from "../../addresses/intervals.ts";
import { parseIp } from "../../addresses/ip.ts";
import { type IptablesRule, parseIptablesSave } from "./iptables-save.ts";
import {
	type FoundFrontend,
	type KubeProxyRules,
	nodePortKey,
} from "./kube-proxy-rules.ts";

/**
 * Reads kube-proxy's rules in what `iptables-save` (IPv4) or `ip6tables-save` prints; undefined where it has none. The layout is
 * that of Kubernetes 1.37 (pkg/proxy/iptables/proxier.go): nat KUBE-SERVICES and KUBE-NODEPORTS lead to a Service's chains,
 * those to one chain for each endpoint; filter refuses what nobody serves, and drops who is outside of source ranges.
 */
export function readIptables(
	family: IPFamily,
	text: string,
): KubeProxyRules | undefined {
	const tables = parseIptablesSave(text);
	const nat = tables.get("nat");
	if (!nat?.has("KUBE-SERVICES")) return undefined;
	const rules = new Rules(family, nat, tables.get("filter") ?? new Map());
	return {
		families: new Set([family]),
		frontends: rules.frontends(),
		broken: rules.broken(),
		unreached: new Set(rules.nodePortsReached() ? [] : [family]),
	};
}

type Chains = ReadonlyMap<string, readonly IptablesRule[]>;
type Table = "nat" | "filter";

/** Where the kernel's chains lead. Source: iptablesJumpChains, but for what serves health checks. */
const jumps: readonly [Table, from: string, to: string][] = [
	["nat", "PREROUTING", "KUBE-SERVICES"],
	["nat", "OUTPUT", "KUBE-SERVICES"],
	["nat", "POSTROUTING", "KUBE-POSTROUTING"],
	...["INPUT", "FORWARD"].map(
		(from) => ["filter", from, "KUBE-EXTERNAL-SERVICES"] as const,
	),
	...["FORWARD", "OUTPUT"].map(
		(from) => ["filter", from, "KUBE-SERVICES"] as const,
	),
	...["INPUT", "FORWARD", "OUTPUT"].map(
		(from) => ["filter", from, "KUBE-PROXY-FIREWALL"] as const,
	),
	["filter", "FORWARD", "KUBE-FORWARD"],
	["filter", "INPUT", "KUBE-NODEPORTS"],
].map(([table, from, to]) => [table as Table, from as string, to as string]);

/** Further chains that all Services share, and what they are for. */
const contents: readonly [Table, chain: string, target: string, why: string][] =
	[
		["nat", "KUBE-POSTROUTING", "MASQUERADE", "masquerades nothing"],
		["nat", "KUBE-MARK-MASQ", "MARK", "marks nothing for masquerading"],
		["filter", "KUBE-FORWARD", "ACCEPT", "accepts nothing"],
	];

class Rules {
	readonly #family: IPFamily;
	readonly #chains: Record<Table, Chains>;

	constructor(family: IPFamily, nat: Chains, filter: Chains) {
		this.#family = family;
		this.#chains = { nat, filter };
	}

	/** Whether packets come by at all. */
	broken(): string[] {
		const missing: string[] = [];
		for (const [table, from, to] of jumps)
			if (!this.#has(table, from, to))
				missing.push(
					`chain ${from} of table ${table} does not lead to chain ${to}`,
				);
		for (const [table, chain, target, why] of contents)
			if (!this.#has(table, chain, target))
				missing.push(`chain ${chain} of table ${table} ${why}`);
		return missing.map((each) => `${this.#family}: ${each}`);
	}

	nodePortsReached(): boolean {
		return (
			this.#rules("nat", "KUBE-NODEPORTS").length === 0 ||
			this.#has("nat", "KUBE-SERVICES", "KUBE-NODEPORTS")
		);
	}

	frontends(): Map<string, FoundFrontend> {
		const found = new Map<string, FoundFrontend>();
		const at = (key: string, rule: IptablesRule): FoundFrontend => {
			const known = found.get(key) ?? {
				service: serviceOf(rule),
				endpoints: new Set(),
				internalEndpoints: new Set(),
				affinity: false,
			};
			found.set(key, known);
			return known;
		};
		for (const chain of ["KUBE-SERVICES", "KUBE-NODEPORTS"])
			for (const rule of this.#rules("nat", chain)) {
				const key = this.#keyOf(rule, chain === "KUBE-NODEPORTS");
				// The first rule that a packet meets takes it.
				if (key !== undefined && rule.target && !found.has(key))
					this.#lead(at(key, rule), rule.target);
			}
		for (const chain of ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"])
			for (const rule of this.#rules("filter", chain)) {
				const key = this.#keyOf(rule, rule.toNode);
				const { target } = rule;
				if (key !== undefined && (target === "DROP" || target === "REJECT"))
					at(key, rule).refuses ??= target === "DROP" ? "drop" : "reject";
			}
		const guarded = new Set(
			this.#rules("filter", "KUBE-PROXY-FIREWALL")
				.filter(({ target }) => target === "DROP")
				.map((rule) => this.#keyOf(rule, false)),
		);
		for (const [key, frontend] of found)
			if (frontend.sources && !guarded.has(key)) frontend.letsOthersBy = true;
		return found;
	}

	#lead(frontend: FoundFrontend, chain: string): void {
		const firewall = chain.startsWith("KUBE-FW-");
		if (firewall) frontend.sources = this.#sources(chain);
		const targets = firewall
			? this.#rules("nat", chain).flatMap(({ target }) => target ?? [])
			: [chain];
		for (const target of new Set(targets)) {
			for (const endpoint of this.#endpoints(target, false))
				frontend.endpoints.add(endpoint);
			for (const endpoint of this.#endpoints(target, true))
				frontend.internalEndpoints.add(endpoint);
			frontend.affinity ||= this.#remembers(target);
		}
	}

	/** Where a chain leads pods and the node itself, or who comes from outside. */
	#endpoints(chain: string, inside: boolean): Set<string> {
		const found = new Set<string>();
		for (const rule of this.#rules("nat", chain)) {
			const { target, forInside, recent, random, leadsTo } = rule;
			if (!target || target === "KUBE-MARK-MASQ" || recent === "asks") continue;
			if (forInside && !inside) continue;
			const led = new Set(
				leadsTo ? [leadsTo] : this.#endpoints(target, inside),
			);
			for (const endpoint of led) found.add(endpoint);
			// Who is led away here sees no later rule.
			if (led.size > 0 && !random) return found;
		}
		return found;
	}

	/** Whether each endpoint a chain leads to is asked for first, and noted down. */
	#remembers(chain: string): boolean {
		const rules = this.#rules("nat", chain);
		const asked = rules
			.filter(({ recent }) => recent === "asks")
			.map(({ target }) => target);
		const targets = rules.flatMap(({ target, recent }) =>
			target?.startsWith("KUBE-S") && !recent ? [target] : [],
		);
		return (
			targets.length > 0 &&
			targets.every((target) =>
				target.startsWith("KUBE-SEP-")
					? asked.includes(target) &&
						this.#rules("nat", target).some(({ recent }) => recent === "notes")
					: this.#remembers(target),
			)
		);
	}

	#sources(chain: string): Interval[] {
		return mergeIntervals(
			this.#rules("nat", chain).flatMap(({ source = "", target }) => {
				const cidr = parseCidr(source);
				if (target && cidr.ok) return [cidrRange(cidr.value)];
				const ip = parseIp(source);
				return target && ip.ok
					? [{ start: ip.value.value, end: ip.value.value }]
					: [];
			}),
		);
	}

	/** Undefined for a rule that is about no single address or NodePort. */
	#keyOf(
		{ destination, protocol, port }: IptablesRule,
		nodePort: boolean,
	): string | undefined {
		if (protocol === undefined || port === undefined) return undefined;
		// At loopback addresses NodePorts have rules of their own, which only count.
		if (nodePort)
			return destination === undefined
				? nodePortKey(this.#family, protocol, port)
				: undefined;
		return destination === undefined
			? undefined
			: `${destination}|${protocol}|${port}`;
	}

	#has(table: Table, chain: string, target: string): boolean {
		return this.#rules(table, chain).some((rule) => rule.target === target);
	}

	#rules(table: Table, chain: string): readonly IptablesRule[] {
		return this.#chains[table].get(chain) ?? [];
	}
}

/** Comments begin with `namespace/name:port`, or without the port if that has no name. */
function serviceOf({ comment = "" }: IptablesRule): string {
	return /^[^\s/:]+\/[^\s/:]+/.exec(comment)?.[0] ?? "";
}

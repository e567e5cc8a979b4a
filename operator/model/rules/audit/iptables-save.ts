/** One rule of iptables, as far as kube-proxy's are told apart by it. */
export interface IptablesRule {
	/** The address, or the CIDR if it is none. */
	destination?: string;
	/** CIDR, or address; not where it is negated. */
	source?: string;
	protocol?: string;
	port?: number;
	comment?: string;
	/** Chain or target; absent: the rule only counts. */
	target?: string;
	/** Only for what comes from pods or from the node itself. */
	forInside: boolean;
	/** Only for what goes to an address of the node. */
	toNode: boolean;
	/** It takes its share of packets, and leaves the others to the next rule. */
	random: boolean;
	/** Match `recent`: asks for a client's endpoint, or notes it down. */
	recent?: "asks" | "notes";
	/** `ADDRESS PORT` of DNAT. */
	leadsTo?: string;
}

/** Rules by chain, by table; a chain without rules is there with none. */
export type IptablesTables = ReadonlyMap<
	string,
	ReadonlyMap<string, readonly IptablesRule[]>
>;

/** Reads what `iptables-save` prints, in its nft or its legacy variant. */
export function parseIptablesSave(text: string): IptablesTables {
	const tables = new Map<string, Map<string, IptablesRule[]>>();
	let chains = new Map<string, IptablesRule[]>();
	for (const line of text.split("\n")) {
		if (line.startsWith("*")) {
			chains = tables.get(line.slice(1)) ?? new Map<string, IptablesRule[]>();
			tables.set(line.slice(1), chains);
		} else if (line.startsWith(":")) {
			const [chain = ""] = line.slice(1).split(" ");
			if (!chains.has(chain)) chains.set(chain, []);
		} else if (line.startsWith("-A ")) {
			const [, chain = "", ...words] = wordsOf(line);
			const rules = chains.get(chain) ?? [];
			chains.set(chain, rules);
			rules.push(ruleOf(words));
		}
	}
	return tables;
}

/** Words are quoted where they have spaces; quotes within have a backslash. */
function wordsOf(line: string): string[] {
	return (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) =>
		word.startsWith('"') ? word.slice(1, -1).replaceAll(/\\(.)/g, "$1") : word,
	);
}

function ruleOf(words: readonly string[]): IptablesRule {
	const rule: IptablesRule = { forInside: false, toNode: false, random: false };
	for (const [at, word] of words.entries()) {
		const value = words[at + 1] ?? "";
		const negated = words[at - 1] === "!";
		switch (word) {
			case "-d":
				if (!negated) rule.destination = addressOf(value);
				break;
			case "-s":
				if (negated) break;
				rule.source = addressOf(value);
				rule.forInside = true;
				break;
			case "-i":
				rule.forInside = true;
				break;
			case "-p":
				rule.protocol = value.toUpperCase();
				break;
			case "--dport":
				rule.port = Number(value);
				break;
			case "--comment":
				rule.comment = value;
				break;
			case "-j":
			case "-g":
				rule.target = value;
				break;
			case "--src-type":
				rule.forInside = true;
				break;
			case "--dst-type":
				rule.toNode = value === "LOCAL" && !negated;
				break;
			case "--probability":
				rule.random = true;
				break;
			case "--rcheck":
				rule.recent = "asks";
				break;
			case "--set":
				rule.recent = "notes";
				break;
			case "--to-destination":
				rule.leadsTo = endpointOf(value);
				break;
			default:
		}
	}
	return rule;
}

function addressOf(cidr: string): string {
	return cidr.replace(cidr.includes(":") ? /\/128$/ : /\/32$/, "");
}

/** Reads `10.0.0.1:80` and `[fd00::1]:80`. */
function endpointOf(text: string): string {
	const colon = text.lastIndexOf(":");
	const address = text.slice(0, colon).replaceAll(/[[\]]/g, "");
	return `${address} ${text.slice(colon + 1)}`;
}

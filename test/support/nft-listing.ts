import { spawnSync } from "node:child_process";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";

/** What `nft` prints when it is run in a namespace. */
export function nftIn(namespace: NetworkNamespace, ...words: string[]): string {
	const { status, stdout, stderr, error } = namespace.run(() =>
		spawnSync("nft", words, { encoding: "utf8", maxBuffer: 1 << 28 }),
	);
	if (status !== 0) throw error ?? new Error(stderr);
	return stdout;
}

/** Commands of one transaction that also a process without privileges on the host may send (net.core.wmem_max). */
const atOnce = 500;

/**
 * Has `nft` run commands, one a line, in as few transactions as anybody may send: the last 500 lines are always one.
 */
export function nftScriptIn(namespace: NetworkNamespace, script: string): void {
	const lines = script.split("\n");
	let from = 0;
	while (from < lines.length) {
		const to = from + (((lines.length - from - 1) % atOnce) + 1);
		const { status, stderr, error } = namespace.run(() =>
			spawnSync("nft", ["-f", "-"], {
				input: lines.slice(from, to).join("\n"),
				encoding: "utf8",
			}),
		);
		if (status !== 0) throw error ?? new Error(stderr);
		from = to;
	}
}

interface Listed {
	family: string;
	name: string;
	table?: string;
	chain?: string;
	elem?: unknown[];
	expr?: unknown;
}

/**
 * The tables of a name in the kernel's ruleset as `nft` reads it back, in lines that two names share if and only if packets
 * meet the same rules there. Not what only frontends of the past needed, nor who was remembered where; slots that are drawn with
 * the same likelihood count as the same whatever their order.
 */
export function essenceOf(listing: string, table: string): string[] {
	const { nftables } = JSON.parse(listing) as {
		nftables: Record<string, Listed>[];
	};
	const objects = nftables.flatMap((entry) => Object.entries(entry));
	const listed = (...kinds: string[]) =>
		objects.flatMap(([kind, object]) =>
			kinds.includes(kind) && object.table === table ? [object] : [],
		);
	const sets = listed("set", "map").filter(({ name }) => name !== "affinity");
	const filled = new Set(
		sets
			.filter(({ elem }) => elem?.length)
			.map(({ family, name }) => `${family} ${name}`),
	);
	const drawn = numbersInUse(sets);
	return [
		...sets.flatMap((set) => elementLines(set, drawn)),
		...listed("chain")
			.filter((chain) => !isIdle(chain, chain.name, drawn))
			.map((chain) => JSON.stringify({ ...chain, handle: 0, table: "" })),
		...ruleLines(listed("rule"), filled, drawn),
	].sort();
}

/** `ip lb-2`, if a frontend of that family has two endpoints. */
function numbersInUse(sets: readonly Listed[]): Set<string> {
	const used = new Set<string>();
	for (const { family, name, elem = [] } of sets) {
		if (name !== "services" && name !== "services-inside") continue;
		const chain = name === "services" ? "lb" : "lb-inside";
		for (const [, number] of elem as [unknown, number][])
			used.add(`${family} ${chain}-${number}`);
	}
	return used;
}

/** A chain for a number of endpoints that nobody has any more. */
function isIdle(
	{ family }: Listed,
	chain: string,
	drawn: ReadonlySet<string>,
): boolean {
	return chain.startsWith("lb-") && !drawn.has(`${family} ${chain}`);
}

function elementLines(
	{ family, name, elem = [] }: Listed,
	drawn: ReadonlySet<string>,
): string[] {
	if (name.startsWith("balance")) {
		const chain = name === "balance" ? "lb" : "lb-inside";
		return (elem as [number, unknown][])
			.filter(([number]) => drawn.has(`${family} ${chain}-${number}`))
			.map((each) => `${family} ${name} ${JSON.stringify(each)}`);
	}
	if (!name.startsWith("endpoints"))
		return elem.map((each) => `${family} ${name} ${JSON.stringify(each)}`);
	const slots = new Map<string, { numbers: number[]; ends: string[] }>();
	for (const [key, end] of elem as [{ concat: unknown[] }, unknown][]) {
		const frontend = JSON.stringify(key.concat.slice(0, -1));
		const known = slots.get(frontend) ?? { numbers: [], ends: [] };
		slots.set(frontend, known);
		known.numbers.push(key.concat.at(-1) as number);
		known.ends.push(JSON.stringify(end));
	}
	return [...slots].map(
		([frontend, { numbers, ends }]) =>
			`${family} ${name} ${frontend} slots ${numbers.sort((a, b) => a - b).join()}: ${ends.sort().join()}`,
	);
}

/** Rules by chain, in their order but for those that are made on demand, whose order means nothing. */
function ruleLines(
	rules: readonly Listed[],
	filled: ReadonlySet<string>,
	drawn: ReadonlySet<string>,
): string[] {
	const chains = new Map<string, { fixed: string[]; onDemand: string[] }>();
	for (const rule of rules) {
		const { family, chain = "", expr } = rule;
		if (isIdle(rule, chain, drawn)) continue;
		const name = `${family} ${chain}`;
		const known = chains.get(name) ?? { fixed: [], onDemand: [] };
		chains.set(name, known);
		const line = JSON.stringify(expr);
		const set = /"@((?:affine|sources)-\d+)"/.exec(line)?.[1];
		if (!set) known.fixed.push(line);
		else if (filled.has(`${family} ${set}`)) known.onDemand.push(line);
	}
	return [...chains].map(
		([name, { fixed, onDemand }]) =>
			`${name}: ${onDemand.sort().join()}; ${fixed.join()}`,
	);
}

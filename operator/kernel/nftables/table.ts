import type { IPFamily } from "../../api/core.ts";
import type {
	Frontend,
	HeldAddress,
	Program,
	ProgramChange,
} from "../../model/rules/program.ts";
import { addressBytes } from "../address-bytes.ts";
import {
	addElements,
	deleteElements,
	type Element,
	flushElements,
} from "./elements.ts";
import {
	allEndpoints,
	changeFrontend,
	type ElementChanges,
	noChanges,
	put,
} from "./frontend-elements.ts";
import { learningRule, learningSet } from "./affinity-rules.ts";
import { inPieces } from "./frontend-pieces.ts";
import { changeHeld } from "./held-elements.ts";
import { guarded, guardSets, renewGuard } from "./guard.ts";
import type { Expected } from "./read-back.ts";
import { numberWord, prefixMask } from "./keys.ts";
import {
	deleteTable,
	newChain,
	newRule,
	newSet,
	newTable,
	type ChainSpec,
	type RuleSpec,
	type Step,
} from "./objects.ts";
import type { Part } from "./transaction.ts";
import { type Settings, settingsElements } from "./settings.ts";
import {
	balancingChain,
	type Scope,
	scopes,
	skeletonChains,
	skeletonSets,
	sourcesRule,
	sourcesSet,
} from "./skeleton.ts";
import type { TableName } from "./wire.ts";

const everyScope: readonly Scope[] = ["everybody", "inside"];
/** The maps that lead packets to endpoints. */
const leading = new Set(everyScope.map((scope) => scopes[scope].services));
/** Sets whose elements come and go by themselves. */
const changing = new Set(["affinity", ...guardSets().map(({ name }) => name)]);

/**
 * One family's table: what a change of the program is in steps, and the little that must be remembered for that. It
 * assumes that the steps it gave were carried out; where they were not, `rebuild` begins anew.
 */
export class Table {
	readonly name: TableName;
	/** Numbers of endpoints that have a chain. */
	#balanced: Record<Scope, Set<number>> = emptyScopes();
	/** Affinity durations that have a set and a rule. */
	#learned = new Set<number>();
	/** Prefix lengths of source ranges that have a set and a rule. */
	#prefixLengths = new Set<number>();
	/** How often each endpoint's address is used. */
	#endpoints = new Map<string, number>();
	/** Chains, rules and sets made since the table was. */
	#made = 0;
	/** For how long the rules count without being renewed; undefined: for ever. */
	readonly #guardMs: number | undefined;

	constructor(name: TableName, guardMs?: number) {
		this.name = name;
		this.#guardMs = guardMs;
	}

	get #family(): IPFamily {
		return this.name.family;
	}

	/**
	 * Parts that lead from whatever is there to exactly this, behind a guard that does not run yet; `clients` fill
	 * `affinity`. With each part more frontends are served.
	 */
	rebuild(
		frontends: readonly Frontend[],
		held: readonly HeldAddress[],
		settings: Settings,
		clients: readonly Step[] = [],
	): Part[] {
		this.#balanced = emptyScopes();
		this.#learned = new Set();
		this.#prefixLengths = new Set();
		this.#endpoints = new Map();
		this.#made = 0;
		const isGuarded = this.#guardMs !== undefined;
		const sets = skeletonSets(this.#family);
		const chains = this.#skeleton();
		const skeleton = [
			...this.drop(),
			newTable(
				this.name,
				"written by Fairlead, see docs/reference/nftables.md",
			),
			...(isGuarded ? [...guardSets(), ...sets] : sets).map((set) =>
				this.#newSet(set),
			),
			...chains.map((chain) => this.#newChain(chain)),
			...chains.flatMap((chain) => this.#rules(chain)),
			...this.#settings(settings),
			...this.#change([], asAdded(held)),
		];
		return [
			skeleton,
			...this.change({ frontends: asAdded(frontends), held: [] }),
			clients,
		];
	}

	/** Steps that let a guard run from now on, if there is one; without a time as long as it may. */
	renew(forMs = this.#guardMs): Step[] {
		return this.#guardMs === undefined || !forMs
			? []
			: renewGuard(this.name, forMs);
	}

	/** Steps that leave no table, whether there is one or not. */
	drop(): Step[] {
		return [newTable(this.name), deleteTable(this.name)];
	}

	/** Parts of a change; what it says about the other family is left out. */
	change({ frontends, held, settings }: ProgramChange): Part[] {
		const parts = settings ? [this.#settings(settings)] : [];
		const own = frontends.filter(
			({ before, after }) => (after ?? before)?.family === this.#family,
		);
		for (const some of inPieces(own)) parts.push(this.#change(some, []));
		if (held.length > 0) parts.push(this.#change([], held));
		return parts.filter((steps) => steps.length > 0);
	}

	/** What leads to endpoints goes before them and comes after them, for where not even a part fits into one transaction. */
	#change(
		frontends: ProgramChange["frontends"],
		held: ProgramChange["held"],
	): Step[] {
		const changes = noChanges();
		this.#collect(changes, { frontends, held });
		return [
			...this.#needed(changes, frontends),
			...inOrder(changes.deleted, "services first").flatMap(([set, elements]) =>
				deleteElements(this.name, set, elements),
			),
			...inOrder(changes.added, "services last").flatMap(([set, elements]) =>
				addElements(this.name, set, elements),
			),
		];
	}

	/** The elements of a change, but for those that must be there once for all who need them. */
	#collect(
		changes: ElementChanges,
		{ frontends, held }: Pick<ProgramChange, "frontends" | "held">,
	): void {
		const counted = new Map<string, number>();
		for (const { before, after } of frontends) {
			if ((after ?? before)?.family !== this.#family) continue;
			changeFrontend(changes, before, after);
			this.#count(counted, before, after);
		}
		this.#changeHairpins(changes, counted);
		for (const { before, after } of held)
			changeHeld(changes, this.#family, before, after);
	}

	/** What reading the table back should find where this program is in force. */
	expected({ frontends, held, ...settings }: Program): Expected {
		const fresh = new Table(this.name, this.#guardMs);
		const changes = noChanges();
		fresh.#collect(changes, {
			frontends: [...frontends.values()].map((after) => ({ after })),
			held: [...held.values()].map((after) => ({ after })),
		});
		const elements = changes.added;
		for (const [set, each] of Object.entries(
			settingsElements(this.#family, settings),
		))
			elements.set(set, each);
		for (const scope of everyScope)
			for (const endpoints of this.#balanced[scope])
				put(elements, scopes[scope].balance, balanceElement(scope, endpoints));
		return {
			name: this.name,
			chains: [
				...this.#skeleton().map(({ name }) => name),
				...everyScope.flatMap((scope) =>
					[...this.#balanced[scope]]
						.filter((endpoints) => endpoints > 0)
						.map((endpoints) => scopes[scope].chain(endpoints)),
				),
			],
			made: this.#made,
			elements,
			ignored: (set) => changing.has(set),
		};
	}

	#skeleton(): ChainSpec[] {
		const chains = skeletonChains(this.#family);
		return this.#guardMs === undefined ? chains : guarded(chains);
	}

	#newSet(spec: Parameters<typeof newSet>[1]): Step {
		return newSet(this.name, spec, ++this.#made);
	}

	#newChain(spec: ChainSpec): Step {
		this.#made++;
		return newChain(this.name, spec);
	}

	#newRule(chain: string, rule: RuleSpec, end?: "first"): Step {
		this.#made++;
		return newRule(this.name, chain, rule, end);
	}

	#rules(chain: ChainSpec): Step[] {
		return chain.rules.map((rule) => this.#newRule(chain.name, rule));
	}

	/** Chains, sets and rules that a frontend is the first to need. */
	#needed(
		changes: ElementChanges,
		frontends: ProgramChange["frontends"],
	): Step[] {
		const steps: Step[] = [];
		for (const { after } of frontends) {
			if (after?.family !== this.#family) continue;
			for (const scope of everyScope)
				steps.push(...this.#balance(changes, scope, after));
			if (after.affinitySeconds !== undefined)
				steps.push(...this.#learn(after.affinitySeconds));
			for (const cidr of after.sourceRanges ?? [])
				steps.push(...this.#restrict(Number(cidr.split("/")[1])));
		}
		return steps;
	}

	#balance(changes: ElementChanges, scope: Scope, frontend: Frontend): Step[] {
		const endpoints =
			scope === "everybody" ? frontend.endpoints : frontend.internalEndpoints;
		const made = this.#balanced[scope];
		if (!endpoints || made.has(endpoints.length)) return [];
		if (scope === "everybody" && endpoints.length === 0) return [];
		made.add(endpoints.length);
		const element = balanceElement(scope, endpoints.length);
		put(changes.added, scopes[scope].balance, element);
		if (endpoints.length === 0) return [];
		const chain = balancingChain(this.#family, scope, endpoints.length);
		return [this.#newChain(chain), ...this.#rules(chain)];
	}

	#learn(seconds: number): Step[] {
		if (this.#learned.has(seconds)) return [];
		this.#learned.add(seconds);
		return [
			this.#newSet(learningSet(this.#family, seconds)),
			this.#newRule("translated", learningRule(this.#family, seconds), "first"),
		];
	}

	#restrict(prefixLength: number): Step[] {
		if (this.#prefixLengths.has(prefixLength)) return [];
		this.#prefixLengths.add(prefixLength);
		return [
			this.#newSet(sourcesSet(this.#family, prefixLength)),
			this.#newRule(
				"sources",
				sourcesRule(
					this.#family,
					prefixLength,
					prefixMask(this.#family, prefixLength),
				),
				"first",
			),
		];
	}

	#settings(settings: Settings): Step[] {
		return Object.entries(settingsElements(this.#family, settings)).flatMap(
			([set, elements]) => [
				flushElements(this.name, set),
				...addElements(this.name, set, elements),
			],
		);
	}

	/** Counts how often each address is gained and lost; those that stay in their slot need no look. */
	#count(
		counted: Map<string, number>,
		before: Frontend | undefined,
		after: Frontend | undefined,
	): void {
		const old = allEndpoints(before);
		const now = allEndpoints(after);
		for (let at = 0; at < Math.max(old.length, now.length); at++) {
			const lost = old[at]?.address;
			const gained = now[at]?.address;
			if (lost === gained) continue;
			if (lost !== undefined) counted.set(lost, (counted.get(lost) ?? 0) - 1);
			if (gained !== undefined)
				counted.set(gained, (counted.get(gained) ?? 0) + 1);
		}
	}

	#changeHairpins(
		changes: ElementChanges,
		counted: ReadonlyMap<string, number>,
	): void {
		for (const [address, difference] of counted) {
			const before = this.#endpoints.get(address) ?? 0;
			const after = before + difference;
			if (after > 0) this.#endpoints.set(address, after);
			else this.#endpoints.delete(address);
			if (before > 0 === after > 0) continue;
			const bytes = addressBytes(address);
			put(after > 0 ? changes.added : changes.deleted, "hairpin", {
				key: twice(bytes),
			});
		}
	}
}

function twice(bytes: Buffer): Buffer {
	const both = Buffer.allocUnsafe(2 * bytes.length);
	both.set(bytes, 0);
	both.set(bytes, bytes.length);
	return both;
}

/** With no endpoints of one's own: not on to those that are for everybody else. */
function balanceElement(scope: Scope, endpoints: number): Element {
	return {
		key: numberWord(endpoints),
		data: endpoints === 0 ? "accept" : { goto: scopes[scope].chain(endpoints) },
	};
}

function asAdded<T>(all: readonly T[]): { after: T }[] {
	return all.map((after) => ({ after }));
}

function inOrder(
	elements: ReadonlyMap<string, Element[]>,
	order: "services first" | "services last",
): [string, Element[]][] {
	const all = [...elements];
	const services = all.filter(([set]) => leading.has(set));
	const rest = all.filter(([set]) => !leading.has(set));
	return order === "services first"
		? [...services, ...rest]
		: [...rest, ...services];
}

function emptyScopes(): Record<Scope, Set<number>> {
	return { everybody: new Set(), inside: new Set() };
}

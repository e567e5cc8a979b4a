import type { FamilyCount } from "../../api/fairlead.ts";
import type { Reason } from "../addresses/reasons.ts";
import { reasonText } from "../addresses/reasons.ts";
import type { ClusterFacts } from "../explain/cluster-facts.ts";
import { classProblems, refusalOf } from "./class-problems.ts";
import type { Edit } from "./edit.ts";
import { applyEdit } from "./edit.ts";
import { Forecast, type Standing } from "./forecast.ts";

/** What a set of edits would do, before it is done; plain data. */
export interface Plan {
	/** What of the edited objects cannot be used, or not as written. */
	problems: PlanProblem[];
	/** Every pool there is before or after, by name. */
	pools: PoolPlan[];
	/** Every Service that is worth a word, by namespace and name. */
	services: ServicePlan[];
	/** Services of type LoadBalancer for which nothing changes. */
	unaffected: number;
	/** Documents that the API server could not be asked about, and why: it may refuse them. */
	unchecked: string[];
}

/** What the API server says of edits, asked without effect. */
export interface Tried {
	/** Such an edit changes nothing. */
	refused: ReadonlyMap<Edit, readonly PlanProblem[]>;
	unchecked: readonly string[];
}

const untried: Tried = { refused: new Map(), unchecked: [] };

export interface PlanProblem {
	/** `AddressPool a` */
	object: string;
	code: string;
	/** `spec.addresses[1]` */
	field: string;
	message: string;
}

export interface PoolPlan {
	pool: string;
	/** null: it does not exist. */
	before: PoolCount | null;
	after: PoolCount | null;
}

export interface PoolCount {
	ipv4: FamilyCount;
	ipv6: FamilyCount;
}

export interface ServicePlan {
	/** `namespace/name` */
	service: string;
	/**
	 * Gains, Loses: an address where it had none, or none where it had one. Moves: another address. Renamed: the same
	 * address, recorded under another pool. Unadmitted: it keeps an address that it would not get anew. Readmitted: the
	 * other way round. StillWaits: it has none before or after.
	 */
	change:
		| "Gains"
		| "Loses"
		| "Moves"
		| "Renamed"
		| "Unadmitted"
		| "Readmitted"
		| "StillWaits";
	before: Held;
	after: Held;
	/** Why it is so afterwards; "" where nothing is to be said. */
	why: string;
}

export interface Held {
	addresses: string[];
	/** Pool of each, in the same order. */
	pools: string[];
}

/** Whether somebody would be worse off: such an edit is to be thought over. */
export function isWorse({ change }: ServicePlan): boolean {
	return change === "Loses" || change === "Moves" || change === "Unadmitted";
}

/**
 * What the controller would do if these edits were applied in this order: the same allocator, made from the same
 * records, gets the same pools one after the other. Services that already wait get what they wait for first.
 */
export function planEdits(
	facts: ClusterFacts,
	edits: readonly Edit[],
	{ refused: refusedByServer, unchecked }: Tried = untried,
): Plan {
	const forecast = new Forecast(facts);
	const before = forecast.standings();
	const countsBefore = countsOf(forecast);
	let objects = { pools: facts.recorded.pools, classes: facts.classes };
	const refused: PlanProblem[] = [];
	const taken: Edit[] = [];
	for (const edit of edits) {
		const said =
			refusedByServer.get(edit) ?? refusalOf(edit, objects.classes) ?? [];
		if (said.length > 0) {
			refused.push(...said);
			continue;
		}
		taken.push(edit);
		objects = applyEdit(objects, edit);
		forecast.follow(objects);
	}
	const after = forecast.standings();
	const services = [...after]
		.flatMap(([key, now]) => serviceChange(key, before.get(key), now))
		.sort((a, b) => (a.service < b.service ? -1 : 1));
	return {
		problems: [
			...refused,
			...problemsOf(forecast, taken),
			...classProblems(
				new Set(
					taken.flatMap((edit) =>
						edit.kind === "BalancerClass" ? nameOf(edit) : [],
					),
				),
				objects.classes,
				facts.services,
			),
		],
		pools: poolPlans(countsBefore, countsOf(forecast)),
		services,
		unaffected: after.size - services.length,
		unchecked: [...unchecked],
	};
}

function nameOf(edit: Edit): string {
	return edit.do === "delete" ? edit.name : edit.object.metadata.name;
}

function serviceChange(
	service: string,
	was: Standing | undefined,
	is: Standing,
): ServicePlan[] {
	const before = was ?? { held: [], against: [], notices: [] };
	const change = kindOf(before, is);
	if (!change) return [];
	return [
		{
			service,
			change,
			before: heldOf(before),
			after: heldOf(is),
			why: whyOf(is),
		},
	];
}

function kindOf(
	was: Standing,
	is: Standing,
): ServicePlan["change"] | undefined {
	const [before, after] = [heldOf(was), heldOf(is)];
	const had = before.addresses.length > 0;
	const has = after.addresses.length > 0;
	// Who serves nobody's Service is not a matter of pools.
	if (!had && !has) return is.owned || was.owned ? "StillWaits" : undefined;
	if (!had) return "Gains";
	if (!has) return "Loses";
	if (before.addresses.join() !== after.addresses.join())
		return after.addresses.length > before.addresses.length &&
			before.addresses.every((ip) => after.addresses.includes(ip))
			? "Gains"
			: "Moves";
	const [noted, notes] = [codesOf(was.notices), codesOf(is.notices)];
	if (notes !== noted) return notes === "" ? "Readmitted" : "Unadmitted";
	return before.pools.join() === after.pools.join() ? undefined : "Renamed";
}

function codesOf(notices: readonly Reason[]): string {
	return notices
		.map(({ code }) => code)
		.sort()
		.join();
}

function heldOf({ held }: Standing): Held {
	return {
		addresses: held.map(({ ip }) => ip),
		pools: held.map(({ pool }) => pool),
	};
}

function whyOf({ notices, against, refusal, awaits }: Standing): string {
	if (refusal !== undefined) return refusal;
	if (awaits !== undefined) return awaits;
	return [...notices, ...against].map(reasonText).join("; ");
}

function countsOf(forecast: Forecast): Map<string, PoolCount> {
	return new Map(
		forecast.allocator
			.counts()
			.map(({ pool, ipv4, ipv6 }) => [pool, { ipv4, ipv6 }]),
	);
}

function poolPlans(
	before: ReadonlyMap<string, PoolCount>,
	after: ReadonlyMap<string, PoolCount>,
): PoolPlan[] {
	return [...new Set([...before.keys(), ...after.keys()])]
		.sort()
		.map((pool) => ({
			pool,
			before: before.get(pool) ?? null,
			after: after.get(pool) ?? null,
		}));
}

/** Of the objects edited only: what others lack is not this edit's business. */
function problemsOf(
	{ allocator }: Forecast,
	edits: readonly Edit[],
): PlanProblem[] {
	const edited = new Set(
		edits.flatMap((edit) =>
			edit.do === "apply" && edit.kind === "AddressPool"
				? edit.object.metadata.name
				: [],
		),
	);
	return allocator.pools().flatMap(({ name, problems }) =>
		edited.has(name)
			? problems.map(({ code, field, message }) => ({
					object: `AddressPool ${name}`,
					code,
					field,
					message,
				}))
			: [],
	);
}

import type {
	AddressPool,
	BalancerClass,
	LabelSelector,
} from "../../api/fairlead.ts";
import { groupVersion } from "../../api/names.ts";
import { formatCidr, parseCidr, parsePoolEntry } from "../addresses/cidr.ts";
import { parseIp } from "../addresses/ip.ts";
import { matchesSelector } from "../addresses/labels.ts";
import { providerTraits } from "../provider-traits.ts";
import type {
	Advertisement,
	IpAddressPool,
	MetallbObjects,
} from "./metallb-kinds.ts";
import { anyOf, namespacesSelector } from "./selectors.ts";

export interface Migration {
	/** In the order they should be applied. */
	classes: (BalancerClass & TypeMeta)[];
	pools: (AddressPool & TypeMeta)[];
	notes: Note[];
}

interface TypeMeta {
	apiVersion: string;
	kind: string;
}

export interface Note {
	/** `IPAddressPool production`. */
	about: string;
	/** Lost: what MetalLB was told here cannot be told to Fairlead, or not all of it. */
	kind: "Lost" | "Changed";
	message: string;
}

/** Drawn from after everything with a priority of its own, as MetalLB does. */
const last = 1_000_000;
const allocatedWithoutPriority = 500_000;

/** MetalLB's configuration as pools and classes of ours, and what of it gets lost on the way. */
export function migrateMetallb(
	objects: MetallbObjects,
	options: { makeDefault: boolean },
): Migration {
	const notes: Note[] = [];
	const classes = classesOf(objects, options, notes);
	const anyAllocation = objects.pools.some(
		({ spec }) => spec?.serviceAllocation,
	);
	const pools = objects.pools.flatMap(
		(pool) => poolOf(pool, classes, anyAllocation, notes) ?? [],
	);
	for (const other of objects.others)
		notes.push({
			about: other,
			kind: "Lost",
			message:
				"has no counterpart: Fairlead speaks no BGP, so whatever announces the addresses of a Static class keeps its own configuration",
		});
	return { classes: classes.map(({ made }) => made), pools, notes };
}

/** The pools that some class of this version's providers draws on: Services of the others stay with MetalLB. */
export function servedPools({ classes, pools }: Migration): AddressPool[] {
	const usable = classes.filter(isUsable).map(({ metadata }) => metadata.name);
	return pools.filter(({ spec }) =>
		spec.classes
			? spec.classes.some((name) => usable.includes(name))
			: usable.length > 0,
	);
}

/** A class, and which of MetalLB's pools its Services draw from. */
interface MadeClass {
	made: BalancerClass & TypeMeta;
	advertises: (pool: IpAddressPool) => boolean;
}

function classesOf(
	{ pools, l2, bgp }: MetallbObjects,
	{ makeDefault }: { makeDefault: boolean },
	notes: Note[],
): MadeClass[] {
	const classes: MadeClass[] = [];
	const add = (
		name: string,
		spec: BalancerClass["spec"],
		advertises: MadeClass["advertises"],
	) =>
		classes.push({
			made: {
				apiVersion: groupVersion,
				kind: "BalancerClass",
				metadata: { name },
				spec,
			},
			advertises,
		});
	const announcing = l2.filter((advertisement) => {
		if (pools.some((pool) => isAdvertised(pool, [advertisement]))) return true;
		notes.push({
			about: `L2Advertisement ${advertisement.metadata.name}`,
			kind: "Changed",
			message:
				"selects no IPAddressPool: it announces nothing, and becomes no class",
		});
		return false;
	});
	for (const [index, { layer2, advertisements }] of alike(
		announcing,
		notes,
	).entries())
		add(
			index === 0 ? "metallb-layer2" : `metallb-layer2-${index + 1}`,
			{
				provider: "Layer2",
				...(Object.keys(layer2).length > 0 ? { layer2 } : {}),
			},
			(pool) =>
				isAdvertised(pool, advertisements) ||
				(index === 0 && pool.spec?.protocol === "layer2"),
		);
	if (
		announcing.length === 0 &&
		pools.some(({ spec }) => spec?.protocol === "layer2")
	)
		add(
			"metallb-layer2",
			{ provider: "Layer2" },
			({ spec }) => spec?.protocol === "layer2",
		);
	const silent = pools.filter(
		(pool) => !classes.some(({ advertises }) => advertises(pool)),
	);
	if (bgp.length > 0 || silent.length > 0)
		add(
			"metallb-static",
			{ provider: "Static" },
			(pool) => silent.includes(pool) || isAdvertised(pool, bgp),
		);
	const unusable = classes.filter(({ made }) => !isUsable(made));
	// MetalLB has to go on taking Services without a class, and two controllers must not.
	const [first] = classes;
	if (makeDefault && first && unusable.length === 0)
		first.made.spec.default = true;
	for (const { made } of unusable)
		notes.push({
			about: `BalancerClass ${made.metadata.name}`,
			kind: "Lost",
			message: `provider ${made.spec.provider} is not part of this version and would serve nobody: keep MetalLB's controller and speakers for its pools, or change the class to provider Static and have something else announce the addresses. No class is made the default one`,
		});
	for (const { metadata, spec = {} } of bgp) {
		const lost = [
			"communities",
			"localPref",
			"aggregationLength",
			"aggregationLengthV6",
			"peers",
			"nodeSelectors",
		].filter((field) => field in spec);
		notes.push({
			about: `BGPAdvertisement ${metadata.name}`,
			kind: "Lost",
			message: `becomes a Static class: Fairlead assigns the addresses, and something else must announce them${lost.length > 0 ? ` (${lost.join(", ")})` : ""}`,
		});
	}
	return classes;
}

function isUsable({ spec }: BalancerClass): boolean {
	return providerTraits[spec.provider].available;
}

/** L2Advertisements by what they say of interfaces and nodes: a class says it once for all its pools. */
function alike(
	l2: readonly Advertisement[],
	notes: Note[],
): {
	layer2: NonNullable<BalancerClass["spec"]["layer2"]>;
	advertisements: Advertisement[];
}[] {
	const groups = new Map<
		string,
		{
			layer2: NonNullable<BalancerClass["spec"]["layer2"]>;
			advertisements: Advertisement[];
		}
	>();
	for (const advertisement of l2) {
		const { interfaces, nodeSelectors } = advertisement.spec ?? {};
		const layer2: NonNullable<BalancerClass["spec"]["layer2"]> = {};
		if (interfaces?.length) layer2.interfaces = [...interfaces].sort();
		if (nodeSelectors?.length) {
			const selector = anyOf(nodeSelectors);
			layer2.nodeSelector = selector ?? (nodeSelectors[0] as LabelSelector);
			if (!selector)
				notes.push({
					about: `L2Advertisement ${advertisement.metadata.name}`,
					kind: "Lost",
					message:
						"spec.nodeSelectors: one selector cannot say what any of these says; only the first is taken, so fewer nodes announce",
				});
		}
		const key = JSON.stringify(layer2);
		const group = groups.get(key) ?? { layer2, advertisements: [] };
		groups.set(key, group);
		group.advertisements.push(advertisement);
	}
	return [...groups.values()];
}

function isAdvertised(
	{ metadata }: IpAddressPool,
	advertisements: readonly Advertisement[],
): boolean {
	return advertisements.some(({ spec = {} }) => {
		const { ipAddressPools = [], ipAddressPoolSelectors = [] } = spec;
		if (ipAddressPools.length + ipAddressPoolSelectors.length === 0)
			return true;
		return (
			ipAddressPools.includes(metadata.name) ||
			ipAddressPoolSelectors.some((selector) =>
				matchesSelector(selector, metadata.labels ?? {}),
			)
		);
	});
}

function poolOf(
	pool: IpAddressPool,
	classes: readonly MadeClass[],
	anyAllocation: boolean,
	notes: Note[],
): (AddressPool & TypeMeta) | undefined {
	const { metadata, kind = "IPAddressPool", spec = {} } = pool;
	const { name } = metadata;
	const note = (noteKind: Note["kind"], message: string) =>
		notes.push({ about: `${kind} ${name}`, kind: noteKind, message });
	const addresses = addressesOf(spec.addresses ?? [], note);
	if (addresses.length === 0) {
		note("Lost", "has no address that Fairlead can hand out; left out");
		return undefined;
	}
	const made: AddressPool["spec"] = { addresses };
	const own = classes.filter(({ advertises }) => advertises(pool));
	// Pools are open to every class unless that would give them to Services MetalLB would not have announced them for.
	if (own.length < classes.length)
		made.classes = own.map((each) => each.made.metadata.name);
	if (own.every((each) => each.made.spec.provider === "Static"))
		note(
			"Changed",
			"no L2Advertisement announces it: its addresses are assigned, and something else must announce them",
		);
	const fallback = classes.find((each) => each.made.spec.default);
	if (fallback && !own.includes(fallback))
		note(
			"Changed",
			`a Service draws from it with loadBalancerClass: fairlead.dev/${own[0]?.made.metadata.name}, which can only be set on a new Service; those without a class go to ${fallback.made.metadata.name}`,
		);
	if (spec.autoAssign === false) made.autoAssign = false;
	if (spec.avoidBuggyIPs) made.avoidFirstAndLast = true;
	const allocation = spec.serviceAllocation;
	if (anyAllocation)
		made.priority = allocation
			? Math.min(
					allocation.priority || allocatedWithoutPriority,
					allocatedWithoutPriority,
				)
			: last;
	if (allocation) {
		const { namespaces = [], namespaceSelectors = [] } = allocation;
		const alternatives = [
			...(namespaces.length > 0 ? [namespacesSelector(namespaces)] : []),
			...namespaceSelectors,
		];
		take("namespaceSelector", alternatives, made, note);
		take("serviceSelector", allocation.serviceSelectors ?? [], made, note);
	}
	return {
		apiVersion: groupVersion,
		kind: "AddressPool",
		metadata: { name },
		spec: made,
	};
}

function take(
	field: "namespaceSelector" | "serviceSelector",
	alternatives: readonly LabelSelector[],
	made: AddressPool["spec"],
	note: (kind: Note["kind"], message: string) => void,
): void {
	const [first] = alternatives;
	if (!first) return;
	const selector = anyOf(alternatives);
	made[field] = selector ?? first;
	if (!selector)
		note(
			"Lost",
			`spec.serviceAllocation: one ${field} cannot say what any of these says; only the first is taken, which admits fewer. Label what it shall admit alike, and select by that label`,
		);
}

/** Entries as ours are written; MetalLB also takes CIDRs with host bits, and addresses no balancer can have. */
function addressesOf(
	entries: readonly string[],
	note: (kind: Note["kind"], message: string) => void,
): string[] {
	return entries.flatMap((text, index) => {
		const entry = text.trim();
		const cidr = parseCidr(entry);
		const written = parseIp(entry.split("/")[0] ?? "");
		const hasHostBits =
			cidr.ok && written.ok && cidr.value.value !== written.value.value;
		const spelled = hasHostBits ? formatCidr(cidr.value) : entry;
		const read = parsePoolEntry(spelled);
		if (!read.ok) {
			note("Lost", `spec.addresses[${index}] is left out: ${read.reason}`);
			return [];
		}
		if (hasHostBits)
			note(
				"Changed",
				`spec.addresses[${index}]: ${entry} is written ${spelled}, the same addresses`,
			);
		return [spelled];
	});
}

import type { IPFamily } from "../../api/core.ts";
import {
	concatenated,
	connectionState,
	connectionStatus,
	decide,
	decideBy,
	destinationAddress,
	equals,
	hasAny,
	icmpType,
	inSet,
	lookUp,
	masked,
	masquerade,
	priority,
	randomBelow,
	redirect,
	rejectUnreachable,
	rejectWithReset,
	setPriority,
	sourceAddress,
	sourceAddressType,
	translateDestination,
	transport,
} from "./expressions.ts";
import { affinitySets, rememberedChain } from "./affinity-rules.ts";
import {
	addressType,
	frontend,
	frontendTypes,
	localAddress,
	originalFrontend,
	rule,
} from "./frontend-fields.ts";
import type { ChainSpec, RuleSpec, SetSpec, TypeName } from "./objects.ts";

/**
 * What every table of ours consists of, whatever it carries: a constant number of chains, rules, sets and maps. Services
 * are elements of plain data; the chains made on demand (`lb-4`) are one per number in use, not per Service.
 *
 * The first packet of a flow takes this way: source ranges; an endpoint remembered for this client, while it is one; the number of
 * endpoints, from `services`; a random slot of `endpoints`. Where it comes out, the flow is masqueraded as its frontend
 * says. Everything else of a flow is conntrack's.
 */

/** IPPROTO_* */
export const transportNumbers = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const echoRequests = {
	IPv4: { protocol: 1, type: 8 },
	IPv6: { protocol: 58, type: 128 },
} as const;

/** IPS_DST_NAT; NF_CT_STATE_BIT of established, related and untracked. */
const DST_NAT = 0x20;
const ESTABLISHED_RELATED_UNTRACKED = 0x2 | 0x4 | 0x40;

/** Ten before what kube-proxy and container engines use, so that what is ours is decided by us. */
const DESTINATION_NAT = -110;
const SOURCE_NAT = 90;
/** After everybody's destination NAT: what is left then with an address of ours is served by nobody. */
const AFTER_DESTINATION_NAT = -90;

/** Whom a frontend's endpoints are for: everybody, or this cluster's pods and this node where they have others. */
export type Scope = "everybody" | "inside";

interface ScopeNames {
	services: string;
	endpoints: string;
	balance: string;
	chain(endpoints: number): string;
}

export const scopes: Record<Scope, ScopeNames> = {
	everybody: {
		services: "services",
		endpoints: "endpoints",
		balance: "balance",
		chain: (endpoints) => `lb-${endpoints}`,
	},
	inside: {
		services: "services-inside",
		endpoints: "endpoints-inside",
		balance: "balance-inside",
		chain: (endpoints) => `lb-inside-${endpoints}`,
	},
};

export function skeletonSets(family: IPFamily): SetSpec[] {
	const address = addressType[family];
	const service = frontendTypes(family);
	const endpoint: TypeName[] = [address, "inet_service"];
	return [
		{ name: "pods", key: [address], interval: true },
		{
			name: "unmasqueraded",
			key: [address],
			interval: true,
			comment: "sources that ClusterIPs see as they are",
		},
		...Object.values(scopes).flatMap(
			({ services, endpoints, balance }): SetSpec[] => [
				{
					name: services,
					key: service,
					data: ["mark"],
					comment: "number of endpoints",
				},
				{
					name: endpoints,
					key: [...service, "mark"],
					data: endpoint,
					comment: "endpoint by slot",
				},
				{ name: balance, key: ["mark"], data: "verdict" },
			],
		),
		{ name: "restricted", key: service, comment: "only for source ranges" },
		...affinitySets(family),
		{
			name: "hairpin",
			key: [address, address],
			comment: "endpoints that may reach themselves",
		},
		{ name: "masquerade-always", key: service },
		{ name: "masquerade-outside", key: service },
		{ name: "masquerade-node", key: service },
		{ name: "no-endpoints-reject", key: service },
		{ name: "no-endpoints-drop", key: service },
		{ name: "held", key: [address], comment: "ours, whatever the port" },
		{ name: "echo", key: [address], comment: "answer echo requests" },
	];
}

export function skeletonChains(family: IPFamily): ChainSpec[] {
	return [...nat(family), ...unserved(family)];
}

function nat(family: IPFamily): ChainSpec[] {
	const service = frontend(family);
	const source = sourceAddress(family);
	const echo = echoRequests[family];
	return [
		{
			name: "prerouting",
			hook: { type: "nat", at: "prerouting", priority: DESTINATION_NAT },
			rules: [
				rule(decide({ jump: "any-source" })),
				rule(inSet("pods", [source]), decide({ goto: "from-inside" })),
				rule(decide({ goto: "from-anywhere" })),
			],
		},
		{
			name: "output",
			hook: { type: "nat", at: "output", priority: DESTINATION_NAT },
			rules: [
				rule(decide({ jump: "any-source" })),
				rule(decide({ goto: "from-inside" })),
			],
		},
		{
			name: "any-source",
			rules: [
				rule(inSet("restricted", service), decide({ jump: "sources" })),
				rule(inSet("affine", service), decide({ jump: "remembered" })),
			],
		},
		{ name: "sources", rules: [rule(decide("drop"))] },
		rememberedChain(family),
		{
			name: "from-inside",
			rules: [
				dispatch(family, "inside"),
				rule(decide({ goto: "from-anywhere" })),
			],
		},
		{
			name: "from-anywhere",
			rules: [
				dispatch(family, "everybody"),
				rule(
					inSet("echo", [destinationAddress(family)]),
					equals(transport, Buffer.from([echo.protocol])),
					equals(icmpType, Buffer.from([echo.type])),
					redirect,
				),
			],
		},
		{
			name: "postrouting",
			hook: { type: "nat", at: "postrouting", priority: SOURCE_NAT },
			rules: [
				rule(hasAny(connectionStatus, DST_NAT), decide({ goto: "translated" })),
			],
		},
		{ name: "translated", rules: translated(family) },
	];
}

/** The number of endpoints decides which chain draws one. A miss leaves the packet to the next rule. */
function dispatch(family: IPFamily, scope: Scope): RuleSpec {
	const { services, balance } = scopes[scope];
	return rule(
		concatenated(frontend(family)),
		lookUp(services, 0, 0),
		setPriority(0),
		priority.load(0),
		decideBy(balance, 0),
	);
}

function translated(family: IPFamily): RuleSpec[] {
	const service = originalFrontend(family);
	const source = sourceAddress(family);
	return [
		rule(inSet("hairpin", [source, destinationAddress(family)]), masquerade),
		rule(inSet("masquerade-always", service), masquerade),
		rule(
			inSet("masquerade-node", service),
			equals(sourceAddressType, localAddress),
			masquerade,
		),
		rule(inSet("unmasqueraded", [source]), decide("accept")),
		rule(inSet("masquerade-outside", service), masquerade),
	];
}

/**
 * New packets to frontends without endpoints, or to ports of ours that nobody serves. What was translated already has an
 * endpoint: only where it was sent matters then, as in kube-proxy, which looks for frontends without endpoints before it
 * translates. That spares a new connection two lookups.
 */
function unserved(family: IPFamily): ChainSpec[] {
	const service = frontend(family);
	const refuseHeld = rule(
		inSet("held", [destinationAddress(family)]),
		decide({ goto: "refuse" }),
	);
	const rules = [
		rule(
			hasAny(connectionState, ESTABLISHED_RELATED_UNTRACKED),
			decide("accept"),
		),
		rule(hasAny(connectionStatus, DST_NAT), decide({ goto: "led-on" })),
		rule(inSet("no-endpoints-drop", service), decide("drop")),
		rule(inSet("no-endpoints-reject", service), decide({ goto: "refuse" })),
		refuseHeld,
	];
	return [
		...(["prerouting", "output"] as const).map(
			(at): ChainSpec => ({
				name: `unserved-${at}`,
				hook: { type: "filter", at, priority: AFTER_DESTINATION_NAT },
				rules,
			}),
		),
		{ name: "led-on", rules: [refuseHeld] },
		{
			name: "refuse",
			rules: [
				rule(
					equals(transport, Buffer.from([transportNumbers.TCP])),
					rejectWithReset,
				),
				rule(rejectUnreachable(family)),
			],
		},
	];
}

/**
 * Draws one of `endpoints`. A packet may meet this chain and a map that has just shrunk: then the slot it drew is gone, and
 * slot 0, which is the last to go, takes it.
 */
export function balancingChain(
	family: IPFamily,
	scope: Scope,
	endpoints: number,
): ChainSpec {
	const draw = (modulus: number) =>
		rule(
			concatenated([...frontend(family), randomBelow(modulus)]),
			lookUp(scopes[scope].endpoints, 0, 0),
			translateDestination(family, 0),
		);
	return {
		name: scopes[scope].chain(endpoints),
		rules: endpoints === 1 ? [draw(1)] : [draw(endpoints), draw(1)],
	};
}

export function sourcesSetName(prefixLength: number): string {
	return `sources-${prefixLength}`;
}

/** The networks of one prefix length that may connect: hashed, for ranges of concatenated keys cost the kernel their number. */
export function sourcesSet(family: IPFamily, prefixLength: number): SetSpec {
	const address = addressType[family];
	return {
		name: sourcesSetName(prefixLength),
		key: [address, "inet_proto", "inet_service", address],
	};
}

/** Lets a packet back out of chain `sources` if its network of this length may connect. */
export function sourcesRule(
	family: IPFamily,
	prefixLength: number,
	mask: Uint8Array,
): RuleSpec {
	return rule(
		inSet(sourcesSetName(prefixLength), [
			...frontend(family),
			masked(sourceAddress(family), mask),
		]),
		decide("return"),
	);
}

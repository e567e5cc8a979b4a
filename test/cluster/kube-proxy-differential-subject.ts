import type {
	Endpoint,
	IPFamily,
	ServiceSpec,
	ServiceStatus,
} from "../../operator/api/core.ts";
import type { PlaceName } from "../support/packet-world.ts";

export type AskedProtocol = "TCP" | "UDP";

/** What is asked, `outside -> ClusterIP`, and what comes of it. See `parseRow` and `Outcome`. */
export type RowText = readonly [question: string, outcome: Outcome];

/**
 * `pod-1 sees node, pod-2 sees outside`: these and no others answer, in time each of them, and whom they see;
 * `always pod-1 sees node or pod-2 sees node`: one of these, and the same every time;
 * `refused` at once; `dropped` without an answer; `wanders`: the packet leaves the node as it came, and the next router
 * (outside) says that it leads nowhere.
 */
export type Outcome = string;

/** A row of docs/reference/rules.md's table of differences, by its first cell, and a question that shows it. */
export interface Difference {
	about: string;
	question: string;
	kubeProxy: Outcome;
	fairlead: Outcome;
}

/** One Service with its endpoints, and what is asked of it. */
export interface Subject {
	/** Default: ports `tcp` 80/TCP and `udp` 80/UDP, of both families. */
	spec?: Partial<ServiceSpec>;
	labels?: Record<string, string>;
	annotations?: (addresses: SubjectAddresses) => Record<string, string>;
	/** Gives it an address of each family in status.loadBalancer.ingress, of this mode. */
	ingress?: "VIP" | "Proxy";
	/** Further status. */
	status?: (addresses: SubjectAddresses) => ServiceStatus;
	/** How many external IPs of each family it has; default none. */
	externalIPs?: number;
	/** Its external IPs are outside of what ExternalIPPolicy `compiled` grants. */
	ungranted?: boolean;
	/** Its external IPs of IPv4 are written with a leading zero. */
	leadingZeros?: boolean;
	/** A slice of each family from each entry. */
	slices: readonly SliceText[];
	rows: readonly RowText[];
	differences?: readonly Difference[];
}

/** A subject's own addresses, by family. */
export interface SubjectAddresses {
	ingress: Record<IPFamily, string>;
	externalIPs: Record<IPFamily, string[]>;
}

export interface SliceText {
	/** `PLACE` and then any of: `not-ready`, `unready-published`, `terminating`, `gone`, `unknown`, `zone:NAME`, `node:NAME`. */
	endpoints: readonly string[];
	/** Default: `tcp` 8080/TCP and `udp` 8080/UDP. */
	ports?: readonly {
		name?: string;
		protocol?: AskedProtocol;
		port: number;
	}[];
	labels?: Record<string, string>;
	/** Default: both. */
	families?: readonly IPFamily[];
}

/** Where a question goes: an address of its Service, or a literal one. */
export type Target = (typeof targets)[number];

export interface Question {
	from: PlaceName;
	target: Target;
	/** Of the Service; NodePort: the node port that belongs to it. */
	port: number;
	protocol: AskedProtocol;
	family: IPFamily;
}

const targets = ["ClusterIP", "NodePort", "ingress", "externalIP"] as const;
const families = ["IPv4", "IPv6"] as const;
const protocols = ["TCP", "UDP"] as const;

/**
 * Reads `FROM -> TARGET [PORT] [TCP|UDP] [IPv4|IPv6]`, or several of each with commas between. Without a port it is 80;
 * without a protocol or family, both are asked.
 */
export function parseQuestion(text: string): Question[] {
	const [from = "", to = ""] = text.split(" -> ");
	const words = to.split(/,? /);
	const among = <T extends string>(all: readonly T[]): readonly T[] => {
		const named = all.filter((each) => words.includes(each));
		return named.length > 0 ? named : all;
	};
	const known: readonly string[] = [...targets, ...families, ...protocols];
	for (const word of words)
		if (!known.includes(word) && !/^\d+$/.test(word))
			throw new RangeError(`${text}: what is ${word}?`);
	const port = Number(words.find((word) => /^\d+$/.test(word)) ?? 80);
	return from.split(", ").flatMap((place) =>
		among(targets).flatMap((target) =>
			among(families).flatMap((family) =>
				among(protocols).map((protocol) => ({
					from: place as PlaceName,
					target,
					port,
					protocol,
					family,
				})),
			),
		),
	);
}

/** `all("node")`: every one of the three pods answers and sees the node. */
export function all(saw: PlaceName): Outcome {
	return `pod-1 sees ${saw}, pod-2 sees ${saw}, pod-3 sees ${saw}`;
}

const states: Record<string, NonNullable<Endpoint["conditions"]>> = {
	"not-ready": { ready: false, serving: false, terminating: false },
	"unready-published": { ready: true, serving: false, terminating: false },
	terminating: { ready: false, serving: true, terminating: true },
	gone: { ready: false, serving: false, terminating: true },
	unknown: {},
};

const nodes: Partial<Record<PlaceName, string>> = { "pod-3": "node-2" };

export function endpointOf(
	text: string,
	addressOf: (place: PlaceName) => string,
): Endpoint {
	const [place, ...words] = text.split(" ") as [PlaceName, ...string[]];
	const named = (prefix: string) =>
		words
			.filter((word) => word.startsWith(prefix))
			.map((word) => ({ name: word.slice(prefix.length) }));
	const forZones = named("zone:");
	const forNodes = named("node:");
	const state = words.find((word) => word in states);
	return {
		addresses: [addressOf(place)],
		conditions: (state && states[state]) || {
			ready: true,
			serving: true,
			terminating: false,
		},
		nodeName: nodes[place] ?? "node-1",
		...(forZones.length + forNodes.length > 0
			? {
					hints: {
						...(forZones.length > 0 ? { forZones } : {}),
						...(forNodes.length > 0 ? { forNodes } : {}),
					},
				}
			: {}),
	};
}

/** The answers that an outcome names; `always`: one of them, every time. */
export function expectedAnswers(outcome: Outcome): {
	answers: readonly string[];
	always: boolean;
} {
	const always = outcome.startsWith("always ");
	return {
		always,
		answers: always
			? outcome.slice("always ".length).split(" or ")
			: outcome.split(", "),
	};
}

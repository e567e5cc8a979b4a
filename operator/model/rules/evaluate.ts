import type { Protocol } from "../../api/core.ts";
import { cidrRange, parseCidr, rangeContains } from "../addresses/cidr.ts";
import { parseIp } from "../addresses/ip.ts";
import {
	type Backend,
	type Frontend,
	frontendKey,
	type Program,
} from "./program.ts";
import { familyOf } from "./rules-node.ts";

/** The first packet of a flow, as it meets a node's rules. Addresses are canonical text. */
export interface Packet {
	source: string;
	/**
	 * `pod`: its address is in the program's podCidrs; `node`: this node itself sends it, from any of its addresses;
	 * `outside`: everybody else. See `sourceKind`.
	 */
	sourceIs: SourceKind;
	destination: string;
	/** ICMP: an echo request; its port means nothing. */
	protocol: Protocol | "ICMP";
	port: number;
	/** The endpoint this client was sent to before, within the affinity's time. */
	remembered?: Pick<Backend, "address" | "port">;
	/** Chooses among the candidates: in [0, 1). */
	pick: () => number;
}

export type SourceKind = "pod" | "node" | "outside";

export type Verdict = {
	/** One sentence: what decided. */
	why: string;
} & (
	| {
			verdict: "forwarded";
			frontend: Frontend;
			/** Whom it may go to; their probabilities add up to 1. */
			candidates: { endpoint: Backend; slot: number; probability: number }[];
			to: Backend;
			/** The endpoint sees this node's address instead of the sender's. */
			masquerade: boolean;
			/** How long this client is to be sent to `to` again. */
			affinitySeconds?: number;
	  }
	/** Answered in the node's name: an echo request to an address we hold. */
	| { verdict: "answered" }
	/** Refused at once: connection refused, port unreachable. */
	| { verdict: "rejected"; frontend?: Frontend }
	/** Lost without an answer. */
	| { verdict: "dropped"; frontend: Frontend }
	/** The rules leave it alone: it goes where it would without them. */
	| { verdict: "notOurs" }
);

/** What a node's rules do with a packet. Pure; the oracle for every backend. */
export function evaluate(program: Program, packet: Packet): Verdict {
	const { destination, protocol, port } = packet;
	const held = program.held.get(destination);
	if (protocol === "ICMP")
		return held?.echo
			? {
					verdict: "answered",
					why: `${destination} is an address of a Service, which answers echo requests`,
				}
			: {
					verdict: "notOurs",
					why: `echo requests to ${destination} are not the rules' business`,
				};
	const frontend = program.frontends.get(
		frontendKey({ address: destination, protocol, port }),
	);
	if (!frontend)
		return held
			? {
					verdict: "rejected",
					why: `${destination} is an address of a Service, but no Service serves ${protocol} ${port} there`,
				}
			: {
					verdict: "notOurs",
					why: `no Service has ${destination} ${protocol} ${port} on this node`,
				};
	const name = describe(frontend);
	const { source, sourceIs } = packet;
	if (frontend.sourceRanges && !isIn(source, frontend.sourceRanges))
		return {
			verdict: "dropped",
			frontend,
			why:
				frontend.sourceRanges.length === 0
					? `${name} admits nobody: none of its source ranges can be read`
					: `${name} admits only ${frontend.sourceRanges.join(", ")}, not ${source}`,
		};
	const internal = sourceIs !== "outside" && frontend.internalEndpoints;
	const endpoints = internal || frontend.endpoints;
	if (endpoints.length === 0) return nobody(frontend, name);
	const { to, remembered } = choose(frontend, endpoints, packet);
	const probability = 1 / endpoints.length;
	return {
		verdict: "forwarded",
		frontend,
		candidates: remembered
			? [{ endpoint: to, slot: endpoints.indexOf(to), probability: 1 }]
			: endpoints.map((endpoint, slot) => ({ endpoint, slot, probability })),
		to,
		masquerade: masquerades(program, frontend, packet, to),
		...(frontend.affinitySeconds === undefined
			? {}
			: { affinitySeconds: frontend.affinitySeconds }),
		why: remembered
			? `${name}: ${source} was sent to this endpoint before, and affinity lasts ${frontend.affinitySeconds} s`
			: `${name}: ${endpoints.length === 1 ? "its one endpoint" : `one of ${endpoints.length} endpoints, each as likely`}${internal ? `, as for every ${sourceIs} of the cluster` : ""}`,
	};
}

/** What the sender of a packet is to a node that has these addresses. */
export function sourceKind(
	program: Pick<Program, "podCidrs">,
	source: string,
	nodeAddresses: readonly string[],
): SourceKind {
	if (nodeAddresses.includes(source)) return "node";
	return isIn(source, program.podCidrs) ? "pod" : "outside";
}

function describe({
	kind,
	address,
	protocol,
	port,
	service,
	portName,
}: Frontend) {
	const named = portName === "" ? "" : ` (port ${portName})`;
	return `${kind} ${address} ${protocol} ${port} of Service ${service}${named}`;
}

function nobody(frontend: Frontend, name: string): Verdict {
	return frontend.whenEmpty === "drop"
		? {
				verdict: "dropped",
				frontend,
				why: `${name} has no endpoint on this node, and its traffic policy is Local`,
			}
		: {
				verdict: "rejected",
				frontend,
				why: `${name} has no endpoint that serves`,
			};
}

function choose(
	frontend: Frontend,
	endpoints: readonly Backend[],
	{ remembered, pick }: Packet,
): { to: Backend; remembered: boolean } {
	const again =
		frontend.affinitySeconds !== undefined &&
		remembered &&
		endpoints.find(
			({ address, port }) =>
				address === remembered.address && port === remembered.port,
		);
	if (again) return { to: again, remembered: true };
	const slot = Math.min(
		Math.floor(pick() * endpoints.length),
		endpoints.length - 1,
	);
	return { to: endpoints[slot] as Backend, remembered: false };
}

function masquerades(
	program: Program,
	frontend: Frontend,
	{ source, sourceIs }: Packet,
	to: Backend,
): boolean {
	// Without this the endpoint would answer itself past the rules, from an address nobody asked.
	if (source === to.address) return true;
	switch (frontend.masquerade) {
		case "always":
			return true;
		case "node":
			return sourceIs === "node";
		case "outside":
			return (
				program.masqueradeAll ||
				(sourceIs !== "pod" &&
					program.podCidrs.some((cidr) => familyOf(cidr) === frontend.family))
			);
	}
}

function isIn(source: string, cidrs: readonly string[]): boolean {
	const address = parseIp(source);
	return (
		address.ok &&
		cidrs.some((text) => {
			const cidr = parseCidr(text);
			return cidr.ok && rangeContains(cidrRange(cidr.value), address.value);
		})
	);
}

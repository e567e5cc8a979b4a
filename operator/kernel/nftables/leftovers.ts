import type { IPFamily } from "../../api/core.ts";
import type {
	Backend,
	Frontend,
	ProgramChange,
} from "../../model/rules/program.ts";
import {
	countFlows,
	deleteFlows,
	type Flow,
	type FlowEnd,
	type FlowFilter,
	listFlows,
} from "../conntrack.ts";
import { addressBytes } from "../address-bytes.ts";
import type { NetlinkSocket } from "../netlink.ts";
import { allEndpoints } from "./frontend-elements.ts";
import { endpointData, serviceKey } from "./keys.ts";
import { transportNumbers } from "./skeleton.ts";

/**
 * What outlives a change of the rules and would lead clients to where nobody is: flows of UDP, which never end by
 * themselves while a client sends.
 */

/** What of a netlink socket this needs. */
type Conntrack = Pick<
	NetlinkSocket,
	"request" | "dump" | "exchange" | "reserve"
>;

type Change = ProgramChange["frontends"][number];

/** Where packets to a frontend may go now, by the frontend's key as text. */
type Allowed = Map<string, ReadonlySet<string>>;

/** Transports whose flows go on by themselves when nobody answers: SCTP tries every path again, and for long. */
const withoutEnd = ["UDP", "SCTP"] as const;

/**
 * Makes conntrack forget UDP and SCTP flows to changed frontends that lead to no endpoint that serves: to one that is gone, or
 * to none at all because they began when there was none. (kube-proxy: pkg/proxy/conntrack.)
 */
export function forgetStaleFlows(
	socket: Conntrack,
	family: IPFamily,
	changes: readonly Change[],
): void {
	for (const protocol of withoutEnd)
		forgetFlowsOf(protocol, socket, family, changes);
}

function forgetFlowsOf(
	protocol: (typeof withoutEnd)[number],
	socket: Conntrack,
	family: IPFamily,
	changes: readonly Change[],
): void {
	const allowed: Allowed = new Map();
	const gone = new Set<string>();
	const asked: Frontend[] = [];
	for (const { before, after } of changes) {
		const either = after ?? before;
		if (either?.family !== family || either.protocol !== protocol) continue;
		const began = allEndpoints(before).length === 0;
		if (!began && !lost(serving(before), serving(after))) continue;
		asked.push(either);
		const key = serviceKey(either).toString("latin1");
		allowed.set(key, dataOf(serving(after)));
		if (!after) gone.add(key);
	}
	if (allowed.size === 0 || countFlows(socket) === 0) return;
	const stale = listFlows(
		socket,
		family,
		{ transport: transportNumbers[protocol], ...inCommon(asked) },
		(flow) => {
			const key = flowKey(protocol, flow).toString("latin1");
			const endpoints = allowed.get(key);
			if (!endpoints) return false;
			const to = endData(flow.replySource).toString("latin1");
			// Where no Service is any more, a flow to a socket of this very machine is none of ours.
			const untranslated =
				to === endData(flow.originalDestination).toString("latin1");
			return gone.has(key) ? !untranslated : !endpoints.has(to);
		},
	);
	deleteFlows(socket, family, stale);
}

/** The address and the port that all of them have, if they have. */
function inCommon(
	frontends: readonly Frontend[],
): Pick<FlowFilter, "address" | "port"> {
	const addresses = new Set(frontends.map(({ address }) => address));
	const ports = new Set(frontends.map(({ port }) => port));
	const [address] = addresses;
	const [port] = ports;
	return {
		...(addresses.size === 1 && address !== undefined
			? { address: addressBytes(address) }
			: {}),
		...(ports.size === 1 && port !== undefined ? { port } : {}),
	};
}

/** Where flows may lead that began earlier. */
function serving(frontend: Frontend | undefined): readonly Backend[] {
	const chosen = allEndpoints(frontend);
	return frontend?.lasting ? [...chosen, ...frontend.lasting] : chosen;
}

function dataOf(endpoints: readonly Backend[]): Set<string> {
	return new Set(
		endpoints.map((endpoint) => endpointData(endpoint).toString("latin1")),
	);
}

function lost(before: readonly Backend[], after: readonly Backend[]): boolean {
	const now = new Set(after.map(({ address, port }) => `${address}|${port}`));
	return before.some(({ address, port }) => !now.has(`${address}|${port}`));
}

/** As `serviceKey`. */
function flowKey(
	protocol: (typeof withoutEnd)[number],
	{ originalDestination: { address, port } }: Flow,
): Buffer {
	const key = Buffer.alloc(address.length + 8);
	key.set(address, 0);
	key[address.length] = transportNumbers[protocol];
	key.writeUInt16BE(port, address.length + 4);
	return key;
}

/** As `endpointData`. */
function endData({ address, port }: FlowEnd): Buffer {
	const data = Buffer.alloc(address.length + 4);
	data.set(address, 0);
	data.writeUInt16BE(port, address.length);
	return data;
}

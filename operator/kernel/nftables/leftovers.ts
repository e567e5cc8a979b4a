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
	listFlows,
} from "../conntrack.ts";
import type { NetlinkSocket } from "../netlink.ts";
import { isFairleadError } from "../../errors.ts";
import { deleteElements, type Element, listElements } from "./elements.ts";
import { allEndpoints } from "./frontend-elements.ts";
import { endpointData, serviceKey } from "./keys.ts";
import { transportNumbers } from "./skeleton.ts";
import { commit } from "./transaction.ts";
import type { TableName } from "./wire.ts";

/**
 * What outlives a change of the rules and would lead clients to where nobody is: flows of UDP, which never end by
 * themselves while a client sends, and endpoints remembered for a client.
 */

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
	socket: NetlinkSocket,
	family: IPFamily,
	changes: readonly Change[],
): void {
	for (const protocol of withoutEnd)
		forgetFlowsOf(protocol, socket, family, changes);
}

function forgetFlowsOf(
	protocol: (typeof withoutEnd)[number],
	socket: NetlinkSocket,
	family: IPFamily,
	changes: readonly Change[],
): void {
	const allowed: Allowed = new Map();
	const gone = new Set<string>();
	for (const { before, after } of changes) {
		const either = after ?? before;
		if (either?.family !== family || either.protocol !== protocol) continue;
		const began = allEndpoints(before).length === 0;
		if (!began && !lost(serving(before), serving(after))) continue;
		const key = serviceKey(either).toString("latin1");
		allowed.set(key, dataOf(serving(after)));
		if (!after) gone.add(key);
	}
	if (allowed.size === 0 || countFlows(socket) === 0) return;
	const stale = listFlows(socket, family, transportNumbers[protocol]).filter(
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

/** Where flows may lead that began earlier. */
function serving(frontend: Frontend | undefined): readonly Backend[] {
	const chosen = allEndpoints(frontend);
	return frontend?.lasting ? [...chosen, ...frontend.lasting] : chosen;
}

/** Few enough not to make a full write much longer. */
const MOST_CLIENTS = 1 << 16;

/**
 * The clients that a table remembers and is to remember when it is written anew, whoever wrote it before: those whose endpoint
 * is still there for everybody. Who was sent where only the cluster's own are sent is balanced anew.
 */
export function lastingClients(
	socket: NetlinkSocket,
	table: TableName,
	frontends: readonly Frontend[],
): Element[] {
	const allowed: Allowed = new Map();
	for (const frontend of frontends)
		if (
			frontend.family === table.family &&
			frontend.affinitySeconds !== undefined
		)
			allowed.set(
				serviceKey(frontend).toString("latin1"),
				dataOf(frontend.endpoints),
			);
	if (allowed.size === 0) return [];
	const address = table.family === "IPv4" ? 4 : 16;
	return remembered(socket, table)
		.filter(
			({ key, data, timeoutMs }) =>
				Buffer.isBuffer(data) &&
				timeoutMs &&
				allowed
					.get(key.toString("latin1", address))
					?.has(data.toString("latin1")),
		)
		.slice(0, MOST_CLIENTS);
}

/** Nobody where there is no table, or one that remembers in another way. */
function remembered(socket: NetlinkSocket, table: TableName): Element[] {
	try {
		return listElements(socket, table, "affinity");
	} catch (error) {
		if (isFairleadError(error) && error.reason === "ENOENT") return [];
		throw error;
	}
}

/** Forgets which client was sent to which endpoint, where that endpoint or the frontend's affinity is gone. */
export function forgetStaleClients(
	socket: NetlinkSocket,
	table: TableName,
	changes: readonly Change[],
): void {
	const allowed: Allowed = new Map();
	for (const { before, after } of changes) {
		if (before?.family !== table.family) continue;
		if (before.affinitySeconds === undefined) continue;
		const stays = after?.affinitySeconds !== undefined;
		// A client from outside must not go on to where only the cluster's own are sent now.
		const outside = lost(before.endpoints, after?.endpoints ?? []);
		if (stays && !outside && !lostEndpoints(before, after)) continue;
		const now = outside ? after?.endpoints : allEndpoints(after);
		allowed.set(
			serviceKey(before).toString("latin1"),
			dataOf((stays && now) || []),
		);
	}
	if (allowed.size === 0) return;
	const address = table.family === "IPv4" ? 4 : 16;
	const stale = listElements(socket, table, "affinity").filter(
		({ key, data }) =>
			Buffer.isBuffer(data) &&
			allowed
				.get(key.toString("latin1", address))
				?.has(data.toString("latin1")) === false,
	);
	forget(socket, table, stale);
}

/** A remembered client may be forgotten by itself at any moment, and one that is not there refuses the transaction: then by halves. */
function forget(
	socket: NetlinkSocket,
	table: TableName,
	clients: readonly Element[],
): void {
	if (clients.length === 0) return;
	try {
		commit(socket, deleteElements(table, "affinity", clients));
	} catch (error) {
		if (!isFairleadError(error) || error.reason !== "ENOENT") throw error;
		if (clients.length === 1) return;
		const half = clients.length >> 1;
		forget(socket, table, clients.slice(0, half));
		forget(socket, table, clients.slice(half));
	}
}

function dataOf(endpoints: readonly Backend[]): Set<string> {
	return new Set(
		endpoints.map((endpoint) => endpointData(endpoint).toString("latin1")),
	);
}

function lostEndpoints(
	before: Frontend | undefined,
	after: Frontend | undefined,
): boolean {
	return lost(allEndpoints(before), allEndpoints(after));
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

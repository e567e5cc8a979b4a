import type { IPFamily } from "../api/core.ts";
import { failure } from "./libc.ts";
import type { NetlinkSocket } from "./netlink.ts";
import {
	attributeMap,
	bytes,
	encodeMessages,
	NLM_F_ACK,
	NLM_F_DUMP,
	nested,
	netlinkMessage,
	u32,
	u8,
} from "./netlink-message.ts";
import { constants } from "node:os";

/** ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h). */
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const IPCTNL_MSG_CT_GET_STATS = 5;
const CTA_STATS_GLOBAL_ENTRIES = 1;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** Destination, transport and the destination's port are to be the filter's. */
const CTA_FILTER_F_CTA_IP_DST = 1 << 1;
const CTA_FILTER_F_CTA_PROTO_NUM = 1 << 3;
const CTA_FILTER_F_CTA_PROTO_DST_PORT = 1 << 5;

/** NFPROTO_*, and where a tuple has its addresses: CTA_IP_V4_SRC, _DST, CTA_IP_V6_SRC, _DST. */
const wire = {
	IPv4: { family: 2, source: 1, destination: 2 },
	IPv6: { family: 10, source: 3, destination: 4 },
} as const;

/** An address and port as they lie on the wire. */
export interface FlowEnd {
	address: Buffer;
	port: number;
}

/** A flow that conntrack knows. */
export interface Flow {
	/** Where its first packet went. */
	originalDestination: FlowEnd;
	/** Where its answers come from: another than the destination if that was translated. */
	replySource: FlowEnd;
	/** The attributes that name it to the kernel, as they came. */
	name: Buffer;
}

/** How many flows there are in the socket's namespace, of all kinds; costs the kernel nothing, where a listing walks its table. */
export function countFlows(socket: Pick<NetlinkSocket, "request">): number {
	const what = "count conntrack's flows";
	const [answer] = socket.request(
		netlinkMessage(
			(NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET_STATS,
			NLM_F_ACK,
			header(0),
		),
		what,
	);
	const count = answer
		? attributeMap(answer.body, 4).get(CTA_STATS_GLOBAL_ENTRIES)
		: undefined;
	if (!count)
		throw new RangeError("conntrack did not say how many flows it has");
	return count.readUInt32BE(0);
}

/** Where flows first went that are asked for. */
export interface FlowFilter {
	/** IPPROTO_* */
	transport: number;
	address?: Buffer;
	port?: number;
}

/**
 * The flows of the socket's namespace that are `wanted`. The kernel looks at every flow it has, and names those that the filter
 * lets through, or more: before 5.8 it knows no filter, and it knows none for ports of SCTP.
 */
export function listFlows(
	socket: Pick<NetlinkSocket, "dump">,
	family: IPFamily,
	filter: FlowFilter,
	wanted: (flow: Flow) => boolean,
): Flow[] {
	let flows: Flow[] = [];
	socket.dump(
		netlinkMessage(
			(NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
			NLM_F_DUMP,
			header(wire[family].family),
			filterAttributes(family, filter),
		),
		"list conntrack's flows",
		() => {
			flows = [];
			return (body) => {
				const flow = readFlow(family, filter.transport, body);
				if (flow && wanted(flow)) flows.push(flow);
				return "go on";
			};
		},
	);
	return flows;
}

function filterAttributes(
	family: IPFamily,
	{ transport, address, port }: FlowFilter,
): Buffer[] {
	const portBytes = Buffer.alloc(2);
	portBytes.writeUInt16BE(port ?? 0);
	// Of IPv6 the kernel names every flow but those to the address (net/netfilter/nf_conntrack_netlink.c,
	// ctnetlink_filter_match_tuple).
	const asked = family === "IPv4" ? address : undefined;
	return [
		nested(CTA_TUPLE_ORIG, [
			...(asked
				? [nested(CTA_TUPLE_IP, [bytes(wire[family].destination, asked)])]
				: []),
			nested(CTA_TUPLE_PROTO, [
				u8(CTA_PROTO_NUM, transport),
				...(port === undefined ? [] : [bytes(CTA_PROTO_DST_PORT, portBytes)]),
			]),
		]),
		nested(CTA_FILTER, [
			u32(
				CTA_FILTER_ORIG_FLAGS,
				CTA_FILTER_F_CTA_PROTO_NUM |
					(asked ? CTA_FILTER_F_CTA_IP_DST : 0) |
					(port === undefined ? 0 : CTA_FILTER_F_CTA_PROTO_DST_PORT),
			),
			u32(CTA_FILTER_REPLY_FLAGS, 0),
		]),
	];
}

/** A flow from what the kernel lent; undefined if it is of another transport. */
function readFlow(
	family: IPFamily,
	transport: number,
	body: Buffer,
): Flow | undefined {
	const { source, destination } = wire[family];
	const flow = attributeMap(body, 4);
	const original = readTuple(flow.get(CTA_TUPLE_ORIG));
	const reply = readTuple(flow.get(CTA_TUPLE_REPLY));
	const to = original?.ip.get(destination);
	const from = reply?.ip.get(source);
	if (!original || !reply || !to || !from) return undefined;
	if (original.proto.get(CTA_PROTO_NUM)?.[0] !== transport) return undefined;
	return {
		originalDestination: {
			address: Buffer.from(to),
			port: portOf(original.proto, CTA_PROTO_DST_PORT),
		},
		replySource: {
			address: Buffer.from(from),
			port: portOf(reply.proto, CTA_PROTO_SRC_PORT),
		},
		name: Buffer.concat(
			[CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE].flatMap((type) => {
				const value = flow.get(type);
				return value ? [bytes(type, value)] : [];
			}),
		),
	};
}

function readTuple(tuple: Buffer | undefined) {
	if (!tuple) return undefined;
	const parts = attributeMap(tuple);
	const ip = parts.get(CTA_TUPLE_IP);
	const proto = parts.get(CTA_TUPLE_PROTO);
	return ip && proto
		? { ip: attributeMap(ip), proto: attributeMap(proto) }
		: undefined;
}

function portOf(proto: Map<number, Buffer>, type: number): number {
	return proto.get(type)?.readUInt16BE(0) ?? 0;
}

/** Makes conntrack forget flows, so that their next packet is the first of a new one. One that is gone already is no error. */
export function deleteFlows(
	socket: Pick<NetlinkSocket, "exchange" | "reserve">,
	family: IPFamily,
	flows: readonly Pick<Flow, "name">[],
): void {
	const what = "delete flows of conntrack";
	for (let from = 0; from < flows.length; from += FLOWS_PER_SEND) {
		const { verdicts } = socket.exchange(
			encodeMessages(
				flows
					.slice(from, from + FLOWS_PER_SEND)
					.map(({ name }) =>
						netlinkMessage(
							(NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
							NLM_F_ACK,
							header(wire[family].family),
							[name],
						),
					),
				socket.reserve(FLOWS_PER_SEND),
			),
			what,
		);
		const refused = verdicts.find(
			({ errno }) => errno !== 0 && errno !== constants.errno.ENOENT,
		);
		if (refused) throw failure(what, refused.errno, refused.text);
	}
}

/** Few enough for their acknowledgements to fit the smallest receive buffer. */
const FLOWS_PER_SEND = 128;

/** struct nfgenmsg */
function header(family: number): Buffer {
	return Buffer.from([family, 0, 0, 0]);
}

import { isIPv6 } from "node:net";
import type { IPFamily } from "../../../operator/api/core.ts";
import { addressText } from "../../../operator/kernel/address-bytes.ts";
import { deleteFlows } from "../../../operator/kernel/conntrack.ts";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import {
	NETLINK_NETFILTER,
	NetlinkSocket,
} from "../../../operator/kernel/netlink.ts";
import {
	attributeMap,
	bytes,
	NLM_F_DUMP,
	netlinkMessage,
} from "../../../operator/kernel/netlink-message.ts";
import { trySetNetworkSetting } from "../../../operator/kernel/sysctl.ts";
import type { Flow, FlowMatch, Flows } from "./flows.ts";

/** ctnetlink: include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, nf_conntrack_tcp.h. */

const CTNETLINK = 1 << 8;
const CT_NEW = CTNETLINK | 0;
const CT_GET = CTNETLINK | 1;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_COUNTERS_ORIG = 9;
const CTA_COUNTERS_REPLY = 10;
const CTA_ID = 12;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_COUNTERS_PACKETS = 1;
const CTA_COUNTERS_BYTES = 2;
const CTA_PROTOINFO_TCP = 1;
const CTA_PROTOINFO_TCP_STATE = 1;

const IPS_SEEN_REPLY = 1 << 1;
/** Of TCP: both sides have agreed to the connection. */
const IPS_ASSURED = 1 << 2;

const TCP = 6;
const UDP = 17;
/** The first TCP state in which nothing more is carried but the end: LAST_ACK, TIME_WAIT, CLOSE. */
const TCP_CONNTRACK_LAST_ACK = 6;

interface Entry {
	flow: Flow;
	family: IPFamily;
	/** The attributes that name it to the kernel. */
	name: Buffer;
}

/**
 * The flows that conntrack knows in a namespace and that were sent on to another address; counts their bytes from now on.
 * Opened after rules that translate were written: they load conntrack. Where the kernel does not count for this namespace (some
 * hide the setting from user namespaces, or let only the first one set it) flows are listed with 0 bytes.
 *
 * @throws KernelDenied, KernelUnsupported, KernelFailed; also its methods
 */
export function conntrackFlows(namespace: NetworkNamespace): Flows {
	trySetNetworkSetting(namespace, "netfilter/nf_conntrack_acct", 1, {
		mayBeDenied: true,
	});
	const socket = new NetlinkSocket(namespace, NETLINK_NETFILTER);
	const entries = () =>
		socket
			.request(
				// struct nfgenmsg: of any family.
				netlinkMessage(CT_GET, NLM_F_DUMP, Buffer.alloc(4)),
				"list connections",
			)
			.flatMap(({ type, body }) =>
				type === CT_NEW ? (readEntry(body) ?? []) : [],
			);
	return {
		list: () => entries().map(({ flow }) => flow),
		forget(match) {
			const matching = entries().filter(({ flow }) => matches(flow, match));
			for (const family of ["IPv4", "IPv6"] as const)
				deleteFlows(
					socket,
					family,
					matching.filter((entry) => entry.family === family),
				);
		},
		close: () => socket.close(),
	};
}

function matches(flow: Flow, { transport, address, port, target }: FlowMatch) {
	return (
		(transport === undefined || flow.transport === transport) &&
		(address === undefined || flow.address === address) &&
		(port === undefined || flow.port === port) &&
		(target === undefined ||
			(flow.target.address === target.address &&
				(target.port === undefined || flow.target.port === target.port)))
	);
}

/** Undefined for what no balancer sent on: flows of other protocols, and those that end at the address they came to. */
function readEntry(body: Buffer): Entry | undefined {
	const read = attributeMap(body, 4);
	const original = read.get(CTA_TUPLE_ORIG);
	const reply = read.get(CTA_TUPLE_REPLY);
	const id = read.get(CTA_ID);
	if (!original || !reply || !id) return undefined;
	const there = readTuple(original);
	const back = readTuple(reply);
	if (!there || !back || there.destination === back.source) return undefined;
	const sent = readCounters(read.get(CTA_COUNTERS_ORIG));
	const answered = readCounters(read.get(CTA_COUNTERS_REPLY));
	const tcp = there.protocol === TCP;
	const state = readTcpState(read.get(CTA_PROTOINFO));
	const status = read.get(CTA_STATUS)?.readUInt32BE(0) ?? 0;
	const flow: Flow = {
		id: `${id.toString("hex")} ${original.toString("hex")}`,
		transport: tcp ? "tcp" : "udp",
		address: there.destination,
		port: there.destinationPort,
		target: { address: back.source, port: back.sourcePort },
		open: !tcp || state < TCP_CONNTRACK_LAST_ACK,
		unanswered:
			sent && answered
				? // To whom a target refuses TCP says nothing but its first word.
					answered.packets === 0 || (tcp && sent.packets === 1)
				: (status & (tcp ? IPS_ASSURED : IPS_SEEN_REPLY)) === 0,
		bytesIn: sent?.bytes ?? 0,
		bytesOut: answered?.bytes ?? 0,
	};
	return {
		flow,
		family: isIPv6(there.destination) ? "IPv6" : "IPv4",
		name: Buffer.concat([bytes(CTA_TUPLE_ORIG, original), bytes(CTA_ID, id)]),
	};
}

interface Tuple {
	protocol: number;
	source: string;
	sourcePort: number;
	destination: string;
	destinationPort: number;
}

function readTuple(value: Buffer): Tuple | undefined {
	const read = attributeMap(value);
	const ip = attributeMap(read.get(CTA_TUPLE_IP) ?? Buffer.alloc(0));
	const protocol = attributeMap(read.get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
	const source = ip.get(CTA_IP_V4_SRC) ?? ip.get(CTA_IP_V6_SRC);
	const destination = ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST);
	const number = protocol.get(CTA_PROTO_NUM)?.[0];
	const sourcePort = protocol.get(CTA_PROTO_SRC_PORT);
	const destinationPort = protocol.get(CTA_PROTO_DST_PORT);
	if (!source || !destination || !sourcePort || !destinationPort)
		return undefined;
	if (number !== TCP && number !== UDP) return undefined;
	return {
		protocol: number,
		source: addressText(source),
		sourcePort: sourcePort.readUInt16BE(0),
		destination: addressText(destination),
		destinationPort: destinationPort.readUInt16BE(0),
	};
}

/** Undefined for a flow that is not counted. */
function readCounters(
	value: Buffer | undefined,
): { packets: number; bytes: number } | undefined {
	if (!value) return undefined;
	const read = attributeMap(value);
	return {
		packets: Number(read.get(CTA_COUNTERS_PACKETS)?.readBigUInt64BE(0) ?? 0n),
		bytes: Number(read.get(CTA_COUNTERS_BYTES)?.readBigUInt64BE(0) ?? 0n),
	};
}

function readTcpState(protoinfo: Buffer | undefined): number {
	const tcp = protoinfo && attributeMap(protoinfo).get(CTA_PROTOINFO_TCP);
	return (tcp && attributeMap(tcp).get(CTA_PROTOINFO_TCP_STATE)?.[0]) ?? 0;
}

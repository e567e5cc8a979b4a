import type { NetworkNamespace } from "./namespaces.ts";
import type { NetlinkSocket } from "./netlink.ts";
import {
	attributeMap,
	bytes,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	nested,
	netlinkMessage,
	readText,
	text,
	u8,
	u32,
} from "./netlink-message.ts";
import type { RouteStep } from "./rtnetlink.ts";

/**
 * Network devices over rtnetlink (include/uapi/linux/if_link.h). Steps are made here and carried out by `carryOut`, many in
 * one send: that is why a link's index is chosen by whoever makes it instead of being asked for.
 */

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_BR_MCAST_SNOOPING = 23;
const VETH_INFO_PEER = 1;

const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;

/** Loopback's index in every namespace. */
export const LOOPBACK = 1;

/** One end of a veth pair. */
export interface VethEnd {
	/** At most 15 bytes. */
	name: string;
	/** Free in its namespace. */
	index: number;
	/** `02:00:ac:1e:01:01`; the kernel chooses one if absent. */
	mac?: string;
}

/** A pair of linked devices, the first in the socket's namespace, the peer in its own. Both are down. */
export function createVeth(
	link: VethEnd,
	peer: VethEnd & { namespace: NetworkNamespace },
): RouteStep {
	const peerEnd = Buffer.concat([
		linkHeader({ index: peer.index }),
		text(IFLA_IFNAME, peer.name),
		...macAttribute(peer.mac),
		u32(IFLA_NET_NS_FD, peer.namespace.fd),
	]);
	return create("veth", link, [
		nested(IFLA_INFO_DATA, [nested(VETH_INFO_PEER, [peerEnd])]),
	]);
}

/** A bridge that forwards at once and floods multicast: no spanning tree, no snooping. It is down. */
export function createBridge(link: VethEnd): RouteStep {
	return create("bridge", link, [
		nested(IFLA_INFO_DATA, [u8(IFLA_BR_MCAST_SNOOPING, 0)]),
	]);
}

/** A change of a link that is there. */
export function setLink(
	index: number,
	change: {
		up?: boolean;
		name?: string;
		mac?: string;
		mtu?: number;
		/** A number by which links are deleted together. */
		group?: number;
		/** Index of the bridge it becomes a port of; 0: of none. */
		master?: number;
	},
): RouteStep {
	const attributes: Buffer[] = [...macAttribute(change.mac)];
	if (change.name !== undefined)
		attributes.push(text(IFLA_IFNAME, change.name));
	if (change.mtu !== undefined) attributes.push(u32(IFLA_MTU, change.mtu));
	if (change.group !== undefined)
		attributes.push(u32(IFLA_GROUP, change.group));
	if (change.master !== undefined)
		attributes.push(u32(IFLA_MASTER, change.master));
	const header =
		change.up === undefined
			? linkHeader({ index })
			: linkHeader({ index, flags: change.up ? IFF_UP : 0, mask: IFF_UP });
	return {
		what: `change link ${index}`,
		message: netlinkMessage(RTM_NEWLINK, 0, header, attributes),
	};
}

/** Takes a link away, with its peer if it is one of a pair. Settled if it is gone. */
export function deleteLink(index: number): RouteStep {
	return {
		what: `delete link ${index}`,
		message: netlinkMessage(RTM_DELLINK, 0, linkHeader({ index })),
		settledBy: "ENODEV",
	};
}

/** Takes all links of a group away, which takes the kernel little longer than one. Settled if there is none. */
export function deleteLinkGroup(group: number): RouteStep {
	return {
		what: `delete the links of group ${group}`,
		message: netlinkMessage(RTM_DELLINK, 0, linkHeader({ index: 0 }), [
			u32(IFLA_GROUP, group),
		]),
		settledBy: "ENODEV",
	};
}

export interface Link {
	index: number;
	name: string;
	/** Asked to be up. */
	up: boolean;
	/** Its other end is up as well. */
	carrier: boolean;
	/** `veth`, `bridge`; undefined for loopback and real devices. */
	kind: string | undefined;
	mac: string | undefined;
	mtu: number | undefined;
	/** Index of the bridge it is a port of. */
	master: number | undefined;
}

/** All links of the socket's namespace, by index. */
export function listLinks(socket: NetlinkSocket): Link[] {
	return socket
		.request(
			netlinkMessage(RTM_GETLINK, NLM_F_DUMP, linkHeader({ index: 0 })),
			"list links",
		)
		.filter(({ type }) => type === RTM_NEWLINK)
		.map(({ body }) => readLink(body))
		.sort((a, b) => a.index - b.index);
}

function readLink(body: Buffer): Link {
	const flags = body.readUInt32LE(8);
	const attributes = attributeMap(body, 16);
	const info = attributes.get(IFLA_LINKINFO);
	const kind = info && attributeMap(info).get(IFLA_INFO_KIND);
	const mac = attributes.get(IFLA_ADDRESS);
	return {
		index: body.readInt32LE(4),
		name: readText(attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0)),
		up: (flags & IFF_UP) !== 0,
		carrier: (flags & IFF_LOWER_UP) !== 0,
		kind: kind && readText(kind),
		mac: mac && formatMac(mac),
		mtu: attributes.get(IFLA_MTU)?.readUInt32LE(0),
		master: attributes.get(IFLA_MASTER)?.readUInt32LE(0),
	};
}

function create(kind: string, link: VethEnd, data: Buffer[]): RouteStep {
	return {
		what: `make ${kind} ${link.name}`,
		message: netlinkMessage(
			RTM_NEWLINK,
			NLM_F_CREATE | NLM_F_EXCL,
			linkHeader({ index: link.index }),
			[
				text(IFLA_IFNAME, link.name),
				...macAttribute(link.mac),
				nested(IFLA_LINKINFO, [text(IFLA_INFO_KIND, kind), ...data]),
			],
		),
		settledBy: "EEXIST",
		same: (socket) =>
			listLinks(socket).some(
				(found) =>
					found.name === link.name &&
					found.index === link.index &&
					found.kind === kind,
			),
	};
}

/** struct ifinfomsg. */
function linkHeader({
	index,
	flags = 0,
	mask = 0,
}: {
	index: number;
	flags?: number;
	mask?: number;
}): Buffer {
	const header = Buffer.alloc(16);
	header.writeInt32LE(index, 4);
	header.writeUInt32LE(flags, 8);
	header.writeUInt32LE(mask, 12);
	return header;
}

function macAttribute(mac: string | undefined): Buffer[] {
	return mac === undefined
		? []
		: [bytes(IFLA_ADDRESS, Buffer.from(mac.replaceAll(":", ""), "hex"))];
}

function formatMac(mac: Buffer): string {
	return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

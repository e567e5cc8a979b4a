import { addressBytes, addressText } from "./address-bytes.ts";
import { AF_INET, AF_INET6 } from "./libc.ts";
import type { NetlinkSocket } from "./netlink.ts";
import {
	attributeMap,
	bytes,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_REPLACE,
	netlinkMessage,
	u32,
} from "./netlink-message.ts";
import type { RouteStep } from "./rtnetlink.ts";

/** Routes of the main and the local table over rtnetlink (include/uapi/linux/rtnetlink.h). */

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTPROT_STATIC = 4;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;

/** `unicast` goes somewhere, `local` is answered here, `unreachable` and `blackhole` go nowhere, with and without a word. */
export type RouteType = "unicast" | "local" | "unreachable" | "blackhole";

const types: Record<RouteType, number> = {
	unicast: 1,
	local: 2,
	blackhole: 6,
	unreachable: 7,
};

export interface Route {
	/** Canonical CIDR: `0.0.0.0/0` and `::/0` are the default routes. */
	destination: string;
	/** Default unicast. */
	type?: RouteType;
	/** The next hop; absent: the destination is on the link itself. */
	via?: string;
	/** Index of the link. */
	link?: number;
	/** The source address of packets that begin here and have none yet. */
	source?: string;
}

/** A route to exactly this: another one to the same destination is replaced. */
export function setRoute(route: Route): RouteStep {
	return {
		what: `set the route to ${route.destination}`,
		message: netlinkMessage(
			RTM_NEWROUTE,
			NLM_F_CREATE | NLM_F_REPLACE,
			header(route),
			attributes(route),
		),
	};
}

/** Settled if there is none. */
export function removeRoute(route: Route): RouteStep {
	return {
		what: `remove the route to ${route.destination}`,
		message: netlinkMessage(RTM_DELROUTE, 0, header(route), attributes(route)),
		settledBy: "ESRCH",
	};
}

/** The routes of the main table, and of the local table those of links that have no such address themselves. */
export function listRoutes(socket: NetlinkSocket): Route[] {
	const names = new Map(
		Object.entries(types).map(([name, number]) => [number, name as RouteType]),
	);
	return socket
		.request(
			netlinkMessage(RTM_GETROUTE, NLM_F_DUMP, Buffer.alloc(12)),
			"list routes",
		)
		.flatMap(({ type: message, body }) => {
			const type = names.get(body[7] ?? 0);
			const byHand = body[5] === RTPROT_STATIC;
			if (message !== RTM_NEWROUTE || !type) return [];
			if (body[4] !== RT_TABLE_MAIN && !byHand) return [];
			const read = attributeMap(body, 12);
			const none = body[0] === AF_INET6 ? "::" : "0.0.0.0";
			const destination = read.get(RTA_DST);
			const via = read.get(RTA_GATEWAY);
			const link = read.get(RTA_OIF);
			const source = read.get(RTA_PREFSRC);
			const route: Route = {
				destination: `${destination ? addressText(destination) : none}/${body[1]}`,
				type,
			};
			if (via) route.via = addressText(via);
			if (link) route.link = link.readUInt32LE(0);
			if (source) route.source = addressText(source);
			return [route];
		});
}

/** struct rtmsg. */
function header({ destination, type = "unicast", via }: Route): Buffer {
	const [address = "", prefixLength] = destination.split("/");
	const bytes = Buffer.alloc(12);
	bytes[0] = address.includes(":") ? AF_INET6 : AF_INET;
	bytes[1] = Number(prefixLength);
	bytes[4] = type === "local" ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	bytes[5] = RTPROT_STATIC;
	bytes[6] =
		type === "local"
			? RT_SCOPE_HOST
			: type === "unicast" && !via
				? RT_SCOPE_LINK
				: 0;
	bytes[7] = types[type];
	return bytes;
}

function attributes({ destination, via, link, source }: Route): Buffer[] {
	const [address = "", prefixLength] = destination.split("/");
	const list: Buffer[] = [];
	if (prefixLength !== "0") list.push(bytes(RTA_DST, addressBytes(address)));
	if (via) list.push(bytes(RTA_GATEWAY, addressBytes(via)));
	if (link !== undefined) list.push(u32(RTA_OIF, link));
	if (source) list.push(bytes(RTA_PREFSRC, addressBytes(source)));
	return list;
}

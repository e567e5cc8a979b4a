import { addressBytes, addressText } from "./address-bytes.ts";
import { AF_INET, AF_INET6 } from "./libc.ts";
import type { NetlinkSocket } from "./netlink.ts";
import {
	attributeMap,
	bytes,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	netlinkMessage,
	u32,
} from "./netlink-message.ts";
import type { RouteStep } from "./rtnetlink.ts";

/** Addresses of links over rtnetlink (include/uapi/linux/if_addr.h). */

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;

/** How far an address is known: `link` is never chosen as the source of packets that leave through another link. */
export type Scope = "global" | "link" | "host";

const scopes: Record<Scope, number> = { global: 0, link: 253, host: 254 };

export interface LinkAddress {
	/** Index of the link. */
	link: number;
	/** Canonical text, either family. */
	address: string;
	prefixLength: number;
	scope: Scope;
}

/** Settled if the link has it. An IPv6 address may be used at once: nobody is asked whether he has it too. */
export function addAddress(
	address: Omit<LinkAddress, "scope"> & { scope?: Scope },
): RouteStep {
	return {
		what: `add ${address.address}/${address.prefixLength} to link ${address.link}`,
		message: netlinkMessage(
			RTM_NEWADDR,
			NLM_F_CREATE | NLM_F_EXCL,
			header(address),
			attributes(address),
		),
		settledBy: "EEXIST",
	};
}

/** Settled if the link does not have it. */
export function removeAddress(address: Omit<LinkAddress, "scope">): RouteStep {
	return {
		what: `remove ${address.address}/${address.prefixLength} from link ${address.link}`,
		message: netlinkMessage(
			RTM_DELADDR,
			0,
			header(address),
			attributes(address),
		),
		settledBy: "EADDRNOTAVAIL",
	};
}

/** All addresses of the socket's namespace. */
export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
	return socket
		.request(
			netlinkMessage(RTM_GETADDR, NLM_F_DUMP, Buffer.alloc(8)),
			"list addresses",
		)
		.filter(({ type }) => type === RTM_NEWADDR)
		.flatMap(({ body }) => {
			const read = attributeMap(body, 8);
			const local = read.get(IFA_LOCAL) ?? read.get(IFA_ADDRESS);
			const scope = (Object.keys(scopes) as Scope[]).find(
				(name) => scopes[name] === body[3],
			);
			return local && scope
				? [
						{
							link: body.readUInt32LE(4),
							address: addressText(local),
							prefixLength: body[1] ?? 0,
							scope,
						},
					]
				: [];
		});
}

/** struct ifaddrmsg. */
function header({
	link,
	address,
	prefixLength,
	scope = "global",
}: Omit<LinkAddress, "scope"> & { scope?: Scope }): Buffer {
	const bytes = Buffer.alloc(8);
	bytes[0] = address.includes(":") ? AF_INET6 : AF_INET;
	bytes[1] = prefixLength;
	bytes[3] = scopes[scope];
	bytes.writeUInt32LE(link, 4);
	return bytes;
}

function attributes({ address }: { address: string }): Buffer[] {
	const value = addressBytes(address);
	return address.includes(":")
		? [bytes(IFA_ADDRESS, value), u32(IFA_FLAGS, IFA_F_NODAD)]
		: [bytes(IFA_LOCAL, value), bytes(IFA_ADDRESS, value)];
}

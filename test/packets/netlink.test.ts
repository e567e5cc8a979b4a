import { isFairleadError } from "../../operator/errors.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import {
	NETLINK_ROUTE,
	NetlinkSocket,
	type Refusal,
} from "../../operator/kernel/netlink.ts";
import {
	attributeMap,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	netlinkMessage,
	nested,
	readText,
	text,
} from "../../operator/kernel/netlink-message.ts";

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTMGRP_LINK = 1;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;

let namespace: NetworkNamespace;
let route: NetlinkSocket;

beforeEach(() => {
	namespace = createNetworkNamespace();
	route = new NetlinkSocket(namespace, NETLINK_ROUTE);
});

afterEach(() => {
	route.close();
	namespace.close();
});

/** struct ifinfomsg */
function link(index: number, flags = 0, change = 0): Buffer {
	const header = Buffer.alloc(16);
	header.writeInt32LE(index, 4);
	header.writeUInt32LE(flags, 8);
	header.writeUInt32LE(change, 12);
	return header;
}

function newLink(name: string, kind: string) {
	return netlinkMessage(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link(0), [
		text(IFLA_IFNAME, name),
		nested(IFLA_LINKINFO, [text(IFLA_INFO_KIND, kind)]),
	]);
}

function linkNames(): string[] {
	return route
		.request(netlinkMessage(RTM_GETLINK, NLM_F_DUMP, link(0)), "list links")
		.map(({ body }) =>
			readText(attributeMap(body, 16).get(IFLA_IFNAME) ?? Buffer.alloc(0)),
		);
}

test("a new namespace has nothing but its loopback", () => {
	expect(linkNames()).toEqual(["lo"]);
});

test("what one request makes, a dump lists, and this process' own namespace never sees", () => {
	route.request(
		Array.from({ length: 100 }, (_, index) => newLink(`br${index}`, "bridge")),
		"make bridges",
	);
	expect(new Set(linkNames())).toEqual(
		new Set(["lo", ...Array.from({ length: 100 }, (_, index) => `br${index}`)]),
	);
});

test("a refused message is named, with the kernel's reason", () => {
	let refused: unknown;
	try {
		route.request(
			[newLink("br0", "bridge"), newLink("nothing0", "no-such-kind")],
			"make two links",
		);
	} catch (error) {
		refused = error;
	}
	expect(isFairleadError(refused, "KernelUnsupported")).toBe(true);
	expect(refused).toMatchObject({
		message: expect.stringContaining(
			"cannot make two links: EOPNOTSUPP (",
		) as string,
		cause: { index: 1 } satisfies Partial<Refusal>,
	});
	expect(linkNames()).toContain("br0");
});

test("a joined group tells what happened, once, and nothing after it is left", () => {
	const listener = new NetlinkSocket(namespace, NETLINK_ROUTE);
	try {
		listener.join(RTMGRP_LINK);
		expect(listener.poll()).toEqual({ messages: [], lost: false });
		route.request(newLink("br0", "bridge"), "make a bridge");
		expect(listener.poll().messages.map(({ type }) => type)).toContain(
			RTM_NEWLINK,
		);
		expect(listener.poll().messages).toEqual([]);
		listener.leave(RTMGRP_LINK);
		route.request(newLink("br1", "bridge"), "make a bridge");
		expect(listener.poll().messages).toEqual([]);
	} finally {
		listener.close();
	}
});

test("a listener whose buffer overflows learns that it missed something", () => {
	const listener = new NetlinkSocket(namespace, NETLINK_ROUTE, {
		bufferBytes: 4096,
	});
	try {
		listener.join(RTMGRP_LINK);
		for (let index = 0; index < 50; index++)
			route.request(newLink(`br${index}`, "bridge"), "make a bridge");
		expect(listener.poll().lost).toBe(true);
		expect(listener.poll()).toEqual({ messages: [], lost: false });
	} finally {
		listener.close();
	}
});

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import {
	addAddress,
	listAddresses,
	removeAddress,
} from "../../operator/kernel/link-addresses.ts";
import {
	createBridge,
	createVeth,
	deleteLink,
	deleteLinkGroup,
	listLinks,
	LOOPBACK,
	setLink,
} from "../../operator/kernel/links.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
	openNetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import type { NetlinkSocket } from "../../operator/kernel/netlink.ts";
import {
	listRoutes,
	removeRoute,
	type Route,
	setRoute,
} from "../../operator/kernel/routes.ts";
import {
	carryOut,
	carryOutIn,
	openRouteSocket,
	type RouteStep,
} from "../../operator/kernel/rtnetlink.ts";
import {
	networkSetting,
	setNetworkSettings,
} from "../../operator/kernel/sysctl.ts";

let here: NetworkNamespace;
let there: NetworkNamespace;
let routes: NetlinkSocket;

beforeEach(() => {
	here = createNetworkNamespace();
	there = createNetworkNamespace();
	routes = openRouteSocket(here);
});

afterEach(() => {
	routes.close();
	here.close();
	there.close();
});

/** What `ip -json` says in a namespace: the other way to look. */
function ip(namespace: NetworkNamespace, ...args: string[]) {
	const text = namespace.run(() =>
		execFileSync("ip", ["-json", ...args], { encoding: "utf8" }),
	);
	return JSON.parse(text || "[]") as Record<string, unknown>[];
}

const pair = () =>
	createVeth(
		{ name: "near", index: 10, mac: "02:00:00:00:00:01" },
		{ name: "far", index: 20, mac: "02:00:00:00:00:02", namespace: there },
	);

test("a pair of links has one end here and the other there, under the names, numbers and addresses given", () => {
	carryOut(routes, [pair()]);
	expect(ip(here, "link", "show", "near")).toMatchObject([
		{ ifindex: 10, address: "02:00:00:00:00:01", operstate: "DOWN" },
	]);
	expect(ip(there, "link", "show", "far")).toMatchObject([
		{ ifindex: 20, address: "02:00:00:00:00:02", operstate: "DOWN" },
	]);
});

test("a bridge with a port, up, is listed as ip lists it", () => {
	carryOut(routes, [
		createBridge({ name: "br0", index: 30 }),
		pair(),
		setLink(10, { master: 30, up: true, mtu: 1400 }),
		setLink(30, { up: true }),
	]);
	carryOutIn(there, [setLink(20, { up: true, name: "eth0" })]);
	expect(listLinks(routes)).toMatchObject([
		{ index: 1, name: "lo", up: false, kind: undefined },
		{
			index: 10,
			name: "near",
			up: true,
			carrier: true,
			kind: "veth",
			mac: "02:00:00:00:00:01",
			mtu: 1400,
			master: 30,
		},
		{ index: 30, name: "br0", up: true, kind: "bridge" },
	]);
	expect(ip(here, "link", "show", "near")).toMatchObject([
		{ master: "br0", mtu: 1400 },
	]);
	expect(ip(there, "link", "show", "eth0")).toMatchObject([{ ifindex: 20 }]);
});

test("steps that were carried out already change nothing when they are carried out again", () => {
	const steps: RouteStep[] = [
		createBridge({ name: "br0", index: 30 }),
		pair(),
		setLink(10, { master: 30, up: true }),
		setLink(LOOPBACK, { up: true }),
		addAddress({ link: 30, address: "192.0.2.1", prefixLength: 24 }),
		addAddress({ link: 30, address: "2001:db8::1", prefixLength: 64 }),
		setLink(30, { up: true }),
		setRoute({ destination: "198.51.100.0/24", via: "192.0.2.2", link: 30 }),
	];
	const state = () => [
		// A bridge hears of its ports' carrier when the kernel finds the time.
		listLinks(routes).map((link) => ({ ...link, carrier: undefined })),
		listAddresses(routes),
		listRoutes(routes),
	];
	carryOut(routes, steps);
	const once = state();
	carryOut(routes, steps);
	expect(state()).toEqual(once);
});

test("taking away what is gone already is no fault", () => {
	carryOut(routes, [pair(), setLink(10, { group: 7 })]);
	const steps = [
		removeRoute({ destination: "198.51.100.0/24", link: 10 }),
		removeAddress({ link: 10, address: "192.0.2.1", prefixLength: 24 }),
		deleteLink(10),
		deleteLink(10),
	];
	carryOut(routes, steps);
	expect(listLinks(routes).map(({ name }) => name)).toEqual(["lo"]);
	expect(ip(there, "link").map(({ ifname }) => ifname)).toEqual(["lo"]);
});

test("a group of links goes at once, and nothing else", () => {
	carryOut(routes, [
		createBridge({ name: "br0", index: 30 }),
		createBridge({ name: "br1", index: 31 }),
		pair(),
		setLink(30, { group: 7 }),
		setLink(10, { group: 7 }),
		deleteLinkGroup(7),
		deleteLinkGroup(7),
	]);
	expect(listLinks(routes).map(({ name }) => name)).toEqual(["lo", "br1"]);
});

test("another link of the same name is not taken for the same", () => {
	carryOut(routes, [createBridge({ name: "near", index: 30 })]);
	expect(() => carryOut(routes, [pair()])).toThrow(
		"cannot make veth near: EEXIST",
	);
});

test.each<[string, RouteStep, string]>([
	[
		"an address on a link that is not there",
		addAddress({ link: 99, address: "192.0.2.1", prefixLength: 24 }),
		"cannot add 192.0.2.1/24 to link 99: ENODEV",
	],
	[
		"a route by a gateway that cannot be reached",
		setRoute({ destination: "198.51.100.0/24", via: "192.0.2.2" }),
		"cannot set the route to 198.51.100.0/24: ENETUNREACH",
	],
	[
		"a name that is too long",
		createBridge({ name: "a-name-of-more-than-15", index: 30 }),
		"cannot make bridge a-name-of-more-than-15",
	],
])("%s is refused by name", (_what, step, message) => {
	expect(() => carryOut(routes, [step])).toThrow(message);
});

test("addresses of both families are listed with their scope, and usable at once", () => {
	carryOut(routes, [
		pair(),
		setLink(10, { up: true }),
		addAddress({
			link: 10,
			address: "192.0.2.1",
			prefixLength: 32,
			scope: "link",
		}),
		addAddress({ link: 10, address: "2001:db8::1", prefixLength: 64 }),
	]);
	carryOutIn(there, [setLink(20, { up: true })]);
	expect(listAddresses(routes)).toEqual(
		expect.arrayContaining([
			{ link: 10, address: "192.0.2.1", prefixLength: 32, scope: "link" },
			{ link: 10, address: "2001:db8::1", prefixLength: 64, scope: "global" },
		]),
	);
	const tentative = ip(here, "-6", "addr", "show", "dev", "near", "tentative");
	expect(JSON.stringify(tentative)).not.toContain("2001:db8::1");
	carryOut(routes, [
		removeAddress({ link: 10, address: "2001:db8::1", prefixLength: 64 }),
	]);
	expect(listAddresses(routes).map(({ address }) => address)).not.toContain(
		"2001:db8::1",
	);
});

test.each<[string, Route]>([
	[
		"by a gateway",
		{ destination: "198.51.100.0/24", via: "192.0.2.2", link: 10 },
	],
	["on a link", { destination: "198.51.100.0/24", link: 10 }],
	[
		"with a source address",
		{ destination: "198.51.100.7/32", link: 10, source: "192.0.2.1" },
	],
	["to nowhere", { destination: "198.51.100.0/24", type: "unreachable" }],
	["of silence", { destination: "198.51.100.0/24", type: "blackhole" }],
	["by default", { destination: "0.0.0.0/0", via: "192.0.2.2", link: 10 }],
	[
		"of IPv6 by a gateway",
		{ destination: "2001:db8:fa1::/64", via: "2001:db8::2", link: 10 },
	],
	[
		"to a whole range that is answered here",
		{ destination: "203.0.113.0/24", type: "local", link: 1 },
	],
])("a route %s is set, listed, replaced and removed", (_what, route) => {
	const listed = () =>
		listRoutes(routes).filter(
			({ destination }) => destination === route.destination,
		);
	carryOut(routes, [
		setLink(LOOPBACK, { up: true }),
		pair(),
		setLink(10, { up: true }),
		addAddress({ link: 10, address: "192.0.2.1", prefixLength: 24 }),
		addAddress({ link: 10, address: "2001:db8::1", prefixLength: 64 }),
		setRoute(route),
	]);
	expect(listed()).toEqual([{ type: "unicast", ...route }]);
	carryOut(routes, [setRoute(route)]);
	expect(listed()).toHaveLength(1);
	carryOut(routes, [removeRoute(route)]);
	expect(listed()).toEqual([]);
});

test("more steps than one send holds are all carried out", () => {
	const destinations = Array.from(
		{ length: 1000 },
		(_, index) => `10.${index >> 8}.${index & 255}.0/24`,
	);
	carryOut(routes, [
		pair(),
		setLink(10, { up: true }),
		...destinations.map((destination) => setRoute({ destination, link: 10 })),
	]);
	expect(listRoutes(routes).map(({ destination }) => destination)).toEqual(
		expect.arrayContaining(destinations),
	);
});

test("a setting is the namespace's own", () => {
	setNetworkSettings(here, { "ipv4/ip_forward": 1 });
	expect(networkSetting(here, "ipv4/ip_forward")).toBe("1");
	expect(networkSetting(there, "ipv4/ip_forward")).toBe("0");
	expect(() => setNetworkSettings(here, { "ipv4/no_such": 1 })).toThrow(
		"cannot set net.ipv4.no_such: this kernel does not have it",
	);
});

test("a namespace is left again whatever happens in it, and gone when it is let go", () => {
	const own = openNetworkNamespace("/proc/thread-self/ns/net");
	const links = () => {
		const socket = openRouteSocket(own);
		const names = listLinks(socket).map(({ name }) => name);
		socket.close();
		return names;
	};
	const before = links();
	carryOut(routes, [pair()]);
	expect(() =>
		here.run(() => {
			expect(existsSync("/proc/self/net/dev_mcast")).toBe(true);
			throw new Error("in there");
		}),
	).toThrow("in there");
	expect(links()).toEqual(before);
	own.close();
	const files = readdirSync("/proc/self/fd").length;
	createNetworkNamespace().close();
	expect(readdirSync("/proc/self/fd").length).toBe(files);
});

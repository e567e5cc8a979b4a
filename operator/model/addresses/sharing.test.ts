import {
	held,
	pool,
	said,
	service,
} from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";
import type { AddressRequest } from "./request.ts";

const key = { sharingKey: "k" };
const local = { ...key, externalTrafficPolicy: "Local" as const };
const app = { selector: { app: "web", tier: "x" } };
const https = { ports: ["TCP/443"] };

test.each<[string, Partial<AddressRequest>, Partial<AddressRequest>]>([
	["the same key and other ports", key, { ...key, ...https }],
	[
		"the same key and port for another protocol",
		key,
		{ ...key, ports: ["UDP/80"] },
	],
	[
		"the same key, from another namespace",
		key,
		{ ...key, ...https, namespace: "bank" },
	],
	[
		"Local for both, and the same pods",
		{ ...local, ...app },
		{ ...local, ...https, selector: { tier: "x", app: "web" } },
	],
])("Services share an address with %s", (_what, first, second) => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	allocator.allocate(service("a", first));
	expect(held(allocator.allocate(service("b", second)))).toEqual([
		"10.0.0.0 of p",
	]);
	expect(allocator.counts()[0]?.ipv4.assigned).toBe("1");
});

test.each<[string, Partial<AddressRequest>, Partial<AddressRequest>, string]>([
	["no key", {}, { ...key, ...https }, "which has no sharing key"],
	["no key of its own", key, https, "and this Service has no sharing key"],
	[
		"another key",
		key,
		{ ...https, sharingKey: "l" },
		"which has another sharing key",
	],
	[
		"a port in common",
		key,
		{ ...key, ports: ["TCP/443", "TCP/80"] },
		"which has port TCP/80 on it",
	],
	[
		"Local on one side",
		key,
		{ ...local, ...https, ...app },
		"whose externalTrafficPolicy is Cluster, not Local",
	],
	[
		"Local and other pods",
		{ ...local, ...app },
		{ ...local, ...https, selector: { app: "web" } },
		"both must select the same pods",
	],
	[
		"Local and another namespace",
		{ ...local, ...app },
		{ ...local, ...https, ...app, namespace: "bank" },
		"both must select the same pods",
	],
	[
		"Local and no selector",
		{ ...local, selector: {} },
		{ ...local, ...https, selector: {} },
		"both must select the same pods",
	],
])("Services do not share an address with %s", (_what, first, second, why) => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	allocator.allocate(service("a", first));
	expect(held(allocator.allocate(service("b", second)))).toEqual([
		"10.0.0.1 of p",
	]);
	const asked = allocator.allocate(
		service("c", { ...second, wants: ["10.0.0.0"] }),
	);
	expect(said(asked).join()).toContain(why);
});

test("an address to share goes before a free one of a pool that comes first", () => {
	const allocator = new Allocator([pool("q", "10.1.0.0/24")]);
	allocator.allocate(service("a", key));
	allocator.setPools([pool("p", "10.0.0.0/24"), pool("q", "10.1.0.0/24")]);
	expect(held(allocator.allocate(service("b", { ...key, ...https })))).toEqual([
		"10.1.0.0 of q",
	]);
});

test("a shared address is free when its last holder leaves, and a port when its holder does", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/32")]);
	allocator.allocate(service("a", key));
	allocator.allocate(service("b", { ...key, ...https }));
	allocator.allocate(service("c", key));
	allocator.allocate(service("d"));
	expect(allocator.release("a")).toEqual({ freed: [], wake: ["c"] });
	expect(allocator.release("b")).toEqual({ freed: [], wake: [] });
	expect(allocator.release("c")).toMatchObject({
		freed: [{ ip: "10.0.0.0" }],
		wake: ["d"],
	});
});

test("a Service whose new port clashes with its neighbour moves, and hears why", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	allocator.allocate(service("a", key));
	allocator.allocate(service("b", { ...key, ...https }));
	const moved = allocator.allocate(service("b", key));
	expect(held(moved)).toEqual(["10.0.0.1 of p"]);
	expect(said(moved)).toEqual([
		"pool p: 10.0.0.0 is held by shop/a, which has port TCP/80 on it",
	]);
});

test("a Service that starts to share lets in who waited for that", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/32")]);
	allocator.allocate(service("a"));
	allocator.allocate(service("b", { ...key, ...https }));
	expect(allocator.allocate(service("a", key)).wake).toEqual(["b"]);
});

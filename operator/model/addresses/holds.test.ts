import {
	held,
	ip,
	pool,
	said,
	service,
} from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";

const forB = { namespace: "shop", name: "b" };
const reserved = {
	code: "Reserved",
	message: "is reserved for shop/b",
	for: forB,
};
const draining = { code: "Draining", message: "is still being withdrawn" };

test("a held address is handed out to nobody, and counted apart", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/31")]);
	allocator.hold(ip("10.0.0.0"), draining);
	expect(held(allocator.allocate(service("a")))).toEqual(["10.0.0.1 of p"]);
	expect(said(allocator.allocate(service("c")))).toEqual([
		"pool p: full (1 of 2, 1 held back)",
	]);
	expect(
		said(allocator.allocate(service("d", { wants: ["10.0.0.0"] }))),
	).toEqual(["pool p: 10.0.0.0 is still being withdrawn"]);
	expect(allocator.counts()[0]?.ipv4).toEqual({
		capacity: "2",
		assigned: "1",
		available: "0",
	});
	expect(allocator.unhold(ip("10.0.0.0"), "Draining").wake).toEqual(["c"]);
});

test("the Service an address is held for gets it, before any other", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	allocator.hold(ip("10.0.0.9"), reserved);
	expect(held(allocator.allocate(service("a")))).toEqual(["10.0.0.0 of p"]);
	expect(held(allocator.allocate(service("b")))).toEqual(["10.0.0.9 of p"]);
	allocator.release("b");
	expect(
		said(allocator.allocate(service("a", { wants: ["10.0.0.9"] }))),
	).toEqual(["pool p: 10.0.0.9 is reserved for shop/b"]);
});

test("a hold on an address in use counts once its holder has left", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/32")]);
	allocator.allocate(service("a"));
	allocator.hold(ip("10.0.0.0"), reserved);
	allocator.allocate(service("c"));
	expect(held({ addresses: allocator.addressesOf("a") })).toHaveLength(1);
	expect(allocator.release("a").wake).toEqual([]);
	expect(held(allocator.allocate(service("b")))).toEqual(["10.0.0.0 of p"]);
});

test("holdFreed keeps what the last holder left until the hold ends", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/32")], {
		holdFreed: (_address, { namespace, name }) => [
			draining,
			{
				code: "Retained",
				message: `is kept for ${namespace}/${name}`,
				for: { namespace, name },
			},
		],
	});
	allocator.allocate(service("a"));
	allocator.allocate(service("b"));
	expect(allocator.release("a").wake).toEqual([]);
	expect(allocator.allocate(service("a")).ok).toBe(false);
	expect(allocator.unhold(ip("10.0.0.0"), "Draining").wake).toEqual(["a"]);
	allocator.release("a");
	allocator.unhold(ip("10.0.0.0"), "Draining");
	expect(allocator.unhold(ip("10.0.0.0"), "Retained").wake).toEqual(["b"]);
});

import {
	both,
	held,
	pool,
	service,
} from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";

test("what is released goes to the oldest who can use it, and to nobody else", () => {
	const allocator = new Allocator([
		pool("p", "10.0.0.0/31"),
		pool("team", "10.1.0.0/32", {
			namespaceSelector: { matchLabels: { team: "bank" } },
		}),
	]);
	const bank = { namespaceLabels: { team: "bank" } };
	for (const name of ["a", "b"]) allocator.allocate(service(name));
	allocator.allocate(service("c", bank));
	for (const name of ["f", "e"]) allocator.allocate(service(name));
	allocator.allocate(service("d", { wants: ["10.0.0.1"] }));
	expect(allocator.release("c").wake).toEqual([]);
	expect(allocator.release("a").wake).toEqual(["e"]);
	expect(allocator.release("b").wake).toEqual(["d"]);
	expect(allocator.release("f").wake).toEqual([]);
	expect(allocator.release("e").wake).toEqual([]);
});

test("who gives up waiting is passed over", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/32")]);
	for (const name of ["a", "b", "c"]) allocator.allocate(service(name));
	allocator.release("b");
	expect(allocator.release("a").wake).toEqual(["c"]);
});

test("who must have both families is served when the last missing one comes", () => {
	const allocator = new Allocator([
		pool("p", ["10.0.0.0/32", "2001:db8::/128"]),
	]);
	allocator.allocate(service("a"));
	allocator.allocate(service("b", { families: ["IPv6"] }));
	allocator.allocate(service("c", { ...both, policy: "RequireDualStack" }));
	expect(allocator.release("a").wake).toEqual([]);
	expect(allocator.release("b").wake).toEqual(["c"]);
});

test("a Service waits for the address it asks for without giving up its own", () => {
	const allocator = new Allocator([pool("p", "10.0.0.0/24")]);
	allocator.allocate(service("a"));
	allocator.allocate(service("b"));
	const asked = service("b", { wants: ["10.0.0.0"] });
	const waiting = allocator.allocate(asked);
	expect(waiting).toMatchObject({ ok: false, freed: [] });
	expect(held(waiting)).toEqual(["10.0.0.1 of p"]);
	expect(allocator.release("a")).toMatchObject({
		freed: [{ ip: "10.0.0.0" }, { ip: "10.0.0.1" }],
		wake: ["b"],
	});
	expect(held(allocator.allocate(asked))).toEqual(["10.0.0.0 of p"]);
});

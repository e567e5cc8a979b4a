import fc from "fast-check";
import { PortBook } from "./port-book.ts";

const gone = "2026-01-01T00:00:00Z";

test("a record is there until it is dropped, and a second one of the same changes nothing", () => {
	const book = new PortBook();
	expect(book.assign("edge", "a/x", { web: 30000 })).toEqual(["edge"]);
	expect(book.assign("edge", "a/x", { web: 30000 })).toEqual([]);
	expect(book.of("a/x")?.record.ports).toEqual({ web: 30000 });
	expect(book.claimant(30000)?.service).toBe("a/x");
	expect(book.drop("a/x")).toEqual(["edge"]);
	expect(book.claimant(30000)).toBeUndefined();
	expect(book.assigned("edge")).toEqual([]);
});

test("ports of a Service that went are kept for it, and one that is needed is taken alone", () => {
	const book = new PortBook();
	book.assign("edge", "a/x", { web: 30000, tls: 30001 });
	expect(book.release("a/x", gone)).toEqual(["edge"]);
	expect(book.release("a/x", gone)).toEqual([]);
	book.assign("edge", "b/y", { web: 30000 });
	expect(book.assigned("edge")).toEqual([
		{ service: "a/x", ports: { tls: 30001 }, released: gone },
		{ service: "b/y", ports: { web: 30000 } },
	]);
});

test("a Service that is back is no longer gone", () => {
	const book = new PortBook();
	book.assign("edge", "a/x", { web: 30000 });
	book.release("a/x", gone);
	expect(book.assign("edge", "a/x", { web: 30000 })).toEqual(["edge"]);
	expect(book.of("a/x")?.record).toEqual({
		service: "a/x",
		ports: { web: 30000 },
	});
});

test("a Service that moves to another pool leaves its record in neither of two", () => {
	const book = new PortBook();
	book.assign("edge", "a/x", { web: 30000 });
	expect(book.assign("core", "a/x", { web: 30100 }).sort()).toEqual([
		"core",
		"edge",
	]);
	expect(book.assigned("edge")).toEqual([]);
	expect(book.claimant(30000)).toBeUndefined();
});

test("records that clash with others are not taken from a status", () => {
	const book = new PortBook();
	book.load("core", [{ service: "a/x", ports: { web: 30000 } }]);
	book.load("edge", [
		{ service: "a/x", ports: { web: 30001 } },
		{ service: "b/y", ports: { web: 30000 } },
		{ service: "c/z", ports: { web: 30002 } },
	]);
	expect(book.assigned("edge")).toEqual([
		{ service: "c/z", ports: { web: 30002 } },
	]);
});

test("a port is never recorded for two Services that live", () => {
	const book = new PortBook();
	book.assign("edge", "a/x", { web: 30000 });
	expect(() => book.assign("edge", "b/y", { web: 30000 })).toThrow(
		"NodePort 30000 is recorded for a/x",
	);
});

test("whatever happens, ports and Services agree, and a status read back gives the same book", () => {
	const service = fc.constantFrom("a/x", "b/y", "c/z");
	const pool = fc.constantFrom("core", "edge");
	const step = fc.oneof(
		fc.record({
			do: fc.constant("assign" as const),
			pool,
			service,
			port: fc.integer({ min: 30000, max: 30003 }),
		}),
		fc.record({ do: fc.constantFrom("release" as const, "drop"), service }),
		fc.record({ do: fc.constant("forget" as const), pool }),
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
			const book = new PortBook();
			for (const each of steps) {
				if (each.do === "assign") {
					const { service: whose, released } = book.claimant(each.port) ?? {};
					if (whose === undefined || whose === each.service || released)
						book.assign(each.pool, each.service, { web: each.port });
				} else if (each.do === "forget") book.forget(each.pool);
				else if (each.do === "drop") book.drop(each.service);
				else book.release(each.service, gone);
			}
			const again = new PortBook();
			const seen = new Set<number>();
			for (const name of ["core", "edge"]) {
				again.load(name, book.assigned(name));
				expect(again.assigned(name)).toEqual(book.assigned(name));
				for (const { service: whose, ports } of book.assigned(name))
					for (const port of Object.values(ports)) {
						expect(seen.has(port)).toBe(false);
						seen.add(port);
						expect(book.claimant(port)?.service).toBe(whose);
					}
			}
		}),
	);
});

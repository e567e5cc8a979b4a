import fc from "fast-check";
import { AddressPool } from "./address-pool.ts";

test("addresses come in order, and those given back come last, longest unused first", () => {
	const pool = new AddressPool("node-1", ["a", "b", "c", "d"]);
	expect([pool.take(), pool.take(), pool.take()]).toEqual(["a", "b", "c"]);
	pool.giveBack("b");
	pool.giveBack("a");
	expect([pool.take(), pool.take(), pool.take()]).toEqual(["d", "b", "a"]);
});

test("the error for a node without addresses names it and how many it has", () => {
	const pool = new AddressPool("node-7", ["10.244.7.2"]);
	pool.take();
	expect(() => pool.take()).toThrow(
		"node-7 has no pod address left: all 1 are in use",
	);
});

test("whatever is taken and given back, nobody shares an address and none is lost", () => {
	const addresses = Array.from({ length: 8 }, (_, index) => `a${index}`);
	fc.assert(
		fc.property(fc.array(fc.nat(9)), (moves) => {
			const pool = new AddressPool("node-1", addresses);
			const used: string[] = [];
			for (const move of moves) {
				const back = used[move];
				if (back !== undefined) {
					used.splice(move, 1);
					pool.giveBack(back);
				} else if (used.length < addresses.length) used.push(pool.take());
			}
			while (used.length < addresses.length) used.push(pool.take());
			expect(used.toSorted()).toEqual(addresses);
		}),
	);
});

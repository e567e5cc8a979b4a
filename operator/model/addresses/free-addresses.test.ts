import fc from "fast-check";
import { FreeAddresses } from "./free-addresses.ts";
import { mergeIntervals } from "./intervals.ts";

test("the lowest free address is always the lowest one not in use, whatever was taken and returned before", () => {
	const intervals = fc.array(
		fc.tuple(fc.nat(60), fc.nat(9)).map(([start, more]) => ({
			start: BigInt(start),
			end: BigInt(start + more),
		})),
		{ minLength: 1, maxLength: 5 },
	);
	// take the lowest, take some other one, or return one: with many returns the holes are thrown away once.
	const steps = fc.array(
		fc.tuple(fc.constantFrom("lowest", "any", "return", "return"), fc.nat()),
		{ maxLength: 400 },
	);
	fc.assert(
		fc.property(intervals, steps, (list, moves) => {
			const merged = mergeIntervals(list);
			const all = merged.flatMap(({ start, end }) =>
				Array.from(
					{ length: Number(end - start) + 1 },
					(_, index) => start + BigInt(index),
				),
			);
			const inUse = new Set<bigint>();
			const free = new FreeAddresses(merged, (value) => inUse.has(value));
			const take = (value: bigint) => {
				inUse.add(value);
				free.taken(value);
			};
			for (const [move, at] of moves) {
				const lowest = all.find((value) => !inUse.has(value));
				expect(free.lowest()).toBe(lowest);
				if (move === "lowest" && lowest !== undefined) take(lowest);
				const available = all.filter((value) => !inUse.has(value));
				if (move === "any" && available.length > 0)
					take(available[at % available.length] as bigint);
				if (move === "return" && inUse.size > 0) {
					const value = [...inUse][at % inUse.size] as bigint;
					inUse.delete(value);
					free.returned(value, inUse.size);
				}
			}
		}),
	);
});

test("a pool that empties again forgets its holes instead of keeping one per address", () => {
	const inUse = new Set<bigint>();
	let looks = 0;
	const free = new FreeAddresses([{ start: 0n, end: 1n << 64n }], (value) => {
		looks++;
		return inUse.has(value);
	});
	for (let value = 0n; value < 10_000n; value++) {
		inUse.add(value);
		free.taken(value);
	}
	for (let value = 9_999n; value >= 0n; value--) {
		inUse.delete(value);
		free.returned(value, inUse.size);
	}
	looks = 0;
	expect(free.lowest()).toBe(0n);
	expect(looks).toBeLessThan(100);
});

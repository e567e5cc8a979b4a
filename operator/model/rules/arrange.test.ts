import fc from "fast-check";
import { arrange } from "./arrange.ts";
import type { Backend } from "./program.ts";

const backend = (pod: number): Backend => ({
	address: `10.244.0.${pod}`,
	port: 8080,
	local: false,
});
const slots = (...pods: number[]) => pods.map(backend);

describe("slots of endpoints", () => {
	it.each<[string, number[], number[], number[]]>([
		[
			"an endpoint that joins is added at the end",
			[1, 2],
			[3, 1, 2],
			[1, 2, 3],
		],
		[
			"the last one moves into the hole of one that leaves",
			[1, 2, 3],
			[2, 3],
			[3, 2],
		],
		["the last one leaves without anybody moving", [1, 2, 3], [1, 2], [1, 2]],
		[
			"one that replaces another takes its slot",
			[1, 2, 3],
			[1, 3, 9],
			[1, 9, 3],
		],
		[
			"nothing moves when nothing changes but the order",
			[1, 2, 3],
			[3, 2, 1],
			[1, 2, 3],
		],
		["all are new", [], [2, 1], [2, 1]],
		["all leave", [1, 2], [], []],
	])("%s", (_, before, wanted, after) => {
		expect(arrange(slots(...before), slots(...wanted))).toEqual(
			slots(...after),
		);
	});

	const pods = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), {
		maxLength: 12,
	});

	it("hold exactly the wanted endpoints, with the least writes there can be", () => {
		fc.assert(
			fc.property(pods, pods, (before, wanted) => {
				const after = arrange(slots(...before), slots(...wanted));
				const addresses = (list: Backend[]) => list.map((each) => each.address);
				expect(addresses(after).sort()).toEqual(
					addresses(slots(...wanted)).sort(),
				);
				const kept = new Set(wanted);
				const writes = after.filter(
					({ address }, slot) => address !== slots(...before)[slot]?.address,
				).length;
				// A slot below the new length must be written if what it holds is not wanted, or if it is new.
				const least = after.filter((_, slot) => {
					const held = before[slot];
					return held === undefined || !kept.has(held);
				}).length;
				expect(writes).toBe(least);
			}),
		);
	});

	it("take over what changed about an endpoint that stays", () => {
		const [local] = slots(1).map((each) => ({ ...each, local: true }));
		expect(arrange(slots(1), local ? [local] : [])).toEqual([local]);
	});
});

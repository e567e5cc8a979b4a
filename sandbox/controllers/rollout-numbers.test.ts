import {
	limitsOf,
	newSetSize,
	shareOut,
	shrinkOld,
} from "./rollout-numbers.ts";
import { deployment, replicaSet } from "./test-samples.ts";

const rolling = (
	replicas: number,
	maxSurge: number | string,
	maxUnavailable: number | string,
) =>
	deployment({
		replicas,
		strategy: {
			type: "RollingUpdate",
			rollingUpdate: { maxSurge, maxUnavailable },
		},
	});

test.each([
	["10 pods, 25 % and 25 %", rolling(10, "25%", "25%"), 3, 2],
	["1 pod, 25 % and 25 %", rolling(1, "25%", "25%"), 1, 0],
	["2 pods, 0 % and 1 %: one must be able to go", rolling(2, "0%", "1%"), 0, 1],
	["3 pods, 2 and 1", rolling(3, 2, 1), 2, 1],
	["3 pods, 0 and 5: not more than there are", rolling(3, 0, 5), 0, 3],
	["none, 25 % and 25 %", rolling(0, "25%", "25%"), 0, 0],
	["Recreate", deployment({ strategy: { type: "Recreate" } }), 0, 0],
])("%s", (_, given, maxSurge, maxUnavailable) => {
	expect(limitsOf(given)).toEqual({ maxSurge, maxUnavailable });
});

test.each([
	["the first ReplicaSet gets all", rolling(4, "25%", "25%"), [], 0, 4],
	["a second one what surge allows", rolling(4, "25%", "25%"), [4], 0, 1],
	["nothing where there is no room", rolling(4, 0, 1), [4], 0, 0],
	["what old ones have left", rolling(4, "25%", "25%"), [2, 1], 1, 2],
	["not more than are wanted", rolling(2, 10, 0), [1], 1, 2],
	["less when fewer are wanted", rolling(2, 1, 0), [], 5, 2],
])("%s", (_, given, old, present, expected) => {
	const sets = [...old, present].map((size, index) => replicaSet(index, size));
	expect(newSetSize(given, sets, present)).toBe(expected);
});

interface Size {
	size: number;
	available: number;
}

test.each<[string, ReturnType<typeof rolling>, Size[], Size, number[]]>([
	[
		"old pods go as far as unavailability allows",
		rolling(4, "25%", "25%"),
		[{ size: 4, available: 4 }],
		{ size: 1, available: 0 },
		[3],
	],
	[
		"none while too few are available",
		rolling(4, 1, 0),
		[{ size: 4, available: 4 }],
		{ size: 1, available: 0 },
		[],
	],
	[
		"one for every new one that is available",
		rolling(4, 1, 0),
		[{ size: 4, available: 4 }],
		{ size: 1, available: 1 },
		[3],
	],
	[
		"broken ones first, the older before the newer",
		rolling(4, 1, 1),
		[
			{ size: 2, available: 0 },
			{ size: 3, available: 3 },
		],
		{ size: 0, available: 0 },
		[0],
	],
	[
		"broken ones, and then those that work",
		rolling(4, 2, 1),
		[{ size: 5, available: 4 }],
		{ size: 1, available: 1 },
		[4, 2],
	],
])("%s", (_, given, old, present, expected) => {
	const sets = old.map(({ size, available }, index) =>
		replicaSet(index + 1, size, { available }),
	);
	const newSet = replicaSet(9, present.size, { available: present.available });
	expect(shrinkOld(given, newSet, sets).map(({ to }) => to)).toEqual(expected);
});

test.each([
	["growing from 4 to 8", 8, [3, 2], [6, 4]],
	["shrinking from 10 to 5", 5, [8, 5], [4, 3]],
	["shrinking to none", 0, [8, 5], [0, 0]],
	["what rounding leaves over goes to the largest", 7, [3, 1, 1], [5, 2, 2]],
])("%s is shared out in proportion", (_, desired, sizes, expected) => {
	const before = sizes.reduce((total, size) => total + size, 0);
	const sets = sizes.map((size, index) =>
		replicaSet(index + 1, size, { max: before }),
	);
	const shared = shareOut(rolling(desired, "25%", "25%"), sets);
	expect(
		sets.map((set) => shared.find((each) => each.set === set)?.to),
	).toEqual(expected);
});

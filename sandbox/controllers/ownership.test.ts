import { type Claim, claimOf } from "./ownership.ts";
import { pod, replicaSet } from "./test-samples.ts";

const owner = replicaSet(1, 1);
const leavingOwner = {
	...owner,
	metadata: { ...owner.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
};
const others = { labels: { app: "other" } };

test.each<[string, typeof owner, ReturnType<typeof pod>, Claim]>([
	["its own, selected: it stays", owner, pod("p", { owner: "web-1" }), "keep"],
	[
		"its own, no longer selected: it goes",
		owner,
		pod("p", { owner: "web-1", ...others }),
		"release",
	],
	["an orphan it selects: it comes", owner, pod("p"), "adopt"],
	["an orphan it does not select", owner, pod("p", others), "leave"],
	[
		"an orphan that is being deleted",
		owner,
		pod("p", { leaving: true }),
		"leave",
	],
	["somebody else's", owner, pod("p", { owner: "web-2" }), "leave"],
	[
		"an orphan, when it is itself being deleted",
		leavingOwner,
		pod("p"),
		"leave",
	],
	[
		"its own, no longer selected, when it is itself being deleted",
		leavingOwner,
		pod("p", { owner: "web-1", ...others }),
		"leave",
	],
])("%s", (_, claimant, candidate, expected) => {
	expect(claimOf(claimant, candidate)).toBe(expected);
});

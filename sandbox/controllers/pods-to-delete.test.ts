import { podsToDelete } from "./pods-to-delete.ts";
import { pod, start } from "./test-samples.ts";

const now = start + 3_600_000;
const cost = (value: string) => ({
	annotations: { "controller.kubernetes.io/pod-deletion-cost": value },
});
const ready = { node: "n", ready: 10 };

test.each([
	["without a node before one with", pod("gone"), pod("kept", { node: "n" })],
	[
		"pending before unknown",
		pod("gone", { node: "n" }),
		pod("kept", { node: "n", phase: "Unknown" }),
	],
	[
		"unknown before running",
		pod("gone", { node: "n", phase: "Unknown" }),
		pod("kept", { node: "n", phase: "Running" }),
	],
	[
		"not ready before ready",
		pod("gone", { node: "n", phase: "Running" }),
		pod("kept", ready),
	],
	[
		"cheap before dear",
		pod("gone", { ...ready, ...cost("-5") }),
		pod("kept", { ...ready, ...cost("3") }),
	],
	[
		"one whose cost is no number as if it cost nothing",
		pod("gone", { ...ready, ...cost("+7") }),
		pod("kept", { ...ready, ...cost("1") }),
	],
	[
		"ready for a short time before ready for long",
		pod("gone", { node: "n", ready: 3_500 }),
		pod("kept", { node: "n", ready: 10 }),
	],
	[
		"often restarted before seldom",
		pod("gone", { ...ready, restarts: 3 }),
		pod("kept", { ...ready, restarts: 1 }),
	],
	[
		"young before old",
		pod("gone", { ...ready, created: 3_500 }),
		pod("kept", { ...ready, created: 10 }),
	],
	[
		"of about the same age, the one whose uid is the smaller",
		pod("a-gone", { ...ready, created: 100 }),
		pod("b-kept", { ...ready, created: 50 }),
	],
])("goes first: %s", (_, gone, kept) => {
	for (const pods of [
		[gone, kept],
		[kept, gone],
	])
		expect(podsToDelete(pods, pods, 1, now)).toEqual([gone]);
});

test("of ready pods one goes from the node that has most of the owner's", () => {
	const here = pod("here", { node: "crowded", ready: 10 });
	const there = pod("there", { node: "free", ready: 3_500 });
	const sibling = pod("sibling", { node: "crowded", ready: 10 });
	expect(podsToDelete([here, there], [here, there, sibling], 1, now)).toEqual([
		here,
	]);
});

test("all go when all are to go", () => {
	const pods = [pod("a"), pod("b")];
	expect(podsToDelete(pods, pods, 2, now)).toEqual(pods);
});

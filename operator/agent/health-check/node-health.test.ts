import type { Node } from "../../api/core.ts";
import { healthAnswer, isEligible } from "./node-health.ts";

const now = Date.UTC(2026, 0, 1, 12);
const earlier = now - 5_000;
const node = (more: Partial<Node["metadata"]> = {}, taint?: string): Node => ({
	metadata: { name: "node-1", ...more },
	...(taint
		? { spec: { taints: [{ key: taint, effect: "NoSchedule" }] } }
		: {}),
});

describe("whether a node takes new traffic", () => {
	it.each<[string, Node | undefined, boolean]>([
		["a node does", node(), true],
		[
			"one that is being deleted does not",
			node({ deletionTimestamp: "2026-01-01T00:00:00Z" }),
			false,
		],
		[
			"one the autoscaler is about to take does not",
			node({}, "ToBeDeletedByClusterAutoscaler"),
			false,
		],
		["one with another taint does", node({}, "dedicated"), true],
		["one nobody has described does not", undefined, false],
	])("%s", (_, described, expected) => {
		expect(isEligible(described)).toBe(expected);
	});
});

describe("the answer at /healthz", () => {
	it("has kube-proxy's fields", () => {
		const { status, body } = healthAnswer(
			{ lastUpdated: earlier, lateMs: 0 },
			now,
			true,
		);
		expect(status).toBe(200);
		expect(JSON.parse(body)).toEqual({
			lastUpdated: "2026-01-01T12:00:00.000Z",
			currentTime: "2026-01-01T12:00:00.000Z",
			nodeEligible: true,
			healthy: true,
			status: {
				IPv4: { lastUpdated: "2026-01-01T11:59:55.000Z", healthy: true },
				IPv6: { lastUpdated: "2026-01-01T11:59:55.000Z", healthy: true },
			},
		});
	});

	it.each([
		[
			"a node that takes no new traffic, though its rules are well",
			{ lastUpdated: earlier, lateMs: 0 },
			false,
			true,
		],
		[
			"rules that were never written",
			{ lastUpdated: undefined, lateMs: 0 },
			true,
			false,
		],
		[
			"a change that waits for a minute",
			{ lastUpdated: earlier, lateMs: 60_000 },
			true,
			false,
		],
	])("is 503 for %s", (_, health, eligible, healthy) => {
		const { status, body } = healthAnswer(health, now, eligible);
		expect(status).toBe(503);
		expect(JSON.parse(body)).toMatchObject({ nodeEligible: eligible, healthy });
	});

	it("leaves the node's part out at /livez", () => {
		const { status, body } = healthAnswer(
			{ lastUpdated: earlier, lateMs: 0 },
			now,
			undefined,
		);
		expect(status).toBe(200);
		expect(JSON.parse(body)).not.toHaveProperty("nodeEligible");
	});
});

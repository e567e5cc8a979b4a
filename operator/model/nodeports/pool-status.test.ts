import { portPoolStatusChange } from "./pool-status.ts";
import { readPortPools } from "./pools.ts";

const none = { used: 0, conflicts: [], assigned: [], trouble: [] };
const readiness = (...ranges: string[]) =>
	readPortPools(
		ranges.map((range, index) => ({
			metadata: { name: `p${index}` },
			spec: { range },
		})),
		{ first: 30_000, last: 32_767 },
	).map((pool) => {
		const status = portPoolStatusChange(
			undefined,
			pool,
			none,
			"2026-01-01T00:00:00Z",
		);
		const ready = status?.conditions?.find(({ type }) => type === "Ready");
		return `${ready?.status} ${ready?.reason}`;
	});

test("of pools that overlap the later one says so, and those beside each other do not", () => {
	expect(readiness("30000-30009", "30009-30019", "30020-30029")).toEqual([
		"True Reserved",
		"False Overlap",
		"True Reserved",
	]);
});

import { changedConditions } from "./conditions.ts";

const verdict = {
	type: "T",
	status: "True",
	reason: "R",
	message: "m",
} as const;
const old = { ...verdict, lastTransitionTime: "2026-01-01T00:00:00Z" };
const now = "2026-02-02T00:00:00Z";

describe("conditions to be written", () => {
	it("are none when nothing changed", () => {
		expect(changedConditions([old], [verdict], now)).toEqual([]);
	});

	it("keep their transition time while the status stays", () => {
		expect(
			changedConditions([old], [{ ...verdict, message: "n" }], now),
		).toEqual([{ ...old, message: "n" }]);
	});

	it("get a new transition time when the status changes", () => {
		expect(
			changedConditions([old], [{ ...verdict, status: "False" }], now),
		).toEqual([{ ...verdict, status: "False", lastTransitionTime: now }]);
	});

	it("never hold a message longer than the API server takes, and are not written for ever because of it", () => {
		const long = { ...verdict, message: "x".repeat(40_000) };
		const [written] = changedConditions([], [long], now);
		expect(written?.message).toHaveLength(32_768);
		expect(changedConditions(written ? [written] : [], [long], now)).toEqual(
			[],
		);
	});
});

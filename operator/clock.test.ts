import { jest } from "@jest/globals";

import { systemClock } from "./clock.ts";

describe("a timer of the system's clock", () => {
	beforeEach(() => {
		jest.useFakeTimers();
	});
	afterEach(() => {
		jest.useRealTimers();
	});

	const day = 86_400_000;

	it.each([1, day, 25 * day, 100 * day, 1_000 * day])(
		"of %d ms fires when they are over, once, and not before",
		(ms) => {
			let fired = 0;
			systemClock.after(ms, () => fired++);
			jest.advanceTimersByTime(ms - 1);
			expect(fired).toBe(0);
			jest.advanceTimersByTime(1);
			jest.advanceTimersByTime(2_000 * day);
			expect(fired).toBe(1);
		},
	);

	it("that is longer than Node's longest does not fire after it was undone", () => {
		let fired = 0;
		const cancel = systemClock.after(100 * day, () => fired++);
		jest.advanceTimersByTime(50 * day);
		cancel();
		jest.advanceTimersByTime(100 * day);
		expect(fired).toBe(0);
	});
});

import { FakeClock } from "../../../test/support/fake-clock.ts";
import {
	type Budget,
	createBudget,
	createCloudBudgets,
	type Priority,
} from "./budget.ts";

const never = new AbortController().signal;
const plenty = { concurrency: 100, patienceMs: 5_000 };

/** Enters and notes in `order` when it was let in. */
function enter(
	budget: Budget,
	name: string,
	order: string[],
	priority: Priority = "update",
	signal = never,
): Promise<void> {
	return budget.enter(priority, signal).then(
		() => void order.push(name),
		(error: { code?: string; message: string }) =>
			void order.push(`${name}: ${error.code ?? error.message}`),
	);
}

/** What a cloud that refills evenly says; `resetMs` is until it is full. */
const limits = (remaining: number, limit = 10, refillMs = 1_000) => ({
	limited: false,
	limit,
	remaining,
	resetMs: (limit - remaining) * refillMs,
});

describe("a call budget", () => {
	it("lets only so many calls go at once, deletes and creates first and audits last", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, { concurrency: 1, patienceMs: 1_000 });
		const order: string[] = [];
		await enter(budget, "first", order);
		void enter(budget, "audit", order, "audit");
		void enter(budget, "update 1", order);
		void enter(budget, "update 2", order);
		void enter(budget, "delete", order, "deleteOrCreate");
		for (let turn = 0; turn < 4; turn++) {
			await clock.advance(0);
			expect(order).toHaveLength(turn + 1);
			budget.leave();
		}
		await clock.advance(0);
		expect(order).toEqual(["first", "delete", "update 1", "update 2", "audit"]);
	});

	it("paces itself at the rate at which the cloud gives calls back", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, plenty);
		const order: string[] = [];
		await enter(budget, "a", order);
		budget.leave(limits(1));
		void enter(budget, "b", order);
		void enter(budget, "c", order);
		void enter(budget, "d", order);
		await clock.advance(0);
		expect(order).toEqual(["a", "b"]);
		await clock.advance(999);
		expect(order).toEqual(["a", "b"]);
		await clock.advance(1);
		expect(order).toEqual(["a", "b", "c"]);
		await clock.advance(1_000);
		expect(order).toEqual(["a", "b", "c", "d"]);
	});

	it("sends away who would wait long, and says when to come back", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, { concurrency: 8, patienceMs: 2_000 });
		await budget.enter("update", never);
		budget.leave({ limited: true, retryAfterMs: 30_000 });
		await expect(budget.enter("update", never)).rejects.toMatchObject({
			code: "CloudRateLimited",
			retryAfterMs: 30_000,
			message:
				"the cloud's rate limit for this token is used up; next call in 30 s",
		});
		await clock.advance(28_000);
		const order: string[] = [];
		void enter(budget, "back", order);
		await clock.advance(1_999);
		expect(order).toEqual([]);
		await clock.advance(1);
		expect(order).toEqual(["back"]);
	});

	it("sends away those who already wait when a refusal makes their wait long", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, { concurrency: 1, patienceMs: 2_000 });
		const order: string[] = [];
		await enter(budget, "first", order);
		void enter(budget, "waiting", order);
		budget.leave({ limited: true, retryAfterMs: 60_000 });
		await clock.advance(0);
		expect(order).toEqual(["first", "waiting: CloudRateLimited"]);
	});

	it("waits twice as long each time it is refused again, but not beyond the reset", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, plenty);
		const pauses: (number | undefined)[] = [];
		for (let turn = 0; turn < 6; turn++) {
			await budget.enter("update", never);
			const pause = budget.leave({
				limited: true,
				limit: 3_600,
				remaining: 0,
				resetMs: 10_000,
			});
			pauses.push(pause);
			await clock.advance(pause ?? 0);
		}
		expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
	});

	it("forgets its place when the caller is aborted, and lets the next one have it", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, { concurrency: 1, patienceMs: 1_000 });
		const order: string[] = [];
		const abort = new AbortController();
		await enter(budget, "first", order);
		void enter(budget, "aborted", order, "update", abort.signal);
		void enter(budget, "next", order);
		abort.abort(new Error("stopped"));
		budget.leave();
		await clock.advance(0);
		expect(order).toEqual(["first", "aborted: stopped", "next"]);
		await enter(budget, "late", order, "update", abort.signal);
		expect(order.at(-1)).toBe("late: stopped");
	});

	it("leaves no timer behind when nobody waits", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, plenty);
		const order: string[] = [];
		await enter(budget, "a", order);
		budget.leave(limits(0));
		void enter(budget, "b", order);
		await clock.advance(1_000);
		budget.leave();
		expect(order).toEqual(["a", "b"]);
		expect(clock.waiting()).toEqual([]);
	});

	it("is shared by all who use one token at one endpoint, and by nobody else", () => {
		const budgets = createCloudBudgets(new FakeClock());
		const budget = budgets.of("https://a/v1", "t1");
		expect(budgets.of("https://a/v1", "t1")).toBe(budget);
		expect(budgets.of("https://a/v1", "t2")).not.toBe(budget);
		expect(budgets.of("https://b/v1", "t1")).not.toBe(budget);
	});
});

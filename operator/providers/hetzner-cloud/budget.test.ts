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
	return budget.enter({ priority, by: name, signal }).then(
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
	it("lets only so many calls go at once, deletes first, then creates, then updates, and audits last", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, { concurrency: 1, patienceMs: 1_000 });
		const order: string[] = [];
		await enter(budget, "first", order);
		void enter(budget, "audit", order, "audit");
		void enter(budget, "update 1", order);
		void enter(budget, "update 2", order);
		void enter(budget, "create", order, "create");
		void enter(budget, "delete", order, "delete");
		for (let turn = 0; turn < 5; turn++) {
			await clock.advance(0);
			expect(order).toHaveLength(turn + 1);
			budget.leave();
		}
		await clock.advance(0);
		expect(order).toEqual([
			"first",
			"delete",
			"create",
			"update 1",
			"update 2",
			"audit",
		]);
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
		await budget.enter({ priority: "update", signal: never });
		budget.leave({ limited: true, retryAfterMs: 30_000 });
		await expect(
			budget.enter({ priority: "update", signal: never }),
		).rejects.toMatchObject({
			code: "CloudRateLimited",
			retryAfterMs: 30_000,
			message:
				"the cloud allows no more requests with this token for now; this one waits its turn",
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
			await budget.enter({ priority: "update", signal: never });
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

	it("lets everybody go about in the order in which they came, also those it sent away, and wakes nobody again and again for nothing", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock);
		await budget.enter({ priority: "audit", signal: never });
		budget.leave(limits(0, 3_600));
		const callers = Array.from({ length: 60 }, (_, at) => `s${at}`);
		const order: string[] = [];
		let refusals = 0;
		/** As the controller calls: away for as long as it was told, and back. */
		const come = async (by: string, priority: Priority): Promise<void> => {
			for (;;) {
				const wait = await budget.enter({ priority, by, signal: never }).then(
					() => undefined,
					(error: { retryAfterMs: number }) => error.retryAfterMs,
				);
				if (wait === undefined) break;
				refusals++;
				await new Promise<void>((resolve) => clock.after(wait, resolve));
			}
			order.push(by);
			budget.leave();
		};
		for (const by of callers) void come(by, "create");
		await clock.advance(30_000);
		void come("late update", "update");
		void come("late delete", "delete");
		await clock.advance(90_000);
		const deleted = order.indexOf("late delete");
		const went = order.filter((by) => by.startsWith("s"));
		expect([...went].sort()).toEqual([...callers].sort());
		// Who comes back while a delete goes first may lose a few places, no more.
		for (const [at, by] of callers.entries())
			expect(Math.abs(went.indexOf(by) - at)).toBeLessThanOrEqual(5);
		expect(order.at(-1)).toBe("late update");
		expect(order).toHaveLength(62);
		// It went with the next calls there were, before those who had waited half a minute.
		expect(deleted).toBeLessThan(36);
		expect(refusals).toBeLessThanOrEqual(4 * callers.length);
	});

	it("asks how work is getting on with every tenth call at most while calls are scarce", async () => {
		const clock = new FakeClock();
		const budget = createBudget(clock, plenty);
		expect(budget.pace()).toBe(0);
		await budget.enter({ priority: "create", signal: never });
		budget.leave(limits(2_000, 3_600));
		expect(budget.pace()).toBe(0);
		await budget.enter({ priority: "create", signal: never });
		budget.leave(limits(10, 3_600));
		expect(budget.pace()).toBe(10_000);
		await clock.advance(400_000);
		expect(budget.pace()).toBe(0);
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

import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { FairleadError } from "../errors.ts";
import { Workqueue, type WorkqueueOptions } from "./workqueue.ts";

/** A queue whose handlings the test ends one by one. */
function setup(options: Partial<WorkqueueOptions> = {}) {
	const clock = new FakeClock();
	const log = quietLog();
	const queue = new Workqueue({ clock, log, random: () => 1, ...options });
	const started: string[] = [];
	const open = new Map<string, { end: () => void; fail: (e: Error) => void }>();
	const signals: AbortSignal[] = [];
	const handler = (key: string, signal: AbortSignal) => {
		started.push(key);
		signals.push(signal);
		return new Promise<void>((resolve, reject) => {
			open.set(key, { end: resolve, fail: reject });
		});
	};
	const end = async (key: string) => {
		open.get(key)?.end();
		await clock.advance(0);
	};
	const fail = async (key: string, error: Error = new Error("no")) => {
		open.get(key)?.fail(error);
		await clock.advance(0);
	};
	return { clock, log, queue, started, signals, handler, end, fail };
}

describe("a key", () => {
	test("added many times is handled once", async () => {
		const { clock, queue, started, handler } = setup();
		for (let i = 0; i < 5; i++) queue.add("a");
		queue.run(handler);
		await clock.advance(0);
		expect(started).toEqual(["a"]);
	});

	test("added while it is handled is handled again after, not beside", async () => {
		const { clock, queue, started, handler, end } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		queue.add("a");
		queue.add("a");
		await clock.advance(0);
		expect(started).toEqual(["a"]);
		await end("a");
		expect(started).toEqual(["a", "a"]);
		await end("a");
		expect(started).toEqual(["a", "a"]);
		expect(queue.size).toBe(0);
	});

	test("is not waited for by others, as far as workers reach", async () => {
		const { clock, queue, started, handler, end } = setup({ workers: 2 });
		queue.run(handler);
		for (const key of ["a", "b", "c"]) queue.add(key);
		await clock.advance(0);
		expect(started).toEqual(["a", "b"]);
		expect(queue.depth).toEqual({ high: 0, normal: 1 });
		expect(queue.running).toBe(2);
		await end("a");
		expect(started).toEqual(["a", "b", "c"]);
	});

	test("added for later comes at the earliest of its times", async () => {
		const { clock, queue, started, handler } = setup();
		queue.run(handler);
		queue.addAfter("a", 5000);
		queue.addAfter("a", 2000);
		queue.addAfter("a", 9000);
		await clock.advance(1999);
		expect(started).toEqual([]);
		expect(queue.delayed).toBe(1);
		await clock.advance(1);
		expect(started).toEqual(["a"]);
		await clock.advance(10_000);
		expect(started).toEqual(["a"]);
	});

	test("added for later and then plainly is handled now, and not again later", async () => {
		const { clock, queue, started, handler, end } = setup();
		queue.run(handler);
		queue.addAfter("a", 5000);
		queue.add("a");
		await clock.advance(0);
		expect(started).toEqual(["a"]);
		await end("a");
		await clock.advance(10_000);
		expect(started).toEqual(["a"]);
	});

	test("whose time is more days away than a timer holds is not handled early", async () => {
		const { clock, queue, started, handler } = setup();
		queue.run(handler);
		queue.addAfter("a", 2 ** 32);
		await clock.advance(2 ** 32 - 1);
		expect(started).toEqual([]);
		await clock.advance(1);
		expect(started).toEqual(["a"]);
	});

	test("whose time comes while it is handled is handled again after", async () => {
		const { clock, queue, started, handler, end } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		queue.addAfter("a", 1000);
		await clock.advance(1000);
		expect(started).toEqual(["a"]);
		await end("a");
		expect(started).toEqual(["a", "a"]);
	});
});

test("many keys fall due in order of their times", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.nat(5000), { minLength: 1, maxLength: 60 }),
			fc.array(fc.nat(59)),
			async (times, superseded) => {
				const { clock, queue, started } = setup({ workers: 1 });
				queue.run(async (key) => void started.push(key));
				times.forEach((ms, i) => queue.addAfter(`${i}`, ms + 1));
				const now = [...new Set(superseded)].filter((i) => i < times.length);
				for (const i of now) queue.add(`${i}`);
				for (let i = 0; i < times.length; i++) await clock.advance(0);
				expect(started).toEqual(now.map(String));
				for (let ms = 0; ms <= 5001; ms += 500) await clock.advance(500);
				for (let i = 0; i < times.length; i++) await clock.advance(0);
				const later = times
					.map((ms, i) => ({ ms, i }))
					.filter(({ i }) => !now.includes(i))
					.sort((a, b) => a.ms - b.ms);
				const dues = started.slice(now.length).map((key) => times[Number(key)]);
				expect(dues).toEqual(later.map(({ ms }) => ms));
			},
		),
		{ numRuns: 30 },
	);
});

describe("a failure", () => {
	test("is tried again after pauses that double up to the cap, until success resets them", async () => {
		const { clock, queue, started, handler, fail, end } = setup({
			backoffBaseMs: 1000,
			backoffCapMs: 5000,
		});
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		for (const pause of [1000, 2000, 4000, 5000, 5000]) {
			const before = started.length;
			await fail("a");
			await clock.advance(pause - 1);
			expect(started).toHaveLength(before);
			await clock.advance(1);
			expect(started).toHaveLength(before + 1);
		}
		await end("a");
		queue.add("a");
		await clock.advance(0);
		await fail("a");
		expect(clock.waiting()).toEqual([1000]);
	});

	test("waits at least half of its pause, however the dice fall", async () => {
		const { clock, queue, handler, fail } = setup({ random: () => 0 });
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		await fail("a");
		expect(clock.waiting()).toEqual([500]);
	});

	test("is logged once as long as it stays the same, and so is its end", async () => {
		const { clock, queue, log, handler, fail, end } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		for (const said of ["x", "x", "y", "y"]) {
			await fail("a", new FairleadError("CloudServerError", said));
			await clock.advance(300_000);
		}
		await fail("a", new Error("a bug"));
		await clock.advance(300_000);
		await end("a");
		expect(log.lines.map((l) => `${l.level} ${l.message}`)).toEqual([
			"warn x",
			"warn y",
			"error a bug",
			"info succeeded",
		]);
	});

	test("that says when to come back comes back then and counts as none", async () => {
		const { clock, queue, handler, fail } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		const limited = new FairleadError("CloudRateLimited", "slow down", {
			retryAfterMs: 7000,
		});
		for (let i = 0; i < 3; i++) {
			await fail("a", limited);
			expect(clock.waiting()).toEqual([7000]);
			await clock.advance(7000);
		}
		await fail("a");
		expect(clock.waiting()).toEqual([1000]);
	});

	test("of a key that was added meanwhile is tried again at once", async () => {
		const { clock, queue, started, handler, fail } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		queue.add("a");
		await fail("a");
		expect(started).toEqual(["a", "a"]);
	});

	test("thrown synchronously is a failure too", async () => {
		const { clock, queue } = setup();
		queue.run(() => {
			throw new Error("at once");
		});
		queue.add("a");
		await clock.advance(0);
		expect(queue.delayed).toBe(1);
	});

	test("counted from outside has the same pauses", async () => {
		const { clock, queue } = setup();
		queue.addRateLimited("a");
		expect(clock.waiting()).toEqual([1000]);
		queue.add("a");
		queue.addRateLimited("a");
		expect(queue.depth.normal).toBe(1);
	});
});

test("a handler may ask to be called again later without having failed", async () => {
	const { clock, queue, started } = setup();
	queue.run(async (key) => {
		started.push(key);
		return started.length < 3 ? { retryAfterMs: 500 } : undefined;
	});
	queue.add("a");
	await clock.advance(5000);
	expect(started).toHaveLength(3);
	expect(queue.size).toBe(0);
});

describe("priority", () => {
	test("high goes first, and yet every fifth started is a normal one", async () => {
		const { clock, queue, started } = setup({ workers: 1 });
		for (let i = 0; i < 10; i++) queue.add(`n${i}`);
		for (let i = 0; i < 10; i++) queue.add(`h${i}`, "high");
		queue.run(async (key) => void started.push(key));
		for (let i = 0; i < 20; i++) await clock.advance(0);
		expect(started.slice(0, 12).join(" ")).toBe(
			"h0 h1 h2 h3 n0 h4 h5 h6 h7 n1 h8 h9",
		);
		expect(started).toHaveLength(20);
	});

	test("of a waiting key rises when it is added as high, and it is handled once", async () => {
		const { clock, queue, started } = setup({ workers: 1 });
		for (const key of ["a", "b", "c"]) queue.add(key);
		queue.add("c", "high");
		queue.add("c", "normal");
		expect(queue.depth).toEqual({ high: 1, normal: 2 });
		queue.run(async (key) => void started.push(key));
		for (let i = 0; i < 5; i++) await clock.advance(0);
		expect(started).toEqual(["c", "a", "b"]);
		expect(queue.depth).toEqual({ high: 0, normal: 0 });
	});
});

describe("stopping", () => {
	test("a paused queue starts nothing, lets what runs end, and goes on when resumed", async () => {
		const { clock, queue, started, handler, end } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		queue.pause();
		queue.add("b");
		queue.add("a");
		await end("a");
		expect(started).toEqual(["a"]);
		queue.resume();
		await clock.advance(0);
		expect(started).toEqual(["a", "b", "a"]);
	});

	test("a drained queue waits for what runs and starts nothing more", async () => {
		const { clock, queue, started, handler, end } = setup({ workers: 1 });
		queue.run(handler);
		queue.add("a");
		queue.add("b");
		queue.addAfter("c", 10);
		await clock.advance(0);
		queue.add("a");
		const drained = queue.drain(5000);
		await end("a");
		expect(await drained).toBe(true);
		queue.add("d");
		await clock.advance(10_000);
		expect(started).toEqual(["a"]);
		expect(clock.waiting()).toEqual([]);
	});

	test("a drain past its deadline aborts the handlers' signal and waits no longer", async () => {
		const { clock, queue, signals, handler } = setup();
		queue.run(handler);
		queue.add("a");
		await clock.advance(0);
		const drained = queue.drain(5000);
		await clock.advance(4999);
		expect(signals[0]?.aborted).toBe(false);
		await clock.advance(1);
		expect(await drained).toBe(false);
		expect(signals[0]?.aborted).toBe(true);
	});
});

test("metrics hear how long a key waited, how long it took and how it ended", async () => {
	const heard: unknown[] = [];
	const { clock, queue, handler, end, fail } = setup({
		onStarted: (...what) => heard.push(what),
		onFinished: (...what) => heard.push(what),
	});
	queue.add("a");
	await clock.advance(30);
	queue.run(handler);
	await clock.advance(20);
	await fail("a");
	await clock.advance(1000);
	await end("a");
	expect(heard).toEqual([
		["a", 30],
		["a", 20, "failed"],
		["a", 0],
		["a", 0, "done"],
	]);
});

test("a hundred thousand quick keys leave timers and sockets their turns", async () => {
	const { queue } = setup();
	let handled = 0;
	let turns = 0;
	const all = new Promise<void>((resolve) => {
		queue.run(async () => {
			if (++handled === 100_000) resolve();
		});
	});
	for (let i = 0; i < 100_000; i++) queue.add(`${i}`);
	const turn = () => {
		turns++;
		if (handled < 100_000) setImmediate(turn);
	};
	turn();
	await all;
	expect(turns).toBeGreaterThan(1000);
	expect(queue.size).toBeLessThan(10);
});

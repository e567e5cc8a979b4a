import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { Workqueue } from "./workqueue.ts";

test("whatever is added and however handlings end, no key is handled twice at once and every addition is answered", async () => {
	const key = fc.constantFrom("a", "b", "c");
	const priority = fc.constantFrom("high" as const, "normal" as const);
	const step = fc.oneof(
		fc.record({ do: fc.constant("add" as const), key, priority }),
		fc.record({ do: fc.constant("addAfter" as const), key, priority }),
		fc.record({ do: fc.constant("end" as const), key, ok: fc.boolean() }),
		fc.record({ do: fc.constantFrom("pause", "resume", "turn") }),
		fc.record({ do: fc.constant("wait" as const), ms: fc.nat(3000) }),
	);
	await fc.assert(
		fc.asyncProperty(
			fc.array(step, { maxLength: 80, size: "max" }),
			fc.integer({ min: 1, max: 3 }),
			async (steps, workers) => {
				const clock = new FakeClock();
				const queue = new Workqueue({
					clock,
					log: quietLog(),
					random: () => 0.5,
					workers,
				});
				let calm = false;
				const open = new Map<string, (ok: boolean) => void>();
				const starts = new Map<string, number>();
				const owed = new Map<string, number>();
				const twice: string[] = [];
				queue.run(async (of) => {
					if (open.has(of)) twice.push(of);
					starts.set(of, (starts.get(of) ?? 0) + 1);
					if (calm) return;
					const ok = await new Promise<boolean>((r) => open.set(of, r));
					open.delete(of);
					if (!ok) throw new Error("no");
				});
				for (const next of steps) {
					if (next.do === "add" || next.do === "addAfter") {
						owed.set(next.key, (starts.get(next.key) ?? 0) + 1);
						if (next.do === "add") queue.add(next.key, next.priority);
						else queue.addAfter(next.key, 700, next.priority);
					} else if (next.do === "end") open.get(next.key)?.(next.ok);
					else if (next.do === "pause") queue.pause();
					else if (next.do === "resume") queue.resume();
					else if (next.do === "wait") await clock.advance(next.ms);
					else await clock.advance(0);
					expect(queue.running).toBeLessThanOrEqual(workers);
				}
				calm = true;
				queue.resume();
				for (let i = 0; i < 10; i++) {
					for (const end of open.values()) end(true);
					await clock.advance(300_000);
				}
				expect(twice).toEqual([]);
				for (const [of, least] of owed)
					expect(starts.get(of) ?? 0).toBeGreaterThanOrEqual(least);
				expect(queue.size).toBe(0);
				expect(clock.waiting()).toEqual([]);
			},
		),
		{ numRuns: 100 },
	);
}, 60_000);

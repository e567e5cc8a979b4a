import fc from "fast-check";
import { unreachable } from "../../test/support/fake-kube.ts";
import { FakeProcess } from "../../test/support/fake-process.ts";
import { contender, world } from "../../test/support/lease-world.ts";
import { sleep } from "../clock.ts";

test("never do two lead at once, under pauses, late and lost requests and answers, and clocks of different speed", async () => {
	const who = fc.nat(2);
	const delay = fc.constantFrom(0, 500, 3000, 8000, 20_000);
	const step = fc.oneof(
		{
			weight: 3,
			arbitrary: fc.record({ do: fc.constant("pause" as const), who }),
		},
		{
			weight: 3,
			arbitrary: fc.record({ do: fc.constant("resume" as const), who }),
		},
		fc.record({ do: fc.constant("release" as const), who }),
		{
			weight: 3,
			arbitrary: fc.record({
				do: fc.constant("trouble" as const),
				before: delay,
				after: delay,
				lost: fc.boolean(),
				refused: fc.boolean(),
				calls: fc.integer({ min: 1, max: 6 }),
			}),
		},
		{
			weight: 6,
			arbitrary: fc.record({
				do: fc.constant("wait" as const),
				ms: fc.constantFrom(300, 2000, 10_000, 16_000, 40_000),
			}),
		},
	);
	let changes = 0;
	await fc.assert(
		fc.asyncProperty(
			fc.array(step, { maxLength: 40, size: "max" }),
			fc.array(fc.double({ min: 0.85, max: 1.19, noNaN: true }), {
				minLength: 3,
				maxLength: 3,
			}),
			async (steps, speeds) => {
				const { clock, kube } = world();
				const processes = speeds.map(
					(speed, i) => new FakeProcess(clock, { speed, wallOffset: i * 1e7 }),
				);
				const together: string[] = [];
				const look = () => {
					const leaders = all.filter(({ elector }) => elector.isLeader());
					if (leaders.length > 1) together.push(`${clock.monotonic()}`);
					return leaders.length;
				};
				const all = processes.map((process, i) =>
					contender(kube, process, `p${i}`, {
						random: () => (i + 1) / 4,
						onStartedLeading: () => {
							changes++;
							look();
						},
					}),
				);
				const go = async (ms: number) => {
					for (let left = ms; left > 0; left -= 500) {
						await clock.advance(Math.min(500, left));
						look();
					}
				};
				const released = new Set<number>();
				for (const { elector } of all) elector.start();
				for (const next of steps) {
					if (next.do === "pause") processes[next.who]?.pause();
					else if (next.do === "resume") processes[next.who]?.resume();
					else if (next.do === "wait") await go(next.ms);
					else if (next.do === "release") {
						if (next.who === 0) continue;
						released.add(next.who);
						void all[next.who]?.elector.release();
					} else {
						let left = next.calls;
						const troubled = new Set<object>();
						kube.before = async (call) => {
							if (left-- <= 0) return;
							troubled.add(call);
							await sleep(clock, next.before);
							if (next.refused) throw unreachable();
						};
						kube.after = async (call) => {
							if (!troubled.has(call)) return;
							await sleep(clock, next.after);
							if (next.lost) throw unreachable("lost");
						};
					}
				}
				kube.before = () => {};
				kube.after = () => {};
				for (const process of processes) process.resume();
				await go(90_000);
				expect(together).toEqual([]);
				expect(look()).toBe(1);
				const done = Promise.all(all.map(({ elector }) => elector.release()));
				await clock.advance(20_000);
				await done;
				expect(look()).toBe(0);
				expect(clock.waiting()).toEqual([]);
			},
		),
		{ numRuns: 50 },
	);
	// More than one term a run, or nothing was tried.
	expect(changes).toBeGreaterThan(50);
}, 60_000);

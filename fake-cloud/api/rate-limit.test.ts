import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { RateLimit } from "./rate-limit.ts";

test("a full bucket allows a burst of its size, then one request a second", async () => {
	const clock = new FakeClock();
	const limits = new RateLimit({ clock, limit: 3, perSecond: 1 });
	const take = () => limits.take("p");
	expect([take(), take(), take()].map(({ remaining }) => remaining)).toEqual([
		2, 1, 0,
	]);
	expect(take()).toEqual({
		allowed: false,
		limit: 3,
		remaining: 0,
		reset: clock.now() / 1000 + 3,
	});
	await clock.advance(999);
	expect(take().allowed).toBe(false);
	await clock.advance(1);
	expect(take().allowed).toBe(true);
	expect(take().allowed).toBe(false);
});

test("one project's requests leave another's bucket alone", () => {
	const limits = new RateLimit({ clock: new FakeClock(), limit: 1 });
	expect(
		[limits.take("a"), limits.take("a"), limits.take("b")].map(
			({ allowed }) => allowed,
		),
	).toEqual([true, false, true]);
});

test("over any stretch of time, no more is allowed than the bucket and its refill", () => {
	fc.assert(
		fc.property(fc.array(fc.nat(3000), { maxLength: 60 }), (pauses) => {
			const clock = new FakeClock();
			const limits = new RateLimit({ clock, limit: 5, perSecond: 2 });
			let allowed = 0;
			for (const pause of pauses) {
				clock.pause(pause);
				if (limits.take("p").allowed) allowed++;
			}
			const seconds = pauses.slice(1).reduce((a, b) => a + b, 0) / 1000;
			expect(allowed).toBeLessThanOrEqual(5 + 2 * seconds);
		}),
	);
});

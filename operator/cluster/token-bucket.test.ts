import fc from "fast-check";
import { TokenBucket } from "./token-bucket.ts";

test("over any span no more is taken than the burst and what the span refilled, and waiting as told is enough", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 1, max: 1000 }),
			fc.integer({ min: 1, max: 5 }),
			fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 2000 })), {
				maxLength: 200,
			}),
			(perSecond, burst, pauses) => {
				let now = 0;
				let taken = 0;
				const bucket = new TokenBucket(perSecond, burst, now);
				for (const pause of pauses) {
					now += pause;
					const wait = bucket.take(now);
					if (wait === 0) taken++;
					else {
						now += wait;
						expect(bucket.take(now)).toBe(0);
						taken++;
					}
					expect(taken).toBeLessThanOrEqual(
						burst + (now * perSecond) / 1000 + 1e-6,
					);
				}
			},
		),
	);
});

test("the burst is there at once, and comes back after a rest, no more than that", () => {
	const bucket = new TokenBucket(1, 3, 0);
	const take = (now: number, times: number) =>
		Array.from({ length: times }, () => bucket.take(now));
	expect(take(0, 4)).toEqual([0, 0, 0, 1000]);
	expect(take(1_000_000, 4)).toEqual([0, 0, 0, 1000]);
});

import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { Repairs } from "./repairs.ts";

const key = "shop/web";
const lost = ["annotation fairlead.dev/assigned"];

function setUp() {
	const clock = new FakeClock();
	const woken: number[] = [];
	const repairs = new Repairs({
		clock,
		log: quietLog(),
		wake: () => woken.push(clock.monotonic()),
	});
	return { clock, woken, repairs };
}

describe("putting back what somebody undid", () => {
	it("happens at once the first three times, and says nothing of it", () => {
		const { repairs } = setUp();
		for (let time = 0; time < 3; time++) {
			repairs.undone(key, lost);
			expect(repairs.paused(key)).toBe(false);
		}
		expect(repairs.contested(key)).toBeUndefined();
	});

	it("waits from then on, twice as long each time up to five minutes, and names what is undone", async () => {
		const { repairs, clock, woken } = setUp();
		for (let time = 0; time < 3; time++) repairs.undone(key, lost);
		const pauses: number[] = [];
		for (let time = 0; time < 11; time++) {
			repairs.undone(key, lost);
			expect(repairs.paused(key)).toBe(true);
			const began = clock.monotonic();
			await clock.advance(clock.waiting()[0] ?? 0);
			expect(repairs.paused(key)).toBe(false);
			pauses.push((woken.at(-1) ?? 0) - began);
		}
		expect(pauses).toEqual(
			[1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((s) => s * 1000),
		);
		expect(repairs.contested(key)).toEqual(lost);
	});

	it("writes at most 25 times in an hour against one who undoes at once", async () => {
		const { repairs, clock, woken } = setUp();
		const end = 3_600_000;
		let writes = 0;
		for (; clock.monotonic() < end; writes++) {
			repairs.undone(key, lost);
			if (repairs.paused(key)) await clock.advance(clock.waiting()[0] ?? 0);
		}
		expect(woken.length).toBe(writes - 3);
		expect(writes).toBeLessThanOrEqual(25);
	});

	it("takes many blows during one pause for one", async () => {
		const { repairs, clock } = setUp();
		for (let time = 0; time < 50; time++) repairs.undone(key, lost);
		await clock.advance(1_000);
		expect(repairs.paused(key)).toBe(false);
	});

	it("does not wait when somebody wants something else of the Service", () => {
		const { repairs } = setUp();
		for (let time = 0; time < 4; time++) repairs.undone(key, lost);
		repairs.meant(key);
		expect(repairs.paused(key)).toBe(false);
	});

	it("is forgotten after ten quiet minutes, when the Service is looked at again", async () => {
		const { repairs, clock, woken } = setUp();
		for (let time = 0; time < 4; time++) repairs.undone(key, lost);
		await clock.advance(601_000);
		expect(repairs.contested(key)).toBeUndefined();
		expect(woken).toEqual([1_000, 601_000]);
		expect(clock.waiting()).toEqual([]);
	});

	it("leaves no timer behind for a Service that is gone", () => {
		const { repairs, clock } = setUp();
		repairs.undone(key, lost);
		repairs.drop(key);
		expect(clock.waiting()).toEqual([]);
	});
});

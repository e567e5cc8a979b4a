import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { EventLog, type LoggedEvent } from "./event-log.ts";

const publish = (log: EventLog, id: number) =>
	log.publish("balancer-removed", () => ({ id }));
const numbers = (events: LoggedEvent[]) =>
	events.map(({ data }) => (JSON.parse(data) as { id: number }).id);

test("a follower hears what happens from now on, until it leaves", () => {
	const log = new EventLog(new FakeClock(), "e");
	const heard: LoggedEvent[] = [];
	publish(log, 1);
	const leave = log.follow(undefined, (event) => heard.push(event));
	publish(log, 2);
	leave();
	publish(log, 3);
	expect(numbers(heard)).toEqual([2]);
	expect(heard[0]).toMatchObject({ id: "e-2", event: "balancer-removed" });
});

test("whoever comes back with an id hears all that was missed, once and in order, or is told to start anew", () => {
	fc.assert(
		fc.property(fc.nat(5000), fc.nat(5000), (before, missed) => {
			const log = new EventLog(new FakeClock(), "e");
			log.follow(undefined, () => {});
			for (let i = 1; i <= before; i++) publish(log, i);
			const id = log.lastId;
			for (let i = 1; i <= missed; i++) publish(log, before + i);
			const heard: LoggedEvent[] = [];
			log.follow(id, (event) => heard.push(event));
			if (heard[0]?.event === "reset") {
				expect(missed).toBeGreaterThan(2000);
				expect(JSON.parse(heard[0].data)).toMatchObject({
					lastEventId: log.lastId,
				});
			} else
				expect(numbers(heard)).toEqual(
					Array.from({ length: missed }, (_, i) => before + i + 1),
				);
		}),
		{ numRuns: 30 },
	);
});

test.each(["other-1", "e-9", "e", "", "e-x"])(
	"an id %j that was never given is answered by a reset",
	(id) => {
		const log = new EventLog(new FakeClock(), "e");
		const heard: LoggedEvent[] = [];
		log.follow(id, (event) => heard.push(event));
		expect(heard.map(({ event }) => event)).toEqual(["reset"]);
	},
);

test("while nobody follows nothing is rendered, and an id from before is answered by a reset", () => {
	const log = new EventLog(new FakeClock(), "e");
	const id = log.lastId;
	log.publish("balancer-removed", () => {
		throw new Error("rendered");
	});
	const heard: LoggedEvent[] = [];
	log.follow(id, (event) => heard.push(event));
	expect(heard[0]?.event).toBe("reset");
	const later: LoggedEvent[] = [];
	log.follow(heard[0]?.id, (event) => later.push(event));
	publish(log, 2);
	expect(numbers(later)).toEqual([2]);
});

test("a follower that was cut off and comes back within a minute misses nothing; later it is told to start anew", async () => {
	const clock = new FakeClock();
	const log = new EventLog(clock, "e");
	const again = (id: string) => {
		const heard: LoggedEvent[] = [];
		log.follow(id, (event) => heard.push(event))();
		return heard;
	};
	log.follow(undefined, () => {})();
	const id = log.lastId;
	publish(log, 1);
	await clock.advance(59_000);
	publish(log, 2);
	expect(numbers(again(id))).toEqual([1, 2]);
	await clock.advance(60_000);
	publish(log, 3);
	expect(again(id).map(({ event }) => event)).toEqual(["reset"]);
});

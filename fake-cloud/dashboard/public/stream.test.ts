import type { LiveState } from "../../api/live.ts";
import { balancer, liveState } from "../../../test/support/live-samples.ts";
import type { Received } from "./state.d.ts";
import { LiveStream } from "./stream.js";

/** As much of an EventSource as the stream uses, in the test's hand. */
class Source extends EventTarget {
	closed = false;
	onopen: (() => void) | null = null;
	onerror: (() => void) | null = null;
	readonly from: string;

	constructor(from: string) {
		super();
		this.from = from;
	}

	close() {
		this.closed = true;
	}

	send(id: string, name: string, data: unknown) {
		this.dispatchEvent(
			Object.assign(new Event(name), {
				lastEventId: id,
				data: JSON.stringify(data),
			}),
		);
	}
}

function following() {
	let time = 0;
	const timers: { ms: number; run: () => void }[] = [];
	const sources: Source[] = [];
	const seen: { states: LiveState[]; events: Received[][]; phases: string[] } =
		{ states: [], events: [], phases: [] };
	const answers: (LiveState | Error)[] = [];
	const settled = () => new Promise((resolve) => setImmediate(resolve));
	const stream = new LiveStream(
		{
			read: async () => {
				const answer = answers.shift();
				if (answer instanceof Error) throw answer;
				if (answer === undefined) throw new Error("nothing to read");
				return answer;
			},
			open: (from: string) => {
				const source = new Source(from);
				sources.push(source);
				return source as unknown as EventSource;
			},
			after: (ms: number, run: () => void) => void timers.push({ ms, run }),
			now: () => time,
		},
		{
			state: (state: LiveState) => seen.states.push(state),
			events: (events: Received[]) => seen.events.push(events),
			connection: (next: {
				phase: string;
				how: string | null;
				attempt: number;
			}) =>
				seen.phases.push(
					[next.phase, next.how, next.attempt || null]
						.filter(Boolean)
						.join(" "),
				),
		},
	);
	return {
		stream,
		answers,
		sources,
		seen,
		timers,
		wait: (ms: number) => {
			time += ms;
		},
		/** Fires the timer set last; its length in ms. */
		async fire() {
			const timer = timers.shift();
			timer?.run();
			await settled();
			return timer?.ms;
		},
		async started(state = liveState({ lastEventId: "5" })) {
			answers.push(state);
			stream.start();
			await settled();
			const source = sources.at(-1);
			if (source === undefined) throw new Error("no stream was opened");
			source.onopen?.();
			return source;
		},
	};
}

test("reads the state, then streams from the event the state ends with", async () => {
	const world = following();
	const source = await world.started();
	expect(source.from).toBe("5");
	expect(world.seen.states).toHaveLength(1);
	expect(world.seen.phases).toEqual(["connecting", "live"]);
});

test("events that come close together are told together, in order", async () => {
	const world = following();
	const source = await world.started();
	source.send("6", "balancer", balancer(1));
	source.send("7", "balancer-removed", { id: 1 });
	expect(world.seen.events).toEqual([]);
	await world.fire();
	expect(world.seen.events).toEqual([
		[
			{ name: "balancer", data: balancer(1), at: 0 },
			{ name: "balancer-removed", data: { id: 1 }, at: 0 },
		],
	]);
});

test("after a break it goes on from the last event it saw, without reading the state", async () => {
	const world = following();
	const source = await world.started();
	source.send("6", "faults", []);
	await world.fire();
	source.onerror?.();
	expect(source.closed).toBe(true);
	await world.fire();
	const again = world.sources.at(-1);
	expect(again?.from).toBe("6");
	again?.onopen?.();
	expect(world.seen.states).toHaveLength(1);
	expect(world.seen.phases).toEqual([
		"connecting",
		"live",
		"reconnecting 1",
		"live resumed",
	]);
});

test("told that it cannot resume, it reads the state again and drops what it had gathered before", async () => {
	const world = following();
	const source = await world.started();
	source.send("6", "balancer", balancer(1));
	source.send("9", "reset", { reason: "restart", lastEventId: "9" });
	expect(source.closed).toBe(true);
	world.answers.push(liveState({ lastEventId: "9" }));
	await world.fire();
	await world.fire();
	const again = world.sources.at(-1);
	expect(again?.from).toBe("9");
	again?.onopen?.();
	expect(world.seen.events).toEqual([]);
	expect(world.seen.states).toHaveLength(2);
	expect(world.seen.phases.at(-1)).toBe("live reread");
});

test("while the cloud is away it tries ever more slowly, and says why", async () => {
	const world = following();
	world.answers.push(...Array.from({ length: 6 }, () => new Error("refused")));
	world.stream.start();
	const pauses: (number | undefined)[] = [];
	await new Promise((resolve) => setImmediate(resolve));
	for (let i = 0; i < 6; i++) pauses.push(await world.fire());
	expect(pauses).toEqual([250, 500, 1000, 2000, 5000, 5000]);
});

test("a stream that breaks as soon as it is open goes on backing off; one that worked starts over", async () => {
	const world = following();
	const source = await world.started();
	source.onerror?.();
	expect(await world.fire()).toBe(250);
	world.sources.at(-1)?.onopen?.();
	world.sources.at(-1)?.onerror?.();
	expect(await world.fire()).toBe(500);
	world.sources.at(-1)?.onopen?.();
	world.wait(60_000);
	world.sources.at(-1)?.onerror?.();
	expect(await world.fire()).toBe(250);
});

import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { KubeObject } from "../api/meta.ts";
import { FairleadError, type FairleadErrorOptions } from "../errors.ts";
import type { Event } from "./event-object.ts";
import { EventRecorder, eventDefaults } from "./events.ts";
import { type KubeClient, resources } from "./kube.ts";

/** An API server as far as events go: keeps them by name, and does to each call what `next` says first. */
class Events {
	readonly calls: string[] = [];
	readonly stored = new Map<string, Event>();
	/** Taken one by one: an error to throw before the effect, a promise to wait for, or an error after the effect. */
	readonly trouble: (Error | { lost: Error } | Promise<void>)[] = [];

	readonly client = {
		create: async (
			_resource: unknown,
			object: unknown,
			options?: { signal?: AbortSignal },
		) => {
			const event = object as Event;
			return this.#handle(`create ${event.note}`, options, () => {
				if (this.stored.has(event.metadata.name))
					throw new FairleadError("KubeConflict", "exists", {
						reason: "AlreadyExists",
					});
				this.stored.set(event.metadata.name, event);
			});
		},
		patch: async (
			_resource: unknown,
			{ name }: { name: string },
			{ body }: { body: object },
			options?: { signal?: AbortSignal },
		) => {
			const { series } = body as Pick<Event, "series">;
			return this.#handle(`patch ×${series?.count}`, options, () => {
				const had = this.stored.get(name);
				if (!had) throw new FairleadError("KubeNotFound", "expired");
				this.stored.set(name, { ...had, ...body });
			});
		},
	} as unknown as Pick<KubeClient, "create" | "patch">;

	async #handle(
		call: string,
		options: { signal?: AbortSignal } | undefined,
		effect: () => void,
	): Promise<object> {
		this.calls.push(call);
		const trouble = this.trouble.shift();
		if (trouble instanceof Promise) {
			const aborted = new Promise((_, reject) =>
				options?.signal?.addEventListener("abort", () =>
					reject(options.signal?.reason as Error),
				),
			);
			await Promise.race([trouble, aborted]);
		} else if (trouble instanceof Error) throw trouble;
		effect();
		if (trouble && "lost" in trouble) throw trouble.lost;
		return {};
	}
}

function setting(tuning: Partial<typeof eventDefaults> = {}) {
	const server = new Events();
	const clock = new FakeClock();
	const log = quietLog();
	let noise = 0;
	const recorder = new EventRecorder({
		client: server.client,
		clock,
		log,
		random: () => (noise++ % 1000) / 1000,
		instance: "pod-1",
		tuning,
	});
	const say = (
		note: string,
		object: KubeObject = web,
		type: "Normal" | "Warning" = "Normal",
	) =>
		recorder.record(resources.services, object, {
			type,
			reason: "R",
			action: "A",
			note,
		});
	return { server, clock, log, recorder, say };
}
const service = (name: string): KubeObject => ({
	metadata: { name, namespace: "shop", uid: `uid-${name}` },
});
const web = service("web");
const error = (
	code: ConstructorParameters<typeof FairleadError>[0],
	options?: FairleadErrorOptions,
) => new FairleadError(code, "no", options);

test("record returns before anything is sent", () => {
	const { server, say } = setting();
	say("one");
	expect(server.calls).toEqual([]);
});

test("what says the same as the last event about an object is not sent again; what differs is", async () => {
	const { server, clock, say } = setting();
	for (const note of ["one", "one", "two", "two"]) say(note);
	say("two", web, "Warning");
	say("one", service("other"));
	say("one", service("other"));
	await clock.advance(0);
	expect(server.calls).toEqual([
		"create one",
		"create two",
		"create two",
		"create one",
	]);
});

test("an event that was there before raises the count of its series", async () => {
	const { server, clock, say } = setting();
	for (const note of ["up", "down", "up", "down", "up"]) {
		say(note);
		await clock.advance(1_000);
	}
	expect(server.calls).toEqual([
		"create up",
		"create down",
		"patch ×2",
		"patch ×2",
		"patch ×3",
	]);
	const up = [...server.stored.values()].find((event) => event.note === "up");
	expect(up?.series).toEqual({
		count: 3,
		lastObservedTime: "2026-01-01T00:00:04.000000Z",
	});
});

test("a series whose event has expired begins anew", async () => {
	const { server, clock, say } = setting();
	for (const note of ["up", "down"]) say(note);
	await clock.advance(0);
	server.stored.clear();
	for (const note of ["up", "down", "up"]) say(note);
	await clock.advance(0);
	expect(server.calls.slice(2)).toEqual([
		"patch ×2",
		"create up",
		"patch ×2",
		"create down",
		"patch ×2",
	]);
});

test("the recorder keeps to its rate and sends the rest as time allows", async () => {
	const { server, clock, say } = setting({ perSecond: 2, burst: 3 });
	for (let n = 0; n < 8; n++) say("x", service(`s${n}`));
	const sent: number[] = [];
	for (let second = 0; second < 4; second++) {
		await clock.advance(second === 0 ? 0 : 1_000);
		sent.push(server.calls.length);
	}
	expect(sent).toEqual([3, 5, 7, 8]);
});

test("one object's chatter is dropped and leaves room for others", async () => {
	const { server, clock, recorder, say } = setting({ objectBurst: 3 });
	for (let n = 0; n < 10; n++) say(`n${n}`);
	say("other", service("other"));
	await clock.advance(0);
	expect(server.calls).toEqual([
		"create n0",
		"create n1",
		"create n2",
		"create other",
	]);
	expect(recorder.dropped).toBe(7);
	await clock.advance(300_000);
	say("n10");
	await clock.advance(0);
	expect(server.calls.at(-1)).toBe("create n10");
});

test("a full queue drops the oldest, counts it, and lets it be said again", async () => {
	const { server, clock, recorder, say } = setting({ queue: 2 });
	let answer = () => {};
	server.trouble.push(new Promise((resolve) => (answer = resolve)));
	say("first", service("a"));
	await clock.advance(0);
	for (const name of ["b", "c", "d"]) say(name, service(name));
	expect(recorder.dropped).toBe(1);
	say("b", service("b"));
	expect(recorder.dropped).toBe(2);
	answer();
	await clock.advance(0);
	expect(server.calls).toEqual(["create first", "create d", "create b"]);
});

const passing = [
	"KubeUnreachable",
	"KubeServerError",
	"KubeTooManyRequests",
	"KubeBadAnswer",
	"KubeUnauthorized",
] as const;
test.each(passing)("%s is tried again until it works", async (code) => {
	const { server, clock, recorder, say } = setting();
	server.trouble.push(error(code), error(code));
	say("one");
	await clock.advance(60_000);
	expect(server.calls).toEqual(["create one", "create one", "create one"]);
	expect([server.stored.size, recorder.dropped]).toEqual([1, 0]);
});

test("a pause the server asks for is kept", async () => {
	const { server, clock, say } = setting();
	server.trouble.push(error("KubeTooManyRequests", { retryAfterMs: 7_000 }));
	say("one");
	await clock.advance(6_999);
	expect(server.calls).toHaveLength(1);
	await clock.advance(1);
	expect(server.calls).toHaveLength(2);
});

test("a server that stays down costs each event its attempts and no more", async () => {
	const { server, clock, recorder, log, say } = setting({ attempts: 3 });
	server.trouble.push(
		...Array.from({ length: 6 }, () => error("KubeUnreachable")),
	);
	for (const name of ["a", "b", "c"]) say(name, service(name));
	await clock.advance(600_000);
	expect(server.calls).toEqual([
		"create a",
		"create a",
		"create a",
		"create b",
		"create b",
		"create b",
		"create c",
	]);
	expect(recorder.dropped).toBe(2);
	expect(log.lines.filter((line) => line.level === "warn")).toHaveLength(1);
});

test.each(["KubeForbidden", "KubeInvalid", "KubeNotFound"] as const)(
	"%s drops the event at once and goes on; a refused one may be said again",
	async (code) => {
		const { server, clock, recorder, say } = setting();
		server.trouble.push(error(code));
		say("one");
		say("two", service("other"));
		await clock.advance(0);
		expect([server.calls.length, server.stored.size, recorder.dropped]).toEqual(
			[2, 1, 1],
		);
		say("one");
		await clock.advance(0);
		expect(server.stored.size).toBe(2);
	},
);

test("an error nobody thought of drops the event and is logged, the next is sent", async () => {
	const { server, clock, log, say } = setting();
	server.trouble.push(new TypeError("boom"));
	say("one");
	say("two");
	await clock.advance(0);
	expect(server.stored.size).toBe(1);
	expect(log.lines).toEqual([expect.objectContaining({ level: "warn" })]);
});

test("an event whose answer was lost is not there twice, and its series goes on", async () => {
	const { server, clock, say } = setting();
	server.trouble.push({ lost: error("KubeUnreachable") });
	say("up");
	await clock.advance(60_000);
	say("down");
	say("up");
	await clock.advance(0);
	expect(server.calls).toEqual([
		"create up",
		"create up",
		"create down",
		"patch ×2",
	]);
	expect(server.stored.size).toBe(2);
});

describe("flush", () => {
	test("of nothing is done at once", async () => {
		await setting().recorder.flush(1_000);
	});

	test("sends what waits for the rate or for a pause, without waiting", async () => {
		const { server, recorder, say } = setting({ perSecond: 1, burst: 1 });
		server.trouble.push(error("KubeTooManyRequests", { retryAfterMs: 60_000 }));
		for (const name of ["a", "b", "c"]) say(name, service(name));
		await new Promise((resolve) => setImmediate(resolve));
		expect(server.calls).toEqual(["create a"]);
		await recorder.flush(5_000);
		expect([...server.stored.values()].map((event) => event.note)).toEqual([
			"a",
			"b",
			"c",
		]);
	});

	test("gives up on a server that is down after one attempt each", async () => {
		const { server, recorder, say } = setting();
		server.trouble.push(error("KubeUnreachable"), error("KubeUnreachable"));
		for (const name of ["a", "b"]) say(name, service(name));
		await recorder.flush(5_000);
		expect([server.calls.length, recorder.dropped]).toEqual([2, 2]);
	});

	test("ends at its deadline, drops the rest, and leaves a recorder that works", async () => {
		const { server, clock, recorder, say } = setting();
		server.trouble.push(new Promise(() => {}));
		for (const name of ["a", "b", "c"]) say(name, service(name));
		const flushed = recorder.flush(5_000);
		await clock.advance(5_000);
		await flushed;
		expect([server.calls.length, recorder.dropped, clock.waiting()]).toEqual([
			1,
			3,
			[],
		]);
		say("a", service("a"));
		await clock.advance(0);
		expect(server.stored.size).toBe(1);
	});
});

test("memory of objects is bounded: what was forgotten is sent again", async () => {
	const { server, clock, say } = setting({ objects: 2, burst: 1_000 });
	for (const name of ["a", "b", "c", "a", "c"]) say("x", service(name));
	await clock.advance(0);
	expect(server.calls).toHaveLength(4);
});

test("memory of what was said about an object is bounded: what was forgotten begins a new series", async () => {
	const { server, clock, say } = setting({ kinds: 2 });
	for (const note of ["a", "b", "c", "b", "a"]) say(note);
	await clock.advance(0);
	expect(server.calls.slice(3)).toEqual(["patch ×2", "create a"]);
});

test("what was recorded behind a fence is not sent once that falls, nor tried again, and takes no time of others", async () => {
	const { server, clock, recorder, log } = setting({ burst: 1, perSecond: 1 });
	server.trouble.push(error("KubeUnreachable"));
	let leads = true;
	const fence = () => {
		if (!leads) throw error("NotLeading");
	};
	const facts = { type: "Normal", reason: "R", action: "A" } as const;
	const about = (name: string) =>
		[resources.services, service(name), { ...facts, note: name }] as const;
	for (const name of ["a", "b", "c"]) recorder.record(...about(name), fence);
	await clock.advance(0);
	expect(server.calls).toEqual(["create a"]);
	leads = false;
	recorder.record(...about("d"));
	await clock.advance(2_000);
	expect(server.calls).toEqual(["create a", "create d"]);
	expect(recorder.dropped).toBe(3);
	expect(log.lines).toEqual([]);
});

test("an event that expired is not made anew behind a fence that fell meanwhile", async () => {
	const { server, clock, recorder } = setting();
	let leads = true;
	const fence = () => {
		if (!leads) throw error("NotLeading");
	};
	const say = (note: string) =>
		recorder.record(
			resources.services,
			service("a"),
			{ type: "Normal", reason: "R", action: "A", note },
			fence,
		);
	for (const note of ["x", "y"]) say(note);
	await clock.advance(0);
	server.stored.clear();
	let fall = () => {};
	server.trouble.push(
		new Promise<void>((resolve) => {
			fall = () => {
				leads = false;
				resolve();
			};
		}),
	);
	say("x");
	await clock.advance(0);
	fall();
	await clock.advance(60_000);
	expect(server.calls).toEqual(["create x", "create y", "patch ×2"]);
});

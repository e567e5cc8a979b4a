import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakeKube, unreachable } from "../../test/support/fake-kube.ts";
import type { FakeWatch } from "../../test/support/fake-watch.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { KubeObject } from "../api/meta.ts";
import { FairleadError } from "../errors.ts";
import { type Change, Store } from "./index.ts";
import { resources, type Status } from "./kube.ts";
import { Reflector, type ReflectorOptions } from "./reflector.ts";

interface Thing extends KubeObject {
	color?: string;
	noise?: string;
}

const running: Reflector<Thing>[] = [];
afterEach(async () => {
	for (const reflector of running.splice(0)) await reflector.stop();
});

function setup(tuning: ReflectorOptions<Thing>["tuning"] = {}) {
	const clock = new FakeClock();
	const log = quietLog();
	const kube = new FakeKube(clock);
	const trim = ({ metadata, color }: Thing): Thing =>
		color === undefined ? { metadata } : { metadata, color };
	const store = new Store<Thing>({ clock, log, trim });
	const view = new Map<string, string>();
	const told: string[] = [];
	store.onChange((change) => {
		told.push(`${change.type} ${change.object.metadata.name}`);
		expect(follow(view, change)).toBe(true);
	});
	const reflector = new Reflector<Thing>({
		client: kube,
		resource: resources.services,
		store,
		clock,
		random: () => 0.5,
		log,
		tuning,
	});
	running.push(reflector);
	return { clock, log, kube, store, view, told, reflector };
}

/** What a consumer knows that hears of changes only; false when a change does not fit what came before. */
function follow(view: Map<string, string>, change: Change<Thing>): boolean {
	const { name, uid, resourceVersion } = change.object.metadata;
	const known = view.get(name);
	const now = `${uid}@${resourceVersion}`;
	if (change.type === "deleted") return known === now && view.delete(name);
	view.set(name, now);
	if (change.type === "added") return known === undefined;
	return known === `${uid}@${change.old.metadata.resourceVersion}`;
}

async function synced(world: ReturnType<typeof setup>): Promise<void> {
	world.reflector.start();
	await world.clock.advance(0);
	await world.reflector.synced;
}

const named = (name: string, color?: string): Thing => ({
	metadata: { name, namespace: "ns" },
	...(color === undefined ? {} : { color }),
});

const names = (store: Store<Thing>) =>
	[...store.values()].map((object) => object.metadata.name).sort();
const only = (kube: FakeKube) => [...kube.watches][0] as FakeWatch;
const verbs = (kube: FakeKube) => kube.calls.map((call) => call.verb);
const inStream = (code: number, more: Partial<Status> = {}) => [
	{
		type: "ERROR" as const,
		object: { kind: "Status" as const, code, message: "no", ...more },
	},
];

describe("the first view", () => {
	test("comes by WatchList in one request, trimmed, and the same connection goes on", async () => {
		const world = setup();
		world.kube.set({ ...named("a"), noise: "loud" } as Thing);
		await synced(world);
		world.kube.set(named("b"));
		await world.clock.advance(0);
		expect(names(world.store)).toEqual(["a", "b"]);
		expect(world.store.get("ns/a")).not.toHaveProperty("noise");
		expect(world.kube.calls).toHaveLength(1);
		expect(world.kube.calls[0]?.options).toMatchObject({
			sendInitialEvents: true,
			resourceVersionMatch: "NotOlderThan",
			allowWatchBookmarks: true,
		});
		expect(world.reflector.resourceVersion).toBe("1002");
	});

	test("shows nothing before it is whole", async () => {
		const world = setup();
		world.kube.set(named("a"));
		world.kube.watchList = "ignored";
		world.reflector.start();
		await world.clock.advance(0);
		expect(world.store.size).toBe(0);
		expect(world.reflector.healthy()).toMatchObject({ ok: false });
	});

	test.each(["refused", "ignored", "silent"] as const)(
		"comes by list and watch, from then on, where WatchList is %s",
		async (watchList) => {
			const world = setup();
			world.kube.watchList = watchList;
			world.kube.set(named("a"));
			world.reflector.start();
			await world.clock.advance(10_000);
			await world.reflector.synced;
			expect(names(world.store)).toEqual(["a"]);
			expect(verbs(world.kube)).toEqual(["watch", "list", "watch"]);
			world.kube.compact();
			world.kube.elsewhere();
			world.kube.compact();
			world.kube.cut();
			await world.clock.advance(10_000);
			expect(verbs(world.kube).slice(3)).toEqual([
				"list", // Has the server gone back?
				"watch", // 410
				"list",
				"watch",
			]);
		},
	);

	test("comes by list where a bookmark shows that no closing one will come", async () => {
		const world = setup();
		world.kube.watchList = "ignored";
		world.reflector.start();
		await world.clock.advance(0);
		world.kube.set(named("a"));
		world.kube.bookmark();
		await world.clock.advance(0);
		expect(names(world.store)).toEqual(["a"]);
	});

	test("is listed in pages", async () => {
		const world = setup({ pageSize: 2 });
		world.kube.watchList = "refused";
		for (const name of ["a", "b", "c", "d", "e"]) world.kube.set(named(name));
		await synced(world);
		const lists = world.kube.calls.filter((call) => call.verb === "list");
		expect(lists.map((call) => call.options.limit)).toEqual([2, 2, 2]);
		expect(names(world.store)).toEqual(["a", "b", "c", "d", "e"]);
	});

	test("is listed again in one piece when the continue token has expired", async () => {
		const world = setup({ pageSize: 2 });
		world.kube.watchList = "refused";
		world.kube.tokensExpire = true;
		for (const name of ["a", "b", "c"]) world.kube.set(named(name));
		world.kube.before = ({ options }) => {
			if (options.continue) world.kube.unset("ns/a");
		};
		await synced(world);
		const lists = world.kube.calls.filter((call) => call.verb === "list");
		expect(lists.map((call) => call.options.limit)).toEqual([2, 2, undefined]);
		expect(names(world.store)).toEqual(["b", "c"]);
	});

	test("comes by list where WatchList keeps failing, and by WatchList where nobody answered", async () => {
		const errors = {
			sick: () => new FairleadError("KubeServerError", "sick"),
			away: () => unreachable(),
		};
		const used: string[] = [];
		for (const error of Object.values(errors)) {
			const world = setup();
			let left = 4;
			world.kube.before = ({ options }) => {
				if (options.sendInitialEvents && left-- > 0) throw error();
			};
			world.reflector.start();
			await world.clock.advance(30_000);
			await world.reflector.synced;
			used.push(verbs(world.kube).join(" "));
		}
		expect(used).toEqual([
			"watch watch watch list watch",
			"watch watch watch watch watch",
		]);
	});

	test("is asked for in the given namespace with the given selectors", async () => {
		const world = setup();
		const reflector = new Reflector<Thing>({
			client: world.kube,
			resource: resources.services,
			namespace: "ns",
			labelSelector: "a=b",
			fieldSelector: "metadata.name=x",
			store: world.store,
			clock: world.clock,
			random: () => 0.5,
			log: world.log,
		});
		running.push(reflector);
		reflector.start();
		await world.clock.advance(0);
		expect(world.kube.calls[0]?.options).toMatchObject({
			namespace: "ns",
			labelSelector: "a=b",
			fieldSelector: "metadata.name=x",
		});
	});
});

describe("a watch", () => {
	test("goes on from the last bookmark when the server ends it, without a pause and without a list", async () => {
		const world = setup();
		await synced(world);
		for (let i = 0; i < 5; i++) world.kube.elsewhere();
		world.kube.bookmark();
		await world.clock.advance(5000);
		only(world.kube).end();
		await world.clock.advance(0);
		expect(verbs(world.kube)).toEqual(["watch", "watch"]);
		expect(world.kube.calls[1]?.options.resourceVersion).toBe("1005");
		expect(world.log.lines.filter((line) => line.level !== "info")).toEqual([]);
	});

	test("is asked to end after 5 to 10 minutes, at random", async () => {
		const world = setup();
		await synced(world);
		expect(world.kube.calls[0]?.options.timeoutSeconds).toBe(450);
	});

	test("that ends as soon as it began, again and again, is retried with growing pauses", async () => {
		const world = setup();
		await synced(world);
		world.kube.before = async (call) => {
			if (call.verb !== "watch") return;
			await Promise.resolve();
			setImmediate(() => only(world.kube)?.end());
		};
		only(world.kube).end();
		await world.clock.advance(60_000);
		const attempts = verbs(world.kube).filter((verb) => verb === "watch");
		expect(attempts.length).toBeGreaterThan(4);
		expect(attempts.length).toBeLessThan(20);
	});

	test.each([
		["by HTTP", false],
		["in the stream", true],
	])(
		"from a version that is gone, told %s, starts over and tells what vanished meanwhile",
		async (_how, inside) => {
			const world = setup();
			world.kube.goneInStream = inside;
			world.kube.set(named("a"));
			world.kube.set(named("b"));
			await synced(world);
			only(world.kube).muted = true;
			world.kube.unset("ns/a");
			world.kube.set(named("c"));
			world.kube.compact();
			world.told.length = 0;
			only(world.kube).end();
			await world.clock.advance(2000);
			expect(world.told).toEqual(["deleted a", "added c"]);
		},
	);

	test.each(["Expired", "Gone"])(
		"with an in-stream ERROR of reason %s starts over, whatever its code",
		async (reason) => {
			const world = setup();
			await synced(world);
			only(world.kube).push(inStream(500, { reason }));
			await world.clock.advance(1000);
			expect(
				world.kube.calls.filter((call) => call.options.sendInitialEvents),
			).toHaveLength(2);
		},
	);

	test("with another in-stream ERROR goes on from where it was, after a pause", async () => {
		const world = setup();
		await synced(world);
		world.kube.set(named("a"));
		await world.clock.advance(0);
		only(world.kube).push(inStream(500));
		await world.clock.advance(0);
		world.kube.set(named("b"));
		await world.clock.advance(1000);
		expect(world.kube.calls.at(-1)).toMatchObject({
			verb: "watch",
			options: { resourceVersion: "1001" },
		});
		expect(names(world.store)).toEqual(["a", "b"]);
	});

	test("that keeps failing at one version reads the whole list again", async () => {
		const world = setup();
		await synced(world);
		world.kube.before = ({ verb, options }) => {
			if (verb === "watch" && options.resourceVersion === "1000")
				throw new FairleadError("KubeServerError", "etcd is confused");
		};
		world.kube.elsewhere();
		world.kube.set(named("a"));
		world.kube.cut();
		await world.clock.advance(15_000);
		expect(names(world.store)).toEqual(["a"]);
		expect(world.reflector.healthy().ok).toBe(true);
	});

	test("that is silent for too long is cut and opened again", async () => {
		const world = setup();
		await synced(world);
		only(world.kube).muted = true;
		world.kube.set(named("a"));
		await world.clock.advance(179_000);
		expect(names(world.store)).toEqual([]);
		await world.clock.advance(3000);
		expect(names(world.store)).toEqual(["a"]);
	});

	test("whose bookmarks come is not silent", async () => {
		const world = setup();
		await synced(world);
		for (let minute = 0; minute < 10; minute++) {
			await world.clock.advance(60_000);
			world.kube.bookmark();
		}
		expect(verbs(world.kube)).toEqual(["watch"]);
	});

	test("that is never answered is given up and tried again", async () => {
		const world = setup();
		world.kube.before = () => new Promise(() => {});
		world.reflector.start();
		await world.clock.advance(0);
		world.kube.before = () => {};
		await world.clock.advance(35_000);
		await world.reflector.synced;
	});

	test("that breaks in the middle of its initial events is started over", async () => {
		const world = setup();
		world.kube.set(named("a"));
		world.kube.watchList = "ignored";
		world.reflector.start();
		await world.clock.advance(0);
		world.kube.watchList = "known";
		world.kube.unset("ns/a");
		only(world.kube).end();
		await world.clock.advance(1000);
		await world.reflector.synced;
		expect(names(world.store)).toEqual([]);
		expect(world.told).toEqual([]);
	});

	test("whose events come twice and out of order ends in the same view", async () => {
		const world = setup();
		await synced(world);
		only(world.kube).hold();
		world.kube.set(named("a"));
		world.kube.set(named("a", "red"));
		world.kube.set(named("b"));
		world.kube.unset("ns/b");
		world.kube.set(named("c"));
		only(world.kube).release((batch) => [...batch].reverse().concat(batch));
		await world.clock.advance(0);
		expect(names(world.store)).toEqual(["a", "c"]);
		expect(world.store.get("ns/a")?.color).toBe("red");
		expect(world.kube.watches.size).toBe(1);
	});
});

describe("a server that restarts", () => {
	test("is tried until it is back, one line is logged for it, and no list is needed", async () => {
		const world = setup();
		world.kube.set(named("a"));
		await synced(world);
		world.kube.before = () => {
			throw unreachable();
		};
		world.kube.cut();
		await world.clock.advance(600_000);
		expect(world.reflector.healthy()).toMatchObject({
			ok: false,
			reason: "services: connection refused",
		});
		expect(names(world.store)).toEqual(["a"]);
		const attempts = world.kube.calls.length;
		expect(attempts).toBeGreaterThan(20);
		world.kube.before = () => {};
		world.kube.set(named("b"));
		await world.clock.advance(45_000);
		expect(names(world.store)).toEqual(["a", "b"]);
		expect(world.reflector.healthy().ok).toBe(true);
		expect(world.kube.calls.slice(attempts)).toMatchObject([
			{ verb: "list", options: { limit: 1 } },
			{ verb: "watch", options: { resourceVersion: "1001" } },
		]);
		expect(
			world.log.lines.map((line) => `${line.level} ${line.message}`),
		).toEqual([
			"info watching services",
			"warn lost services: connection refused",
			"info watching services",
		]);
	});

	test("with another history at lower versions is believed", async () => {
		const world = setup();
		world.kube.set(named("a"));
		world.kube.set(named("b"));
		await synced(world);
		world.kube.unset("ns/b");
		world.kube.startOver(10);
		world.kube.cut();
		await world.clock.advance(2000);
		expect(world.reflector.resourceVersion).toBe("11");
		world.kube.set(named("c"));
		await world.clock.advance(0);
		expect(names(world.store)).toEqual(["a", "c"]);
		const before = world.kube.calls.length;
		world.kube.cut();
		await world.clock.advance(2000);
		expect(world.kube.calls.slice(before)).toMatchObject([
			{ verb: "list", options: { limit: 1 } },
			{ verb: "watch", options: { resourceVersion: "12" } },
		]);
	});

	test("into another history behind an open connection is found out by its next bookmark", async () => {
		const world = setup();
		world.kube.set(named("a"));
		await synced(world);
		world.kube.startOver(10);
		world.kube.unset("ns/a");
		world.kube.bookmark();
		await world.clock.advance(1000);
		expect(names(world.store)).toEqual([]);
	});
});

describe("a server that asks to slow down", () => {
	test("with 429 and Retry-After is left alone that long", async () => {
		const world = setup();
		world.kube.before = () => {
			throw new FairleadError("KubeTooManyRequests", "slow down", {
				retryAfterMs: 20_000,
			});
		};
		world.reflector.start();
		await world.clock.advance(19_000);
		expect(world.kube.calls).toHaveLength(1);
		world.kube.before = () => {};
		await world.clock.advance(2000);
		await world.reflector.synced;
	});

	test("in the stream is left alone that long", async () => {
		const world = setup();
		await synced(world);
		only(world.kube).push(
			inStream(429, { details: { retryAfterSeconds: 20 } }),
		);
		await world.clock.advance(19_000);
		expect(world.kube.calls).toHaveLength(1);
		await world.clock.advance(2000);
		expect(world.kube.watches.size).toBe(1);
	});
});

describe("health", () => {
	test("outlasts trouble shorter than the grace", async () => {
		const world = setup();
		await synced(world);
		expect(world.reflector.healthy()).toMatchObject({
			ok: true,
			reason: "watching services",
		});
		world.kube.before = () => {
			throw unreachable();
		};
		world.kube.cut();
		await world.clock.advance(9000);
		expect(world.reflector.healthy()).toMatchObject({
			ok: true,
			sinceMs: 9000,
		});
		await world.clock.advance(2000);
		expect(world.reflector.healthy().ok).toBe(false);
	});

	test("is not claimed by a watch that opens and fails each time", async () => {
		const world = setup({ relistAfter: 1000 });
		await synced(world);
		world.kube.after = (call) => {
			if (call.verb === "watch")
				setImmediate(() => only(world.kube)?.push(inStream(500)));
		};
		only(world.kube).push(inStream(500));
		await world.clock.advance(15_000);
		expect(world.reflector.healthy().ok).toBe(false);
	});
});

test("stopping ends an open watch, a pause and a call under way, and keeps the store", async () => {
	for (const trouble of ["none", "pause", "call"]) {
		const world = setup();
		world.kube.set(named("a"));
		await synced(world);
		world.kube.before = () => {
			if (trouble === "pause") throw unreachable();
			return trouble === "call" ? new Promise(() => {}) : undefined;
		};
		if (trouble !== "none") world.kube.cut();
		await world.clock.advance(1000);
		await world.reflector.stop();
		expect(world.kube.watches.size).toBe(0);
		expect(world.clock.waiting()).toEqual([]);
		expect(names(world.store)).toEqual(["a"]);
	}
});

describe("whatever happens", () => {
	const name = fc.constantFrom("a", "b", "c", "d");
	const step = fc.oneof(
		{ weight: 8, arbitrary: fc.record({ do: fc.constant("set"), name }) },
		{ weight: 5, arbitrary: fc.record({ do: fc.constant("unset"), name }) },
		{ weight: 2, arbitrary: fc.record({ do: fc.constant("recreate"), name }) },
		{ weight: 2, arbitrary: fc.record({ do: fc.constant("write"), name }) },
		{
			weight: 4,
			arbitrary: fc.record({ do: fc.constantFrom("hold", "release") }),
		},
		{
			weight: 6,
			arbitrary: fc.record({
				do: fc.constantFrom(
					"late answers arrive",
					"elsewhere",
					"bookmark",
					"cut",
					"end",
					"in-stream 500",
					"in-stream 410",
					"compact",
					"mute",
					"down",
					"429",
					"500",
					"garbage",
					"tokens expire",
					"gone in stream",
					"start over",
				),
			}),
		},
		{
			weight: 4,
			arbitrary: fc.record({
				do: fc.constant("wait"),
				ms: fc.constantFrom(0, 1, 300, 5000, 200_000),
			}),
		},
	);
	type Step = { do: string; name?: string; ms?: number };

	test("once faults stop, the cache and what consumers were told equal the server", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(step, { maxLength: 60, size: "max" }),
				fc.constantFrom("known", "refused", "ignored", "silent"),
				fc.infiniteStream(fc.double({ min: 0.1, max: 0.999, noNaN: true })),
				async (steps: Step[], watchList, chance) => {
					const clock = new FakeClock();
					const log = quietLog();
					const kube = new FakeKube(clock, 1_000_000);
					kube.watchList = watchList as FakeKube["watchList"];
					const store = new Store<Thing>({ clock, log });
					const view = new Map<string, string>();
					const misfits: unknown[] = [];
					store.onChange((change) => {
						if (!follow(view, change)) misfits.push(change);
					});
					const random = () => chance.next().value as number;
					const reflector = new Reflector<Thing>({
						client: kube,
						resource: resources.services,
						store,
						clock,
						random,
						log,
						tuning: { pageSize: 2 },
					});
					reflector.start();
					// As real servers do; two silences in a row would be answered by a list that repairs everything.
					const bookmarks = () => {
						clock.after(60_000, () => {
							kube.bookmark();
							bookmarks();
						});
					};
					bookmarks();
					const late: Thing[] = [];
					for (const next of steps)
						await take(next, kube, store, clock, late, random);
					kube.before = () => {};
					kube.tokensExpire = false;
					for (const watch of kube.watches) watch.release(jumble(random));
					for (const answer of late) store.apply(answer);
					await clock.advance(600_000);
					const cached = new Map(
						[...store.values()].map((o) => [o.metadata.name, stamp(o)]),
					);
					const real = new Map(
						[...kube.objects.values()].map((o) => [o.metadata.name, stamp(o)]),
					);
					const health = reflector.healthy();
					await reflector.stop();
					expect(misfits).toEqual([]);
					expect(sorted(cached)).toEqual(sorted(real));
					expect(sorted(view)).toEqual(sorted(real));
					expect(health.ok).toBe(true);
				},
			),
			{ numRuns: 300 },
		);
	}, 120_000);

	const stamp = (o: KubeObject) =>
		`${o.metadata.uid}@${o.metadata.resourceVersion}`;
	const sorted = (map: Map<string, string>) =>
		[...map].sort(([a], [b]) => (a < b ? -1 : 1));

	/** In any order, and some of it twice; what ends the stream stays last, or the rest would be lost, not late. */
	const jumble =
		(random: () => number) =>
		<E extends { type: string }>(batch: E[]): E[] =>
			[...batch, ...batch.filter(() => random() < 0.4)]
				.map((event) => ({ event, at: event.type === "ERROR" ? 1 : random() }))
				.sort((a, b) => a.at - b.at)
				.map(({ event }) => event);

	async function take(
		next: Step,
		kube: FakeKube,
		store: Store<Thing>,
		clock: FakeClock,
		late: Thing[],
		random: () => number,
	): Promise<void> {
		const key = `ns/${next.name}`;
		const each = (act: (watch: FakeWatch) => void) => kube.watches.forEach(act);
		const failing = (error: () => Error) => {
			let left = Math.ceil(random() * 5);
			kube.before = () => {
				if (left-- > 0) throw error();
			};
		};
		switch (next.do) {
			case "set":
				kube.set(named(next.name as string));
				break;
			case "unset":
				kube.unset(key);
				break;
			case "recreate":
				kube.unset(key);
				kube.set(named(next.name as string));
				break;
			case "write": {
				// Our own write: its answer comes at once, or late.
				const answer = kube.set(named(next.name as string));
				if (random() < 0.5) store.apply(answer);
				else late.push(answer);
				break;
			}
			case "late answers arrive":
				for (const answer of late.splice(0)) store.apply(answer);
				break;
			case "elsewhere":
				kube.elsewhere();
				break;
			case "bookmark":
				kube.bookmark();
				break;
			case "cut":
				kube.cut();
				break;
			case "end":
				each((watch) => watch.end());
				break;
			case "in-stream 500":
				each((watch) => watch.push(inStream(500)));
				break;
			case "in-stream 410":
				each((watch) => watch.push(inStream(410)));
				break;
			case "compact":
				kube.compact();
				break;
			case "mute":
				each((watch) => {
					watch.muted = true;
				});
				break;
			case "hold":
				each((watch) => watch.hold());
				break;
			case "release":
				each((watch) => watch.release(jumble(random)));
				break;
			case "down":
				failing(unreachable);
				kube.cut();
				break;
			case "429":
				failing(
					() =>
						new FairleadError("KubeTooManyRequests", "slow down", {
							retryAfterMs: 7000,
						}),
				);
				break;
			case "500":
				failing(() => new FairleadError("KubeServerError", "sick"));
				break;
			case "garbage":
				kube.cut(new FairleadError("KubeBadAnswer", "a line is not JSON"));
				break;
			case "tokens expire":
				kube.tokensExpire = true;
				break;
			case "gone in stream":
				kube.goneInStream = true;
				break;
			case "start over":
				late.length = 0;
				kube.cut();
				kube.startOver(Math.floor(kube.version / 2));
				break;
			case "wait":
				await clock.advance(next.ms as number);
				break;
		}
	}
});

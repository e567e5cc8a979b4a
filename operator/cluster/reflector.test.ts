import { unreachable } from "../../test/support/fake-kube.ts";
import {
	inStream,
	named,
	names,
	only,
	running,
	setup,
	synced,
	tearDown,
	verbs,
	type Thing,
} from "../../test/support/reflector-world.ts";
import { FairleadError } from "../errors.ts";
import { resources } from "./kube.ts";
import { Reflector } from "./reflector.ts";

afterEach(tearDown);

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
		expect(world.store.resourceVersion).toBe("1002");
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

	test.each([
		[
			"by list while the server fills its watch cache, where everybody waits for it",
			{ eager: true, message: "storage is (re)initializing" },
			["watch", "list", "watch"],
			["a"],
		],
		[
			"once the server has filled its watch cache, where thousands might ask",
			{ eager: false, message: "storage is (re)initializing" },
			["watch"],
			[],
		],
		[
			"as late as the server says where it is simply asked too much",
			{ eager: true, message: "please try again later" },
			["watch"],
			[],
		],
	])("comes %s", async (_when, { eager, message }, asked, known) => {
		const world = setup({}, false, false, eager);
		world.kube.set(named("a"));
		let left = 1;
		world.kube.before = ({ verb }) => {
			if (verb === "watch" && left-- > 0)
				throw new FairleadError("KubeTooManyRequests", message, {
					retryAfterMs: 1_000,
				});
		};
		world.reflector.start();
		await world.clock.advance(0);
		expect(verbs(world.kube)).toEqual(asked);
		expect(names(world.store)).toEqual(known);
		await world.clock.advance(1_000);
		await world.reflector.synced;
		expect(names(world.store)).toEqual(["a"]);
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
		expect(world.store.resourceVersion).toBe("11");
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

	test("is not claimed while what is to be read anew does not come", async () => {
		const world = setup();
		await synced(world);
		world.kube.before = () => new Promise(() => {});
		void world.reflector.refresh();
		await world.clock.advance(9_000);
		expect(world.reflector.healthy().ok).toBe(true);
		await world.clock.advance(2_000);
		expect(world.reflector.healthy()).toEqual({
			ok: false,
			reason: "services: not read anew yet",
			sinceMs: 11_000,
		});
		world.kube.before = () => {};
		await world.clock.advance(60_000);
		expect(world.reflector.healthy().ok).toBe(true);
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

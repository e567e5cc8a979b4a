import {
	inStream,
	named,
	names,
	only,
	setup,
	synced,
	tearDown,
	verbs,
} from "../../test/support/reflector-world.ts";
import { FairleadError } from "../errors.ts";

afterEach(tearDown);

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

	test("may tell of what is known already among its initial events", async () => {
		const world = setup();
		world.kube.set(named("a"));
		world.kube.watchList = "ignored";
		world.reflector.start();
		await world.clock.advance(0);
		only(world.kube).hold();
		const object = world.kube.set(named("a", "red"));
		world.store.apply(object);
		only(world.kube).release();
		const annotations = { "k8s.io/initial-events-end": "true" };
		const { resourceVersion = "" } = object.metadata;
		only(world.kube).push([
			{
				type: "BOOKMARK",
				object: { metadata: { resourceVersion, annotations } },
			},
		]);
		await world.clock.advance(0);
		await world.reflector.synced;
		expect(verbs(world.kube)).toEqual(["watch"]);
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

test("what happened while a watch had died without a word is there once all was read anew", async () => {
	const world = setup();
	world.kube.set(named("a"));
	await synced(world);
	world.kube.watches.clear();
	world.kube.set(named("b"));
	await world.clock.advance(60_000);
	expect(names(world.store)).toEqual(["a"]);
	const refreshed = world.reflector.refresh();
	await world.clock.advance(0);
	await refreshed;
	expect(names(world.store)).toEqual(["a", "b"]);
	world.kube.set(named("c"));
	await world.clock.advance(0);
	expect(names(world.store)).toEqual(["a", "b", "c"]);
	expect(world.reflector.healthy()).toMatchObject({ ok: true });
});

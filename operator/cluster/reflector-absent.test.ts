import {
	named,
	names,
	setup,
	tearDown,
} from "../../test/support/reflector-world.ts";
import { FairleadError } from "../errors.ts";

afterEach(tearDown);

const notInstalled = () => {
	throw new FairleadError("KubeNotFound", "404 page not found");
};

const forbidden = () => {
	throw new FairleadError("KubeForbidden", "services is forbidden");
};

test("a kind that is optional and not installed is complete and empty, and is picked up once it is there", async () => {
	const world = setup({}, true);
	world.kube.before = notInstalled;
	world.reflector.start();
	await world.clock.advance(60_000);
	await world.reflector.synced;
	expect(world.store.size).toBe(0);
	expect(world.reflector.healthy().ok).toBe(true);
	expect(
		world.log.lines.filter(({ message }) => message.includes("not installed")),
	).toHaveLength(1);
	world.kube.before = () => {};
	world.kube.set(named("a"));
	await world.clock.advance(5_000);
	expect(names(world.store)).toEqual(["a"]);
	world.kube.set(named("b"));
	await world.clock.advance(0);
	expect(names(world.store)).toEqual(["a", "b"]);
});

test("objects of an optional kind are gone when the kind is uninstalled", async () => {
	const world = setup({}, true);
	world.kube.set(named("a"));
	world.reflector.start();
	await world.clock.advance(0);
	expect(names(world.store)).toEqual(["a"]);
	world.kube.before = notInstalled;
	world.kube.cut();
	await world.clock.advance(5_000);
	expect(names(world.store)).toEqual([]);
	expect(world.told).toEqual(["added a", "deleted a"]);
});

test("a kind that is needed and not installed keeps the reflector unhealthy", async () => {
	const world = setup();
	world.kube.before = notInstalled;
	world.reflector.start();
	await world.clock.advance(60_000);
	expect(world.reflector.healthy()).toMatchObject({ ok: false });
});

test("a kind that is dispensable and may not be read holds nobody up, is named as a problem, and is picked up once it may", async () => {
	const world = setup({}, true, true);
	let answered = false;
	void world.reflector.answered.then(() => {
		answered = true;
	});
	let synced = false;
	void world.reflector.synced.then(() => {
		synced = true;
	});
	world.kube.before = forbidden;
	world.kube.set(named("a"));
	world.reflector.start();
	await world.clock.advance(60_000);
	expect({ answered, synced }).toEqual({ answered: true, synced: false });
	expect(world.reflector.healthy()).toMatchObject({
		ok: false,
		reason:
			"services: services is forbidden (403); grant list and watch on services",
	});
	world.kube.before = () => {};
	await world.clock.advance(60_000);
	expect({ synced, names: names(world.store) }).toEqual({
		synced: true,
		names: ["a"],
	});
	expect(world.reflector.healthy().ok).toBe(true);
});

test.each([
	["that is needed", false],
	["that is optional", true],
])("a kind %s and may not be read is waited for", async (_which, optional) => {
	const world = setup({}, optional);
	let answered = false;
	void world.reflector.answered.then(() => {
		answered = true;
	});
	world.kube.before = forbidden;
	world.reflector.start();
	await world.clock.advance(60_000);
	expect(answered).toBe(false);
	expect(world.reflector.awaited).toBe(
		"services: services is forbidden (403); grant list and watch on services",
	);
	world.kube.before = () => {};
	await world.clock.advance(60_000);
	expect(answered).toBe(true);
	expect(world.reflector.awaited).toBeUndefined();
});

test("a kind that is not installed is asked for at once, and holds up nobody, when all is to be read anew", async () => {
	const world = setup({}, true);
	world.kube.before = notInstalled;
	world.reflector.start();
	await world.clock.advance(0);
	let refreshed = 0;
	const refresh = () =>
		world.reflector.refresh().then(() => {
			refreshed++;
		});
	const first = refresh();
	await world.clock.advance(0);
	await first;
	expect({ refreshed, names: names(world.store) }).toEqual({
		refreshed: 1,
		names: [],
	});
	world.kube.before = () => {};
	world.kube.set(named("a"));
	const second = refresh();
	await world.clock.advance(0);
	await second;
	expect({ refreshed, names: names(world.store) }).toEqual({
		refreshed: 2,
		names: ["a"],
	});
});

test.each([
	["that is dispensable holds up nobody", true, true],
	["that is optional is waited for", true, false],
	["that is needed is waited for", false, false],
])(
	"a kind that may not be read any more, and %s, when all is to be read anew",
	async (_which, optional, dispensable) => {
		const world = setup({}, optional, dispensable);
		world.kube.set(named("a"));
		world.reflector.start();
		await world.clock.advance(0);
		world.kube.before = forbidden;
		let refreshed = false;
		void world.reflector.refresh().then(() => {
			refreshed = true;
		});
		await world.clock.advance(60_000);
		expect(refreshed).toBe(dispensable);
		world.kube.before = () => {};
		await world.clock.advance(60_000);
		expect(refreshed).toBe(true);
	},
);

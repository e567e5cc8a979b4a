import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { KubeObject } from "../api/meta.ts";
import { type Change, Store } from "./index.ts";

interface Thing extends KubeObject {
	color?: string;
	noise?: string;
}

function thing(name: string, version: number, more: Partial<Thing> = {}) {
	return {
		metadata: {
			name,
			namespace: "ns",
			uid: `uid-${name}`,
			resourceVersion: String(version),
			...more.metadata,
		},
		...(more.color === undefined ? {} : { color: more.color }),
		...(more.noise === undefined ? {} : { noise: more.noise }),
	} as Thing;
}

function reborn(name: string, version: number): Thing {
	const born = thing(name, version);
	born.metadata.uid = `uid-${name}-again`;
	return born;
}

function setup(options: { trim?: (object: Thing) => Thing } = {}) {
	const clock = new FakeClock();
	const log = quietLog();
	const store = new Store<Thing>({ clock, log, ...options });
	const told: string[] = [];
	store.onChange((change) => told.push(short(change)));
	return { clock, log, store, told };
}

function short(change: Change<Thing>): string {
	const { name, resourceVersion } = change.object.metadata;
	const old =
		change.type === "updated" ? `<${change.old.metadata.resourceVersion}` : "";
	return `${change.type} ${name}@${resourceVersion}${old}`;
}

describe("events of a watch", () => {
	test("are told as they change the cache", () => {
		const { store, told } = setup();
		store.put(thing("a", 5));
		store.put(thing("a", 7));
		store.remove(thing("a", 8));
		expect(told).toEqual(["added a@5", "updated a@7<5", "deleted a@7"]);
		expect(store.size).toBe(0);
		expect(store.resourceVersion).toBe("8");
	});

	test("that come twice or late change nothing", () => {
		const { store, told } = setup();
		store.put(thing("a", 7));
		store.put(thing("a", 7));
		store.put(thing("a", 5));
		store.remove(thing("a", 6));
		expect(told).toEqual(["added a@7"]);
		expect(store.get("ns/a")?.metadata.resourceVersion).toBe("7");
	});

	test("compare versions as integers of any length", () => {
		const { store, told } = setup();
		store.put(thing("a", 9));
		store.put(thing("a", 10));
		const long = thing("a", 0);
		long.metadata.resourceVersion = "90071992547409930000001";
		const longer = structuredClone(long);
		longer.metadata.resourceVersion = "90071992547409930000002";
		store.put(longer);
		store.put(long);
		expect(told).toEqual([
			"added a@9",
			"updated a@10<9",
			"updated a@90071992547409930000002<10",
		]);
	});

	test("that arrive after the object's deletion do not bring it back", () => {
		const { store, told } = setup();
		store.remove(thing("a", 8));
		store.put(thing("a", 7));
		expect(told).toEqual([]);
		store.put(thing("a", 9));
		expect(told).toEqual(["added a@9"]);
	});

	test("of another object of the same name are its predecessor's deletion first", () => {
		const { store, told } = setup();
		store.put(thing("a", 5));
		store.put(reborn("a", 9));
		store.remove(thing("a", 8));
		expect(told).toEqual(["added a@5", "deleted a@5", "added a@9"]);
		expect(store.get("ns/a")?.metadata.uid).toBe("uid-a-again");
	});

	test("deletions are forgotten in time and beyond a number, the oldest first", async () => {
		const clock = new FakeClock();
		const store = new Store<Thing>({
			clock,
			log: quietLog(),
			tombstoneMs: 1000,
			tombstones: 2,
		});
		for (const name of ["a", "b", "c"]) store.remove(thing(name, 8));
		for (const name of ["a", "b", "c"]) store.put(thing(name, 7));
		expect([...store.keys()]).toEqual(["ns/a"]);
		await clock.advance(1000);
		store.remove(thing("d", 9));
		store.put(thing("c", 7));
		expect([...store.keys()]).toEqual(["ns/a", "ns/c"]);
	});
});

describe("the answer of a write", () => {
	test("is read at once and not told again when the watch brings it", () => {
		const { store, told } = setup();
		store.replace([thing("a", 5)], "6");
		store.apply(thing("a", 9));
		expect(store.get("ns/a")?.metadata.resourceVersion).toBe("9");
		store.put(thing("a", 8));
		store.put(thing("a", 9));
		expect(told).toEqual(["added a@5", "updated a@9<5"]);
	});

	test("does not move the version the cache is complete up to", () => {
		const { store } = setup();
		store.replace([thing("a", 5)], "6");
		store.apply(thing("a", 9));
		expect(store.resourceVersion).toBe("6");
	});

	test("does not bring back what was deleted since, however long ago", async () => {
		const { store, told, clock } = setup();
		store.replace([thing("a", 5)], "6");
		store.remove(thing("a", 8));
		await clock.advance(3_600_000);
		store.remove(thing("b", 9));
		store.apply(thing("a", 7));
		expect(told).toEqual(["added a@5", "deleted a@5"]);
	});

	test("that is newer than a list being read outlives that list, absent or older in it", () => {
		const { store, told } = setup();
		store.replace([thing("a", 5)], "6");
		const newest = store.newest;
		store.apply(thing("a", 9));
		store.apply(thing("b", 10));
		store.replace([thing("a", 5)], "8", newest);
		expect(told).toEqual(["added a@5", "updated a@9<5", "added b@10"]);
		expect(store.size).toBe(2);
	});

	test("that is older than a list asked for later does not outlive it", () => {
		const { store, told } = setup();
		store.apply(thing("b", 10));
		store.replace([], "12", store.newest);
		expect(told).toEqual(["added b@10", "deleted b@10"]);
	});
});

describe("a list", () => {
	test("is told as its difference to the cache, once all of it is in", () => {
		const { store, told } = setup();
		store.replace([thing("a", 1), thing("b", 2), thing("c", 3)], "4");
		told.length = 0;
		const sizes: number[] = [];
		store.onChange(() => sizes.push(store.size));
		store.replace([thing("b", 2), thing("c", 6), thing("d", 7)], "8");
		expect(told).toEqual(["deleted a@1", "updated c@6<3", "added d@7"]);
		expect(sizes).toEqual([3, 3, 3]);
	});

	test("with another object of the same name is a deletion, then an addition", () => {
		const { store, told } = setup();
		store.replace([thing("a", 1)], "4");
		store.replace([reborn("a", 7)], "8");
		expect(told).toEqual(["added a@1", "deleted a@1", "added a@7"]);
	});

	test("older than what was known when it was asked for is another history and replaces all", () => {
		const { store, told } = setup();
		store.replace([thing("a", 500), thing("b", 600), thing("c", 20)], "700");
		store.remove(thing("c", 710));
		told.length = 0;
		store.replace([thing("a", 20), thing("c", 21)], "30");
		expect(told).toEqual(["deleted b@600", "updated a@20<500", "added c@21"]);
		expect(store.resourceVersion).toBe("30");
		store.put(thing("a", 31));
		expect(store.get("ns/a")?.metadata.resourceVersion).toBe("31");
	});
});

describe("an index", () => {
	test("finds objects by every value they have, as they come, change and go", () => {
		const { store } = setup();
		store.put(thing("a", 1, { color: "red" }));
		store.addIndex("color", (object) => object.color?.split(" ") ?? []);
		const found = (color: string) =>
			store.byIndex("color", color).map((object) => object.metadata.name);
		store.put(thing("b", 2, { color: "red blue" }));
		expect(found("red")).toEqual(["a", "b"]);
		store.put(thing("a", 3, { color: "green" }));
		expect([found("red"), found("green")]).toEqual([["b"], ["a"]]);
		store.remove(thing("b", 4));
		expect([found("red"), found("blue")]).toEqual([[], []]);
		store.replace([thing("c", 6, { color: "blue" })], "7");
		expect([found("green"), found("blue")]).toEqual([[], ["c"]]);
	});

	test("that fails on an object leaves it out and says so", () => {
		const { store, log } = setup();
		store.addIndex("color", (object) => {
			if (object.color === undefined) throw new Error("colorless");
			return [object.color];
		});
		store.put(thing("a", 1));
		store.put(thing("b", 2, { color: "red" }));
		expect(store.size).toBe(2);
		expect(store.byIndex("color", "red")).toHaveLength(1);
		expect(log.lines).toMatchObject([
			{ level: "error", fields: { key: "ns/a" } },
		]);
	});

	test("that does not exist, or exists already, is an error", () => {
		const { store } = setup();
		store.addIndex("color", () => []);
		expect(() => store.byIndex("size", "big")).toThrow("no index size");
		expect(() => store.addIndex("color", () => [])).toThrow("color exists");
	});
});

describe("listeners", () => {
	test("that fail are logged, and neither the cache nor other listeners suffer", () => {
		const { store, log } = setup();
		const heard: string[] = [];
		store.onChange(() => {
			throw new Error("deaf");
		});
		store.onChange((change) => heard.push(short(change)));
		store.put(thing("a", 1));
		store.put(thing("a", 2));
		expect(heard).toEqual(["added a@1", "updated a@2<1"]);
		expect(log.lines.filter((line) => line.level === "error")).toHaveLength(2);
	});

	test("hear a change that a listener made after the one that caused it", () => {
		const { clock, log } = setup();
		const store = new Store<Thing>({ clock, log });
		const heard: string[] = [];
		store.onChange((change) => {
			if (change.object.metadata.resourceVersion === "1")
				store.apply(thing("a", 2));
		});
		store.onChange((change) => heard.push(short(change)));
		store.put(thing("a", 1));
		expect(heard).toEqual(["added a@1", "updated a@2<1"]);
	});

	test("taken off hear no more", () => {
		const { store } = setup();
		const heard: string[] = [];
		const off = store.onChange((change) => heard.push(short(change)));
		store.put(thing("a", 1));
		off();
		store.put(thing("a", 2));
		expect(heard).toEqual(["added a@1"]);
	});
});

test("objects are trimmed whichever way they come in", () => {
	const { store } = setup({ trim: ({ metadata }) => ({ metadata }) });
	const noisy = (name: string, version: number) =>
		thing(name, version, { noise: "loud" });
	store.replace([noisy("a", 1)], "2");
	store.put(noisy("b", 3));
	store.apply(noisy("c", 4));
	expect([...store.values()].map((object) => object.noise)).toEqual([
		undefined,
		undefined,
		undefined,
	]);
});

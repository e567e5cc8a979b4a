import {
	copyFileSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { addressRange } from "./address-range.ts";
import type { ActionRecord, SshKeyRecord } from "./records.ts";
import { type Change, Store, type Transaction } from "./store.ts";

let dataDir: string;
beforeEach(() => {
	dataDir = mkdtempSync(join(tmpdir(), "fairlead-store-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function open(more: { dataDir?: string; maxBytes?: number } = {}) {
	const log = quietLog();
	const store = new Store({
		dataDir,
		clock: new FakeClock(),
		log,
		ranges: { v4: addressRange("203.0.113.0/29") },
		...more,
	});
	return { store, log };
}

function key(id: number, name = `key-${id}`, publicKey = ""): SshKeyRecord {
	return {
		kind: "ssh_key",
		id,
		project: "p",
		name,
		labels: {},
		created: 0,
		publicKey,
		fingerprint: "",
	};
}

function action(
	id: number,
	status: ActionRecord["status"],
	resource = 7,
): ActionRecord {
	return {
		id,
		project: "p",
		command: "c",
		status,
		started: 0,
		finish: 0,
		error: null,
		doomed: null,
		resources: [{ id: resource, type: "server" }],
		effect: { do: "nothing" },
	};
}

const addKey = (tx: Transaction, publicKey = "") => {
	const id = tx.nextId();
	tx.put(key(id, `key-${id}`, publicKey));
	return id;
};

/** What the next allocation would give; nothing is kept of it. */
function nextFree(store: Store): string | undefined {
	let free: string | undefined;
	const undo = new Error();
	try {
		store.transaction((tx) => {
			free = tx.allocate("v4", tx.nextId())?.address;
			throw undo;
		});
	} catch (error) {
		if (error !== undo) throw error;
	}
	return free;
}

describe("a store", () => {
	test("finds after a restart what was there before: resources, actions, locks, addresses, ids", () => {
		const first = open().store;
		const id = first.transaction((tx) => {
			const id = addKey(tx);
			expect(tx.allocate("v4", id)?.address).toBe("203.0.113.1");
			tx.putAction(action(tx.nextId(), "running", id));
			return id;
		});
		first.close();
		const { store } = open();
		expect(store.byName("ssh_key", "p", `key-${id}`)).toEqual(key(id));
		expect(store.runningActions()).toHaveLength(1);
		expect(store.lockedBy(id)).toBe(id + 2);
		store.transaction((tx) => {
			expect(tx.nextId()).toBe(id + 3);
			expect(tx.allocate("v4", 1)?.address).toBe("203.0.113.2");
		});
		store.close();
	});

	test("gives the same state whether changes went through memory or through the disk", () => {
		const step = fc.record({
			do: fc.constantFrom(
				"add" as const,
				"rename" as const,
				"remove" as const,
				"fail" as const,
			),
			which: fc.nat(5),
		});
		fc.assert(
			fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
				const folder = mkdtempSync(join(dataDir, "run-"));
				const { store } = open({ dataDir: folder });
				for (const { do: what, which } of steps) {
					const chosen = store.all("ssh_key")[which];
					try {
						store.transaction((tx) => {
							if (what === "add" || what === "fail")
								tx.allocate("v4", addKey(tx));
							if (what === "fail") throw new Error("as ordered");
							if (what === "rename" && chosen)
								tx.put({ ...chosen, name: `new-${tx.nextId()}` });
							if (what === "remove" && chosen) tx.remove(chosen.id);
						});
					} catch (error) {
						expect((error as Error).message).toBe("as ordered");
					}
				}
				const picture = (store: Store) => ({
					keys: store.all("ssh_key"),
					byName: store
						.all("ssh_key")
						.map(({ name }) => store.byName("ssh_key", "p", name)),
					free: nextFree(store),
				});
				const before = picture(store);
				store.close();
				const again = open({ dataDir: folder }).store;
				expect(picture(again)).toEqual(before);
				expect(before.byName).toEqual(before.keys);
				again.close();
			}),
			{ numRuns: 40 },
		);
	});

	test("does nothing of a transaction that throws, addresses included", () => {
		const { store } = open();
		const changes: Change[] = [];
		store.subscribe((change) => changes.push(change));
		expect(() =>
			store.transaction((tx) => {
				tx.allocate("v4", addKey(tx));
				tx.putAction(action(tx.nextId(), "running"));
				throw new Error("no");
			}),
		).toThrow("no");
		expect([store.all("ssh_key"), store.actions(), changes]).toEqual([
			[],
			[],
			[],
		]);
		store.transaction((tx) =>
			expect(tx.allocate("v4", 1)?.address).toBe("203.0.113.1"),
		);
		store.close();
	});

	test("shows a transaction its own writes", () => {
		const { store } = open();
		const kept = store.transaction(addKey);
		store.transaction((tx) => {
			const id = addKey(tx);
			tx.put(key(id, "other"));
			expect(tx.byName("ssh_key", "p", `key-${id}`)).toBeUndefined();
			expect(tx.byName("ssh_key", "p", "other")?.id).toBe(id);
			tx.remove(kept);
			expect(tx.get("ssh_key", kept)).toBeUndefined();
			expect(tx.byName("ssh_key", "p", `key-${kept}`)).toBeUndefined();
			expect(tx.all("ssh_key").map((k) => k.id)).toEqual([id]);
			tx.putAction(action(1, "running", id));
			expect(tx.lockedBy(id)).toBe(1);
			tx.putAction(action(1, "success", id));
			expect(tx.lockedBy(id)).toBeUndefined();
		});
		store.close();
	});

	test("says what a commit changed", () => {
		const { store } = open();
		const id = store.transaction(addKey);
		const changes: Change[] = [];
		store.subscribe((change) => changes.push(change));
		store.transaction((tx) => tx.put(key(id, "renamed")));
		store.transaction((tx) => tx.remove(id));
		expect(changes.map(({ resources }) => resources)).toEqual([
			[{ before: key(id), after: key(id, "renamed") }],
			[{ before: key(id, "renamed") }],
		]);
		store.close();
	});

	test("gives a released address to the next who asks", () => {
		const { store } = open();
		const id = store.transaction((tx) => {
			const id = addKey(tx);
			tx.allocate("v4", id);
			return id;
		});
		store.transaction((tx) => tx.remove(id));
		store.transaction((tx) =>
			expect(tx.allocate("v4", 1)?.address).toBe("203.0.113.1"),
		);
		store.close();
	});

	test("has no more addresses than its range", () => {
		const { store } = open();
		store.transaction((tx) => {
			const given = Array.from(
				{ length: 7 },
				(_, i) => tx.allocate("v4", i)?.address,
			);
			expect(given.slice(5)).toEqual(["203.0.113.6", undefined]);
		});
		store.close();
	});
});

describe("a store whose process dies", () => {
	test("has every acknowledged write and no half of one, wherever the log on disk ends", () => {
		const { store } = open();
		const wal = join(dataDir, "cloud.sqlite-wal");
		const acknowledged: { size: number; ids: number[] }[] = [];
		const ids: number[] = [];
		for (let write = 0; write < 40; write++) {
			store.transaction((tx) => {
				const first = addKey(tx, "x".repeat((write * 997) % 6000));
				ids.push(first, addKey(tx));
				tx.putAction(action(tx.nextId(), "running", first));
			});
			acknowledged.push({ size: statSync(wal).size, ids: [...ids] });
		}
		const log = readFileSync(wal);
		let seed = 1;
		const random = () => {
			seed = (seed * 48271) % 2147483647;
			return seed / 2147483647;
		};
		for (let point = 0; point < 200; point++) {
			const end = Math.floor(random() * (log.length + 1));
			const folder = mkdtempSync(join(dataDir, "crash-"));
			copyFileSync(join(dataDir, "cloud.sqlite"), join(folder, "cloud.sqlite"));
			writeFileSync(join(folder, "cloud.sqlite-wal"), log);
			truncateSync(join(folder, "cloud.sqlite-wal"), end);
			const { store: after } = open({ dataDir: folder });
			const found = after.all("ssh_key").map(({ id }) => id);
			const due = acknowledged.findLast(({ size }) => size <= end)?.ids ?? [];
			expect(found).toEqual(ids.slice(0, found.length));
			expect(found.length % 2).toBe(0);
			expect(found.length).toBeGreaterThanOrEqual(due.length);
			expect(after.runningActions()).toHaveLength(found.length / 2);
			after.close();
			rmSync(folder, { recursive: true });
		}
		store.close();
	});
});

describe("a full disk", () => {
	test("refuses the write by name, keeps answering reads, says so once, and takes writes again once there is room", () => {
		const { store, log } = open({ maxBytes: 64 * 1024 });
		const kept = store.transaction(addKey);
		const big = () => store.transaction((tx) => addKey(tx, "x".repeat(40_000)));
		let first: number | undefined;
		for (let i = 0; i < 3; i++)
			try {
				first ??= big();
				big();
			} catch (error) {
				expect(error).toMatchObject({ code: "StoreFull" });
				expect((error as Error).message).toContain(dataDir);
			}
		expect(store.get("ssh_key", kept)).toEqual(key(kept));
		expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
		store.transaction((tx) => tx.remove(first as number));
		expect(log.lines.at(-1)?.message).toBe("the store takes writes again");
		store.transaction(addKey);
		store.close();
		expect(open().store.all("ssh_key")).toHaveLength(2);
	});
});

describe("a data directory that cannot be used is refused by name and reason:", () => {
	const refused = (folder: string) => {
		try {
			open({ dataDir: folder }).store.close();
		} catch (error) {
			expect(error).toMatchObject({ code: "StoreUnusable" });
			expect((error as Error).message).toContain(folder);
			return (error as Error).message;
		}
		return "not refused";
	};

	test("a file", () => {
		writeFileSync(join(dataDir, "file"), "");
		expect(refused(join(dataDir, "file"))).toContain("EEXIST");
	});
	test("one whose database is no database", () => {
		writeFileSync(
			join(dataDir, "cloud.sqlite"),
			"no database at all".repeat(100),
		);
		expect(refused(dataDir)).toContain("damaged");
	});
	test("one that a newer Fairlead wrote", () => {
		const { store } = open();
		store.close();
		const file = join(dataDir, "cloud.sqlite");
		const bytes = readFileSync(file);
		bytes.writeUInt32BE(99, 60); // user_version: https://sqlite.org/fileformat2.html#the_database_header
		writeFileSync(file, bytes);
		expect(refused(dataDir)).toContain("version 99");
	});
	test("one that another fake cloud runs on, until that one ends", () => {
		const { store } = open();
		expect(refused(dataDir)).toContain("another fake cloud is running on it");
		store.close();
		expect(refused(dataDir)).toBe("not refused");
	});
});

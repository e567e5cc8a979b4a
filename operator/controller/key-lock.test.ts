import { KeyLock } from "./key-lock.ts";

test("work of one key never overlaps, work of others does not wait", async () => {
	const lock = new KeyLock();
	const told: string[] = [];
	const ends = new Map<string, () => void>();
	const work = (name: string) => async () => {
		told.push(`${name} begins`);
		await new Promise<void>((resolve) => ends.set(name, resolve));
		told.push(`${name} ends`);
	};
	const first = lock.run("a", work("1"));
	const second = lock.run("a", work("2"));
	const other = lock.run("b", work("3"));
	expect(told).toEqual(["1 begins", "3 begins"]);
	ends.get("1")?.();
	await first;
	await Promise.resolve();
	expect(told).toEqual(["1 begins", "3 begins", "1 ends", "2 begins"]);
	ends.get("2")?.();
	ends.get("3")?.();
	await Promise.all([second, other]);
});

test("who comes after work that failed is not told of it", async () => {
	const lock = new KeyLock();
	const failing = lock.run("a", () => Promise.reject(new Error("refused")));
	const next = lock.run("a", () => Promise.resolve("done"));
	await expect(failing).rejects.toThrow("refused");
	await expect(next).resolves.toBe("done");
});

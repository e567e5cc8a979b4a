import { Coalesced } from "./coalesced.ts";

/** A run ends when the test says so. */
function world() {
	const runs: { key: string; end: () => void; fail: () => void }[] = [];
	const coalesced = new Coalesced(
		(key) =>
			new Promise((resolve, reject) => {
				runs.push({
					key,
					end: resolve,
					fail: () => reject(new Error("refused")),
				});
			}),
	);
	return { coalesced, runs };
}

test("calls that come while one runs share the next run", async () => {
	const { coalesced, runs } = world();
	const first = coalesced.run("a");
	const second = coalesced.run("a");
	const third = coalesced.run("a");
	expect(runs).toHaveLength(1);
	runs[0]?.end();
	await first;
	expect(runs).toHaveLength(2);
	runs[1]?.end();
	await Promise.all([second, third]);
	expect(runs).toHaveLength(2);
});

test("keys do not wait for each other, and a key that is done starts at once", async () => {
	const { coalesced, runs } = world();
	const a = coalesced.run("a");
	void coalesced.run("b");
	expect(runs.map(({ key }) => key)).toEqual(["a", "b"]);
	runs[0]?.end();
	await a;
	void coalesced.run("a");
	expect(runs).toHaveLength(3);
});

test("who waits for a run that fails hears of it, who comes after does not", async () => {
	const { coalesced, runs } = world();
	const first = coalesced.run("a");
	const second = coalesced.run("a");
	runs[0]?.fail();
	await expect(first).rejects.toThrow("refused");
	runs[1]?.end();
	await expect(second).resolves.toBeUndefined();
});

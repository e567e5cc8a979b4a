import { once } from "node:events";
import { readAll } from "../../../test/support/read-all.ts";
import { connectionPair } from "./pair.ts";

test("what one end writes the other reads, both ways, and each direction ends by itself", async () => {
	const [a, b] = connectionPair();
	a.end("question");
	expect(String(await readAll(b))).toBe("question");
	b.end("answer");
	expect(String(await readAll(a))).toBe("answer");
	for (const end of [a, b]) if (!end.closed) await once(end, "close");
});

test("a writer waits for its reader", async () => {
	const [a, b] = connectionPair();
	const block = Buffer.alloc(16 * 1024);
	let written = 0;
	while (a.write(block)) written++;
	expect(written).toBeLessThan(100);
	a.end();
	expect((await readAll(b)).length).toBe((written + 1) * block.length);
});

test("an end that is destroyed before all is said resets the other", async () => {
	const [a, b] = connectionPair();
	b.resume();
	const failed = once(b, "error");
	a.write("x");
	a.destroy();
	expect((await failed)[0]).toMatchObject({ code: "ECONNRESET" });
	expect(b.readableEnded).toBe(false);
});

test("an end that is destroyed when all is said leaves the other in peace", async () => {
	const [a, b] = connectionPair();
	a.end();
	b.end();
	await Promise.all([readAll(a), readAll(b)]);
	a.destroy();
	b.destroy();
	for (const end of [a, b]) if (!end.closed) await once(end, "close");
	expect([a.errored, b.errored]).toEqual([null, null]);
});

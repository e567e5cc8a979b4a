import fc from "fast-check";
import { ContainerLog } from "./container-log.ts";
import { type LogStreamOptions, streamLog } from "./log-stream.ts";

let now = Date.UTC(2026, 0, 1);
const newLog = (limit?: number, intercept?: (line: string) => boolean) =>
	new ContainerLog(() => now, limit, intercept);

async function read(
	log: ContainerLog,
	options: Partial<LogStreamOptions> = {},
): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of streamLog(log, {
		follow: false,
		timestamps: false,
		...options,
	}))
		chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString();
}

it("gives back what was written, however it was cut", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.string(),
			fc.array(fc.nat({ max: 20 })),
			async (text, cuts) => {
				const log = newLog();
				const bytes = Buffer.from(text);
				let from = 0;
				for (const size of [...cuts, bytes.length]) {
					log.write("stdout", bytes.subarray(from, from + size));
					from += size;
				}
				log.end();
				expect(await read(log)).toBe(text);
			},
		),
	);
});

it("keeps lines of stdout and stderr whole and in their order", async () => {
	const log = newLog();
	log.write("stdout", Buffer.from("out "));
	log.write("stderr", Buffer.from("err\n"));
	log.write("stdout", Buffer.from("done\n"));
	expect(await read(log)).toBe("err\nout done\n");
});

it("cuts a very long line into pieces and gives it back whole", async () => {
	const log = newLog();
	const long = "x".repeat(40_000);
	log.write("stdout", Buffer.from(`${long}\nshort\n`));
	expect(log.next).toBe(4);
	expect(await read(log)).toBe(`${long}\nshort\n`);
});

it("forgets the oldest lines when it grows beyond its limit", async () => {
	const log = newLog(1000);
	for (let line = 0; line < 500; line++)
		log.write("stdout", Buffer.from(`line ${line}\n`));
	const text = await read(log);
	expect(text.length).toBeLessThanOrEqual(1000);
	expect(text.length).toBeGreaterThan(800);
	expect(text.endsWith("line 498\nline 499\n")).toBe(true);
	expect(log.next).toBe(500);
});

it("leaves out lines of stdout that somebody takes", async () => {
	const taken: string[] = [];
	const log = newLog(
		undefined,
		(line) => line.startsWith("!") && taken.push(line) > 0,
	);
	log.write("stdout", Buffer.from("a\n!b\nc\n"));
	log.write("stderr", Buffer.from("!d\n"));
	expect(await read(log)).toBe("a\nc\n!d\n");
	expect(taken).toEqual(["!b"]);
});

describe("reading", () => {
	const log = newLog();
	beforeAll(() => {
		for (const text of ["one", "two", "three"]) {
			log.write("stdout", Buffer.from(`${text}\n`));
			now += 1000;
		}
	});

	it.each<[string, Partial<LogStreamOptions>, string]>([
		["all of it", {}, "one\ntwo\nthree\n"],
		["the last two lines", { tail: 2 }, "two\nthree\n"],
		["no line", { tail: 0 }, ""],
		["more lines than there are", { tail: 9 }, "one\ntwo\nthree\n"],
		[
			"what is not older than a moment",
			{ since: Date.UTC(2026, 0, 1, 0, 0, 1) },
			"two\nthree\n",
		],
		["so many bytes", { limitBytes: 6 }, "one\ntw"],
		["no byte", { limitBytes: 0 }, ""],
		[
			"with the time of each line",
			{ tail: 1, timestamps: true },
			"2026-01-01T00:00:02.000000000Z three\n",
		],
	])("gives %s", async (_what, options, text) => {
		expect(await read(log, options)).toBe(text);
	});
});

it("follows until the container ends", async () => {
	const log = newLog();
	log.write("stdout", Buffer.from("before\n"));
	const text = read(log, { follow: true });
	await new Promise(setImmediate);
	log.write("stdout", Buffer.from("while\nlast words"));
	log.end();
	expect(await text).toBe("before\nwhile\nlast words");
});

it("follows through more than a reader takes at once", async () => {
	const log = newLog(10_000_000);
	const text = read(log, { follow: true });
	const line = `${"y".repeat(1000)}\n`;
	for (let count = 0; count < 2000; count++)
		log.write("stdout", Buffer.from(line));
	await new Promise(setImmediate);
	log.end();
	expect((await text).length).toBe(2000 * line.length);
});

it("stops following when nobody reads any more", async () => {
	const log = newLog();
	const stream = streamLog(log, { follow: true, timestamps: false });
	stream.resume();
	const closed = new Promise((resolve) => stream.once("close", resolve));
	stream.destroy();
	await closed;
	log.write("stdout", Buffer.from("late\n"));
	expect(stream.readableLength).toBe(0);
});

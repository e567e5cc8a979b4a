import fc from "fast-check";
import type { WatchEvent } from "./kube.ts";
import { watchEvents } from "./watch-stream.ts";
import type { Service } from "../api/core.ts";

type Event = WatchEvent<Service>;

/** `bytes` in pieces that end at `cuts`. */
async function* pieces(bytes: Buffer, cuts: number[]) {
	const ends = [
		...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]),
	].sort((a, b) => a - b);
	let from = 0;
	for (const end of ends) {
		yield bytes.subarray(from, end);
		from = end;
	}
}

async function decode(
	chunks: AsyncIterable<Buffer>,
	longest?: number,
): Promise<{ events: Event[]; batches: number; error?: unknown }> {
	const events: Event[] = [];
	let batches = 0;
	try {
		for await (const batch of watchEvents<Service>(
			chunks,
			"WATCH /api/v1/services",
			undefined,
			longest,
		)) {
			batches++;
			events.push(...batch);
		}
	} catch (error) {
		return { events, batches, error };
	}
	return { events, batches };
}

const service = (name: string, note = ""): Event => ({
	type: "ADDED",
	object: { metadata: { name, annotations: { note } }, spec: {} },
});
const lines = (events: Event[]) =>
	events.map((event) => `${JSON.stringify(event)}\n`).join("");
const cuts = fc.array(fc.nat(), { maxLength: 40 });
const anyEvents = fc
	.array(
		fc.record({
			name: fc.string({ minLength: 1 }),
			note: fc.string({ unit: "grapheme", maxLength: 60 }),
		}),
		{ maxLength: 12 },
	)
	.map((all) => all.map(({ name, note }) => service(name, note)));

test("any split of the bytes gives the same events", async () => {
	await fc.assert(
		fc.asyncProperty(
			anyEvents,
			cuts,
			fc.boolean(),
			async (events, at, lastNewline) => {
				const text = lines(events);
				const bytes = Buffer.from(lastNewline ? text : text.slice(0, -1));
				expect((await decode(pieces(bytes, at))).events).toEqual(events);
			},
		),
		{ numRuns: 400 },
	);
});

test("every byte on its own gives the same events, characters of four bytes included", async () => {
	const events = [service("a", "héllo 🦄 漢字"), service("b", "👩‍👩‍👧‍👦")];
	const bytes = Buffer.from(lines(events));
	const all = [...bytes.keys()];
	expect((await decode(pieces(bytes, all))).events).toEqual(events);
});

test("what one chunk completes comes as one batch", async () => {
	const events = [service("a"), service("b"), service("c")];
	expect(await decode(pieces(Buffer.from(lines(events)), []))).toEqual({
		events,
		batches: 1,
	});
});

test("a line of several megabytes in small chunks is one event", async () => {
	const events = [service("big", "ä🦄".repeat(600_000))];
	const bytes = Buffer.from(lines(events));
	const every = Array.from(
		{ length: Math.floor(bytes.length / 8191) },
		(_, n) => (n + 1) * 8191,
	);
	const { events: got } = await decode(pieces(bytes, every));
	expect(got.length).toBe(1);
	expect(got[0]).toEqual(events[0]);
});

test("empty lines and carriage returns between events are passed over", async () => {
	const bytes = Buffer.from(
		`\n${JSON.stringify(service("a"))}\r\n\r\n\n${JSON.stringify(service("b"))}\n`,
	);
	expect((await decode(pieces(bytes, []))).events).toEqual([
		service("a"),
		service("b"),
	]);
});

test("an ERROR event is an event like others", async () => {
	const gone = {
		type: "ERROR",
		object: { kind: "Status", code: 410, reason: "Expired" },
	};
	const { events, error } = await decode(
		pieces(Buffer.from(`${JSON.stringify(gone)}\n`), []),
	);
	expect({ events, error }).toEqual({ events: [gone], error: undefined });
});

const garbage: [string, string, RegExp][] = [
	["text", "oops", /a line is not JSON: oops/],
	[
		"half an object at the end",
		'{"type":"ADDED","obj',
		/a line is not JSON: \{"type":"ADDED","obj/,
	],
	["null", "null", /not a watch event: null/],
	[
		"an unknown type",
		'{"type":"RENAMED","object":{"metadata":{}}}',
		/not a watch event/,
	],
	["no object", '{"type":"ADDED"}', /not a watch event/],
	[
		"an object without metadata",
		'{"type":"ADDED","object":{"spec":{}}}',
		/has no metadata/,
	],
];
test.each(garbage)(
	"%s is KubeBadAnswer, after the events before it, however it is split",
	async (_, line, message) => {
		await fc.assert(
			fc.asyncProperty(cuts, fc.constantFrom("", "\n"), async (at, end) => {
				const text = lines([service("a"), service("b")]) + line + end;
				const { events, error } = await decode(pieces(Buffer.from(text), at));
				expect(events).toEqual([service("a"), service("b")]);
				expect(error).toMatchObject({
					code: "KubeBadAnswer",
					message: expect.stringMatching(message) as string,
				});
				expect((error as Error).message).toMatch(
					/^WATCH \/api\/v1\/services: /,
				);
			}),
			{ numRuns: 50 },
		);
	},
);

test("a line that never ends is given up before it fills memory", async () => {
	let sent = 0;
	async function* endless() {
		for (;;) {
			sent++;
			yield Buffer.alloc(100, "x");
		}
	}
	expect((await decode(endless(), 1_000)).error).toMatchObject({
		code: "KubeBadAnswer",
	});
	expect(sent).toBe(11);
});

test("lines below the limit may be many", async () => {
	const events = Array.from({ length: 50 }, (_, n) => service(`s${n}`));
	const bytes = Buffer.from(lines(events));
	const every = Array.from({ length: bytes.length / 7 }, (_, n) => n * 7);
	expect((await decode(pieces(bytes, every), 200)).events).toEqual(events);
});

describe("what is known already", () => {
	const metadata = {
		name: "web",
		namespace: "shop",
		uid: "u-1",
		resourceVersion: "7",
	};
	const read = async (event: unknown, known = "shop/web@7") => {
		const asked: string[] = [];
		const chunks = pieces(Buffer.from(`${JSON.stringify(event)}\n`), []);
		const isKnown = (key: string, version: string) => {
			asked.push(`${key}@${version}`);
			return asked.at(-1) === known;
		};
		const events: Event[] = [];
		for await (const batch of watchEvents<Service>(chunks, "WATCH", isKnown))
			events.push(...batch);
		return { events, asked };
	};
	const modified = (of: object) => ({
		type: "MODIFIED",
		object: { kind: "Service", apiVersion: "v1", metadata: of, spec: {} },
	});

	it("comes as a bookmark of its version", async () => {
		expect(await read(modified(metadata))).toEqual({
			events: [
				{ type: "BOOKMARK", object: { metadata: { resourceVersion: "7" } } },
			],
			asked: ["shop/web@7"],
		});
	});

	it("goes by its name alone when it has no namespace", async () => {
		const { namespace: _, ...clusterWide } = metadata;
		expect(await read(modified(clusterWide), "web@7")).toMatchObject({
			events: [{ type: "BOOKMARK" }],
		});
	});

	it.each([
		["of another version", modified({ ...metadata, resourceVersion: "8" })],
		["that was added", { ...modified(metadata), type: "ADDED" }],
		["that was deleted", { ...modified(metadata), type: "DELETED" }],
		[
			"whose label says that version",
			modified({
				name: "web",
				namespace: "shop",
				labels: { uid: "u-1", resourceVersion: "7" },
				uid: "u-1",
				resourceVersion: "8",
			}),
		],
	])("does not stand for an object %s", async (_what, event) => {
		expect((await read(event)).events).toEqual([event]);
	});
});

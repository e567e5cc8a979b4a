import type { KubeObject } from "../api/meta.ts";
import { FairleadError } from "../errors.ts";
import { oneLine } from "./answers.ts";
import type { IsKnown, WatchEvent } from "./kube.ts";

/** No object of a real API server comes near it (etcd takes 1.5 MiB); what never ends a line must not fill memory. */
const longestLine = 64 * 1024 * 1024;
const newline = 0x0a;
const types = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

/**
 * Reads the body of a watch: one JSON object per line. Yields what a chunk completed as one array, never an empty one.
 * Cuts at newline bytes before it decodes, since no other character's UTF-8 holds that byte. A last line without
 * newline counts. Throws KubeBadAnswer, after yielding what came before, for a line that is no watch event or
 * longer than `longest` bytes; `subject` (`WATCH path`) opens its message. A MODIFIED event of a version that `isKnown`
 * becomes a bookmark of that version, unread.
 */
export async function* watchEvents<T extends KubeObject>(
	chunks: AsyncIterable<Uint8Array>,
	subject: string,
	isKnown: IsKnown = () => false,
	longest = longestLine,
): AsyncGenerator<WatchEvent<T>[], void, undefined> {
	let open: Uint8Array[] = [];
	let openBytes = 0;
	for await (const chunk of chunks) {
		const end = chunk.lastIndexOf(newline) + 1;
		if (end > 0) {
			const lines = text([...open, chunk.subarray(0, end)]);
			yield* eventsOf<T>(lines, subject, isKnown);
			open = [];
			openBytes = 0;
		}
		if (end === chunk.length) continue;
		open.push(chunk.subarray(end));
		openBytes += chunk.length - end;
		if (openBytes > longest)
			throw new FairleadError(
				"KubeBadAnswer",
				`${subject}: a line is longer than ${longest} bytes`,
			);
	}
	yield* eventsOf<T>(text(open), subject, isKnown);
}

function text(pieces: Uint8Array[]): string {
	return Buffer.concat(pieces).toString("utf8");
}

function* eventsOf<T extends KubeObject>(
	lines: string,
	subject: string,
	isKnown: IsKnown,
): Generator<WatchEvent<T>[], void, undefined> {
	const events: WatchEvent<T>[] = [];
	let wrong: FairleadError | undefined;
	for (const line of lines.split("\n")) {
		if (!line.trim()) continue;
		const event = echoOf<T>(line, isKnown) ?? eventOf<T>(line, subject);
		if (event instanceof FairleadError) {
			wrong = event;
			break;
		}
		events.push(event);
	}
	if (events.length > 0) yield events;
	if (wrong) throw wrong;
}

/**
 * An own write comes back as an event whose object its answer has already shown; parsing that again would be a tenth of
 * the work of a write. Go encodes metadata in this order, labels and annotations after it, so nothing that somebody wrote
 * can pass for the version; an event in another order is read as any.
 */
const modified =
	/^\{"type":"MODIFIED","object":\{"kind":"\w+","apiVersion":"[\w./-]+","metadata":\{"name":"([\w.:-]+)",(?:"namespace":"([\w-]+)",)?"uid":"[\w-]+","resourceVersion":"(\d+)"[,}]/;

function echoOf<T extends KubeObject>(
	line: string,
	isKnown: IsKnown,
): WatchEvent<T> | undefined {
	const [, name, namespace, resourceVersion] = modified.exec(line) ?? [];
	if (name === undefined || resourceVersion === undefined) return undefined;
	const key = namespace === undefined ? name : `${namespace}/${name}`;
	if (!isKnown(key, resourceVersion)) return undefined;
	return { type: "BOOKMARK", object: { metadata: { resourceVersion } } };
}

function eventOf<T extends KubeObject>(
	line: string,
	subject: string,
): WatchEvent<T> | FairleadError {
	const wrong = (what: string, cause?: unknown) =>
		new FairleadError(
			"KubeBadAnswer",
			`${subject}: ${what}: ${oneLine(line, 120)}`,
			{ cause },
		);
	let event: { type?: unknown; object?: unknown } | null;
	try {
		event = JSON.parse(line) as typeof event;
	} catch (error) {
		return wrong("a line is not JSON", error);
	}
	const object = event?.object as { metadata?: unknown } | null | undefined;
	if (
		!types.has(event?.type as string) ||
		typeof object !== "object" ||
		!object
	)
		return wrong("a line is not a watch event");
	if (event?.type !== "ERROR" && typeof object.metadata !== "object")
		return wrong("a watch event's object has no metadata");
	return event as WatchEvent<T>;
}

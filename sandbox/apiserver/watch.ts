import type { ServerResponse } from "node:http";
import { objectAt } from "./access.ts";
import { expired } from "./api-error.ts";
import { type Call, type Context, read } from "./context.ts";
import { forbiddenField, invalidObject } from "./field-error.ts";
import { groupVersion, type Kind } from "./kinds.ts";
import { parseRevision, selection } from "./reads.ts";
import { decode, type JsonObject } from "./schema/decode.ts";
import type { Change, Stored } from "./store.ts";
import { type Form, partial, tableOfOne } from "./table.ts";

const bookmarkEvery = 60_000;
const initialEventsEnd = "k8s.io/initial-events-end";
/** A client that reads this many bytes too slowly is cut off, as one that lost its connection. */
const backlogLimit = 16 * 1024 * 1024;

/** JSON of stored objects, by version: many watchers are told of one change. */
const texts = new WeakMap<Stored, Map<Kind, string>>();

/**
 * Streams changes as newline-separated events until the client goes, `timeoutSeconds` is over or `closing` fires. Starts
 * as resourceVersion and sendInitialEvents say; an unknown past is answered by an ERROR event of 410.
 */
export function streamWatch(
	context: Context,
	call: Call,
	response: ServerResponse,
	form: Form,
	closing: AbortSignal,
): void {
	const { kind, query, request } = call;
	const { store, clock } = context;
	const matches = selection(call);
	const inside = (key: string) =>
		!request.namespace || key.startsWith(`${request.namespace}/`);
	const bookmarks = isTrue(query.get("allowWatchBookmarks"));
	const initial = isTrue(query.get("sendInitialEvents"));
	checkOptions(query);
	const from = parseRevision(query.get("resourceVersion") ?? "");
	const include = query.get("includeObject");
	let columnsSent = false;
	let sentRevision = Math.max(from, store.revision);

	response.writeHead(200, {
		"Content-Type": "application/json;stream=watch",
		"Cache-Control": "no-cache, private",
	});
	response.flushHeaders();

	function send(type: string, stored: Stored): void {
		if (form === "objects") return write(type, textOf(kind, stored));
		const object = read(kind, stored);
		const shown =
			form === "Table"
				? tableOfOne(context, kind, object, include, !columnsSent)
				: partial(object);
		columnsSent = true;
		write(type, JSON.stringify(shown));
	}
	function write(type: string, object: string): void {
		response.write(`{"type":"${type}","object":${object}}\n`);
		if (response.writableLength > backlogLimit) response.destroy();
	}
	function bookmark(revision: number, end = false): void {
		const metadata: JsonObject = {
			resourceVersion: String(revision),
			...(end ? { annotations: { [initialEventsEnd]: "true" } } : {}),
		};
		const empty = {
			kind: kind.kind,
			apiVersion: groupVersion(kind),
			metadata,
		};
		write(
			"BOOKMARK",
			JSON.stringify(kind.custom ? empty : decode(kind.type, empty)),
		);
	}
	function tell(change: Change): void {
		if (change.revision <= from || !inside(change.key)) return;
		const was =
			change.before !== undefined && matches(read(kind, change.before));
		const is = change.after !== undefined && matches(read(kind, change.after));
		if (is) send(was ? "MODIFIED" : "ADDED", change.last);
		else if (was)
			send(
				"DELETED",
				change.after === undefined
					? change.last
					: atRevision(change.before as Stored, change.revision),
			);
		sentRevision = change.revision;
	}

	const past =
		from > 0 && !initial ? store.changesSince(kind.collection, from) : [];
	if (past === undefined) {
		write(
			"ERROR",
			JSON.stringify(
				expired(
					`too old resource version: ${from} (${store.revision})`,
				).status(),
			),
		);
		response.end();
		return;
	}
	if (initial || (from === 0 && query.get("sendInitialEvents") !== "false")) {
		for (const [key, stored] of store.list(kind.collection))
			if (inside(key) && matches(read(kind, stored))) send("ADDED", stored);
		if (initial) bookmark(store.revision, true);
	}
	for (const change of past) tell(change);

	const stops = [store.subscribe(kind.collection, tell)];
	const stop = () => {
		for (const undo of stops.splice(0)) undo();
		closing.removeEventListener("abort", finish);
	};
	const finish = () => {
		if (stops.length === 0) return;
		stop();
		if (bookmarks) bookmark(Math.max(sentRevision, store.revision));
		response.end();
	};
	const seconds = Number(query.get("timeoutSeconds") ?? 0);
	// Without one the server picks between 30 and 60 minutes.
	const limit =
		seconds > 0
			? seconds * 1000
			: (1800 + ((context.random(1)[0] ?? 0) / 255) * 1800) * 1000;
	stops.push(clock.after(limit, finish));
	if (bookmarks) {
		const next = (): void => {
			stops[2] = clock.after(bookmarkEvery, () => {
				bookmark(Math.max(sentRevision, store.revision));
				next();
			});
		};
		next();
	}
	closing.addEventListener("abort", finish, { once: true });
	response.on("close", stop);
}

function isTrue(value: string | null): boolean {
	return value === "true" || value === "1";
}

function checkOptions(query: URLSearchParams): void {
	const match = query.get("resourceVersionMatch");
	const options = {
		group: "meta.k8s.io",
		plural: "listoptions",
		kind: "ListOptions",
	};
	if (query.has("sendInitialEvents") && match !== "NotOlderThan")
		throw invalidObject(options, "", [
			forbiddenField(
				"resourceVersionMatch",
				"sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
			),
		]);
	if (!query.has("sendInitialEvents") && match)
		throw invalidObject(options, "", [
			forbiddenField(
				"resourceVersionMatch",
				"resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
			),
		]);
}

function textOf(kind: Kind, stored: Stored): string {
	let versions = texts.get(stored);
	if (!versions) texts.set(stored, (versions = new Map()));
	let text = versions.get(kind);
	if (text === undefined)
		versions.set(kind, (text = JSON.stringify(read(kind, stored))));
	return text;
}

function atRevision(stored: Stored, revision: number): Stored {
	return {
		...stored,
		metadata: {
			...objectAt(stored as JsonObject, "metadata"),
			resourceVersion: String(revision),
		},
	};
}

import { expired } from "./api-error.ts";
import type { JsonObject } from "./schema/decode.ts";

/** Objects in the store are shared by everyone who reads them: nobody changes one in place. */
export type Stored = Readonly<JsonObject>;

/** What happened to one object; `object` of a deletion is its last state, with the deletion's own resourceVersion. */
export interface Change {
	/** Position in the one order of all writes. */
	revision: number;
	key: string;
	before: Stored | undefined;
	after: Stored | undefined;
	/** The state to show for a deletion. */
	last: Stored;
}

/** Keeps what the store holds beyond the life of this process. */
export interface Journal {
	/** What was written before. */
	load(): {
		revision: number;
		objects: { collection: string; key: string; object: Stored }[];
	};
	/** Returns when the change is kept; throws if it could not be, and then nothing is. */
	write(
		collection: string,
		change: Pick<Change, "revision" | "key" | "after">,
	): void;
	close(): void;
}

/** Where the objects of one kind live. */
interface Collection {
	objects: Map<string, Stored>;
	/** Keys in order; made when needed. */
	sorted: string[] | undefined;
	history: Change[];
	/** Every change after this revision is in `history`. */
	since: number;
	listeners: Set<(change: Change) => void>;
	/** Of the latest change. */
	revision: number;
}

/** Meta of an object as every part of the server reads it. */
export function metaOf(object: Stored): JsonObject {
	return (object["metadata"] ?? {}) as JsonObject;
}

export function keyOf(namespace: string | undefined, name: string): string {
	return namespace ? `${namespace}/${name}` : name;
}

/**
 * Every object, in memory and on its way in the journal, by collection (`services`, `deployments.apps`) and key (`namespace/name`). One rising
 * revision orders all writes, as etcd's does; the latest changes of each collection are kept for watches and for lists
 * at an older revision.
 */
export class Store {
	#revision = 1;
	#collections = new Map<string, Collection>();
	readonly #everywhere = new Set<
		(collection: string, change: Change) => void
	>();
	readonly #historyLimit: number;

	readonly #journal: Journal | undefined;
	/** Changes up to here are not known, only what they left. */
	readonly #loaded: number = 0;

	/**
	 * `historyLimit`: how many changes of each collection watches and paged lists may go back. `journal`: absent, objects
	 * end with the process.
	 */
	constructor({
		historyLimit = 10_000,
		journal,
	}: { historyLimit?: number; journal?: Journal | undefined } = {}) {
		this.#historyLimit = historyLimit;
		this.#journal = journal;
		if (!journal) return;
		const { revision, objects } = journal.load();
		this.#revision = revision;
		this.#loaded = revision;
		for (const { collection, key, object } of objects)
			this.#of(collection).objects.set(key, object);
	}

	/** Tells everyone who has subscribed of what the journal held, `first` before all other collections. */
	replay(first: string): void {
		const names = [...this.#collections.keys()].filter(
			(name) => name !== first,
		);
		for (const collection of [first, ...names])
			for (const [key, object] of this.list(collection))
				this.#tell(collection, {
					revision: this.#loaded,
					key,
					before: undefined,
					after: object,
					last: object,
				});
	}

	get revision(): number {
		return this.#revision;
	}

	get(collection: string, key: string): Stored | undefined {
		return this.#of(collection).objects.get(key);
	}

	count(collection: string): number {
		return this.#of(collection).objects.size;
	}

	/** Objects in the order of their keys; only those whose key begins with `prefix`. */
	list(collection: string, prefix = ""): [key: string, object: Stored][] {
		const from = this.#of(collection);
		from.sorted ??= [...from.objects.keys()].sort(byBytes);
		const result: [string, Stored][] = [];
		for (const key of from.sorted)
			if (key.startsWith(prefix))
				result.push([key, from.objects.get(key) as Stored]);
		return result;
	}

	/** As `list`, as it was at `revision`; throws Expired if that is too long ago. */
	listAt(
		collection: string,
		revision: number,
		prefix = "",
	): [key: string, object: Stored][] {
		const from = this.#of(collection);
		if (revision >= from.revision) return this.list(collection, prefix);
		if (revision < from.since)
			throw expired(
				"The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
			);
		const then = new Map(from.objects);
		for (const change of from.history.toReversed()) {
			if (change.revision <= revision) break;
			if (change.before) then.set(change.key, change.before);
			else then.delete(change.key);
		}
		return [...then]
			.filter(([key]) => key.startsWith(prefix))
			.sort(([a], [b]) => byBytes(a, b));
	}

	/** Writes one object and gives it its resourceVersion; returns what is stored. */
	put(collection: string, key: string, object: JsonObject): Stored {
		const to = this.#of(collection);
		const revision = this.#revision + 1;
		const after: Stored = {
			...object,
			metadata: { ...metaOf(object), resourceVersion: String(revision) },
		};
		const before = to.objects.get(key);
		this.#commit(collection, { revision, key, before, after, last: after });
		return after;
	}

	/** Removes one object; returns its last state. */
	remove(collection: string, key: string): Stored {
		const before = this.#of(collection).objects.get(key);
		if (!before) throw new Error(`nothing to remove at ${collection}/${key}`);
		const revision = this.#revision + 1;
		const last: Stored = {
			...before,
			metadata: { ...metaOf(before), resourceVersion: String(revision) },
		};
		this.#commit(collection, { revision, key, before, after: undefined, last });
		return last;
	}

	/** Changes after `revision`, oldest first; undefined if some of them are no longer known. */
	changesSince(collection: string, revision: number): Change[] | undefined {
		const { history, since } = this.#of(collection);
		if (revision < since) return undefined;
		return history.filter((change) => change.revision > revision);
	}

	/** `listener` hears of every change, in order, inside the write; returns how to stop. */
	subscribe(
		collection: string,
		listener: (change: Change) => void,
	): () => void {
		const { listeners } = this.#of(collection);
		listeners.add(listener);
		return () => listeners.delete(listener);
	}

	/** As `subscribe`, for every collection. */
	subscribeAll(
		listener: (collection: string, change: Change) => void,
	): () => void {
		this.#everywhere.add(listener);
		return () => this.#everywhere.delete(listener);
	}

	#commit(collection: string, change: Change): void {
		this.#journal?.write(collection, change);
		const to = this.#of(collection);
		this.#revision = change.revision;
		to.revision = change.revision;
		if (change.after) {
			if (!change.before) to.sorted = undefined;
			to.objects.set(change.key, change.after);
		} else {
			to.sorted = undefined;
			to.objects.delete(change.key);
		}
		to.history.push(change);
		if (to.history.length > this.#historyLimit) {
			const dropped = to.history.splice(0, Math.ceil(this.#historyLimit / 10));
			to.since = dropped.at(-1)?.revision ?? to.since;
		}
		this.#tell(collection, change);
	}

	#tell(collection: string, change: Change): void {
		for (const listener of this.#of(collection).listeners) listener(change);
		for (const listener of this.#everywhere) listener(collection, change);
	}

	#of(collection: string): Collection {
		let found = this.#collections.get(collection);
		if (!found) {
			found = {
				objects: new Map(),
				sorted: undefined,
				history: [],
				since: this.#loaded,
				listeners: new Set(),
				revision: this.#loaded,
			};
			this.#collections.set(collection, found);
		}
		return found;
	}
}

/** Order of etcd keys. */
function byBytes(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

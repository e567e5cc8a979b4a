import { type KubeObject, objectKey } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { compareVersions } from "../model/resource-version.ts";

/** What a listener is told. `deleted` carries the object as it was last seen, so that its traces can be undone exactly. */
export type Change<T extends KubeObject> =
	| { type: "added"; object: T }
	| { type: "updated"; object: T; old: T }
	| { type: "deleted"; object: T };

export interface StoreOptions<T extends KubeObject> {
	clock: Clock;
	log: Log;
	/**
	 * Drops what nobody reads before an object is kept; may see what it has trimmed, and must leave name, namespace, uid
	 * and resourceVersion alone.
	 */
	trim?: (object: T) => T;
	/** Milliseconds a deletion is remembered, against events that arrive out of order. */
	tombstoneMs?: number;
	/** Deletions remembered at most. */
	tombstones?: number;
}

interface Index<T> {
	values: (object: T) => string[];
	keys: Map<string, Set<string>>;
	/** What each object was filed under: unfiling must not depend on the object still being what it was. */
	filed: Map<string, string[]>;
}

/**
 * The cache of one resource, by `namespace/name`, with secondary indexes. A Reflector feeds it; writers add the answers
 * of their writes. Objects in it are shared: nobody may change them. Every operation costs O(1) per object and index.
 */
export class Store<T extends KubeObject> {
	readonly trim: (object: T) => T;
	#clock: Clock;
	#log: Log;
	#objects = new Map<string, T>();
	#indexes = new Map<string, Index<T>>();
	#listeners = new Set<(change: Change<T>) => void>();
	#told: Change<T>[] = [];
	#telling = false;
	#version: string | undefined;
	#newest: string | undefined;
	#tombstones = new Map<string, { version: string; due: number }>();
	#tombstoneMs: number;
	#tombstoneLimit: number;

	constructor(options: StoreOptions<T>) {
		this.#clock = options.clock;
		this.#log = options.log;
		this.trim = options.trim ?? ((object) => object);
		this.#tombstoneMs = options.tombstoneMs ?? 60_000;
		this.#tombstoneLimit = options.tombstones ?? 10_000;
	}

	get size(): number {
		return this.#objects.size;
	}

	/** The cache holds everything that happened up to here; undefined before the first `replace`. */
	get resourceVersion(): string | undefined {
		return this.#version;
	}

	/** The newest version met, in the cache or in the answer of a write; pass it to `replace` as it was before the list. */
	get newest(): string | undefined {
		return this.#newest;
	}

	/** `namespace/name`, or `name` for a cluster-scoped object. */
	get(key: string): T | undefined {
		return this.#objects.get(key);
	}

	has(key: string): boolean {
		return this.#objects.has(key);
	}

	keys(): IterableIterator<string> {
		return this.#objects.keys();
	}

	values(): IterableIterator<T> {
		return this.#objects.values();
	}

	/** Files every object under each of `values(object)`; `values` must be pure. Throws when the name is taken. */
	addIndex(name: string, values: (object: T) => string[]): void {
		if (this.#indexes.has(name)) throw new Error(`index ${name} exists`);
		const index: Index<T> = { values, keys: new Map(), filed: new Map() };
		this.#indexes.set(name, index);
		for (const [key, object] of this.#objects) this.#file(index, key, object);
	}

	/** The objects that index `name` files under `value`. Throws when there is no such index. */
	byIndex(name: string, value: string): T[] {
		const index = this.#indexes.get(name);
		if (!index) throw new Error(`there is no index ${name}`);
		const found: T[] = [];
		for (const key of index.keys.get(value) ?? []) {
			const object = this.#objects.get(key);
			if (object) found.push(object);
		}
		return found;
	}

	/**
	 * Calls `listener` after every change, in order; a change made by a listener is told after the present one. What it
	 * throws is logged. Returns what takes it off again.
	 */
	onChange(listener: (change: Change<T>) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/**
	 * Takes the answer of a write, so that its writer reads it at once. Ignored when older than what is known: the cache
	 * is complete up to `resourceVersion`, so an object that old and not in it is gone and stays gone. With a selector,
	 * apply only objects that match it.
	 */
	apply(object: T): void {
		const { resourceVersion } = object.metadata;
		if (
			!this.#objects.has(objectKey(object)) &&
			this.#version !== undefined &&
			compareVersions(resourceVersion, this.#version) <= 0
		)
			return;
		this.#take(object);
		this.#tell();
	}

	/** Takes an ADDED or MODIFIED event of a watch; one older than what is known of the object is ignored. */
	put(object: T): void {
		this.#take(object);
		this.advance(object.metadata.resourceVersion);
		this.#tell();
	}

	/** Takes a DELETED event of a watch; one older than the object in the cache is ignored. */
	remove(object: T): void {
		const { resourceVersion = "0" } = object.metadata;
		const key = objectKey(object);
		const known = this.#objects.get(key);
		this.#bury(object, resourceVersion);
		if (
			known &&
			compareVersions(resourceVersion, known.metadata.resourceVersion) >= 0
		)
			this.#drop(key, known, resourceVersion);
		this.advance(resourceVersion);
		this.#tell();
	}

	/** The watch has got as far as `resourceVersion`. */
	advance(resourceVersion: string | undefined): void {
		if (compareVersions(resourceVersion, this.#version) > 0)
			this.#version = resourceVersion;
		this.#met(resourceVersion);
	}

	/**
	 * Takes a consistent list as the truth: listeners hear of the differences once all of them are in, never of an
	 * emptied cache. `newestBefore` is `newest` as it was when the list was asked for: answers of writes that are newer
	 * than the list stay, but a list older than that comes from another history of the server (a restored or new
	 * etcd), and nothing older counts any more.
	 */
	replace(
		objects: Iterable<T>,
		resourceVersion: string,
		newestBefore: string | undefined = this.#newest,
	): void {
		const otherHistory = compareVersions(resourceVersion, newestBefore) < 0;
		if (otherHistory) this.#tombstones.clear();
		const stays = (object: T) =>
			!otherHistory &&
			compareVersions(object.metadata.resourceVersion, resourceVersion) > 0;
		const listed = new Map<string, T>();
		for (const object of objects) listed.set(objectKey(object), object);
		for (const [key, known] of this.#objects)
			if (!listed.has(key) && !stays(known))
				this.#drop(key, known, resourceVersion);
		for (const [key, object] of listed) {
			const known = this.#objects.get(key);
			const unchanged = known && !otherHistory && same(known, object);
			if (!unchanged && !(known && stays(known))) this.#set(key, known, object);
		}
		if (otherHistory) this.#newest = undefined;
		this.#version = resourceVersion;
		this.#met(resourceVersion);
		this.#tell();
	}

	#take(object: T): void {
		const key = objectKey(object);
		const { resourceVersion } = object.metadata;
		const known = this.#objects.get(key);
		const grave = this.#tombstones.get(identity(object));
		const newest = known?.metadata.resourceVersion ?? grave?.version;
		this.#met(resourceVersion);
		if (compareVersions(resourceVersion, newest) > 0)
			this.#set(key, known, object);
	}

	#set(key: string, known: T | undefined, untrimmed: T): void {
		const object = this.trim(untrimmed);
		if (known && identity(known) !== identity(object)) {
			this.#drop(key, known, object.metadata.resourceVersion ?? "0");
			known = undefined;
		}
		this.#objects.set(key, object);
		for (const index of this.#indexes.values()) this.#file(index, key, object);
		this.#told.push(
			known
				? { type: "updated", object, old: known }
				: { type: "added", object },
		);
	}

	#drop(key: string, known: T, resourceVersion: string): void {
		this.#objects.delete(key);
		for (const index of this.#indexes.values()) this.#unfile(index, key);
		this.#bury(known, resourceVersion);
		this.#told.push({ type: "deleted", object: known });
	}

	#bury(object: T, version: string): void {
		const now = this.#clock.monotonic();
		for (const [id, { due }] of this.#tombstones) {
			if (due > now && this.#tombstones.size < this.#tombstoneLimit) break;
			this.#tombstones.delete(id);
		}
		const id = identity(object);
		const buried = this.#tombstones.get(id)?.version;
		if (compareVersions(version, buried) <= 0) return;
		this.#tombstones.delete(id);
		this.#tombstones.set(id, { version, due: now + this.#tombstoneMs });
	}

	#met(resourceVersion: string | undefined): void {
		if (compareVersions(resourceVersion, this.#newest) > 0)
			this.#newest = resourceVersion;
	}

	/** Most changes of an object leave it where it is filed. */
	#file(index: Index<T>, key: string, object: T): void {
		let values: string[] = none;
		try {
			values = index.values(object);
		} catch (err) {
			this.#log.error({ err, key }, "an index failed on an object");
		}
		const filed = index.filed.get(key) ?? none;
		if (
			filed.length === values.length &&
			filed.every((value, at) => value === values[at])
		)
			return;
		this.#unfile(index, key);
		if (values.length === 0) return;
		index.filed.set(key, values);
		for (const value of values) {
			const keys = index.keys.get(value);
			if (keys) keys.add(key);
			else index.keys.set(value, new Set([key]));
		}
	}

	#unfile(index: Index<T>, key: string): void {
		for (const value of index.filed.get(key) ?? []) {
			const keys = index.keys.get(value);
			keys?.delete(key);
			if (keys?.size === 0) index.keys.delete(value);
		}
		index.filed.delete(key);
	}

	#tell(): void {
		if (this.#telling) return;
		this.#telling = true;
		for (let next = 0; next < this.#told.length; next++) {
			const change = this.#told[next] as Change<T>;
			for (const listener of this.#listeners) {
				try {
					listener(change);
				} catch (err) {
					const key = objectKey(change.object);
					this.#log.error({ err, key }, "a listener failed on a change");
				}
			}
		}
		this.#told = [];
		this.#telling = false;
	}
}

const none: string[] = [];

/** A name can be used again; its UID never is. */
function identity(object: KubeObject): string {
	return object.metadata.uid ?? objectKey(object);
}

/** The same object at the same version, of one history: nothing changed. */
function same(a: KubeObject, b: KubeObject): boolean {
	return (
		identity(a) === identity(b) &&
		a.metadata.resourceVersion === b.metadata.resourceVersion
	);
}

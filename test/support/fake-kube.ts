import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type { Clock } from "../../operator/clock.ts";
import type {
	CallOptions,
	KubeClient,
	KubeList,
	ListOptions,
	Preconditions,
	Ref,
	Resource,
	WatchEvent,
	WatchOptions,
} from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { FakeWatch } from "./fake-watch.ts";

type Verb = "get" | "list" | "create" | "replace" | "delete" | "watch";

export interface FakeCall {
	verb: Verb;
	resource: string;
	/** What the call was given beside its resource and body. */
	options: Omit<ListOptions, "resourceVersionMatch"> &
		Omit<WatchOptions, "resourceVersionMatch"> &
		Partial<Ref> & { resourceVersionMatch?: string };
}

/**
 * An API server in memory, behind the client's interface: resourceVersions, conflicts, pages, history, WatchList. It
 * fails as a test tells it to. Holds one resource at a time; knows no selectors and no patches.
 */
export class FakeKube implements KubeClient {
	/** Every call, as it came. */
	readonly calls: FakeCall[] = [];
	/** Watches open now. */
	readonly watches = new Set<FakeWatch>();
	/** Before a call has an effect: what it throws is the answer, what it awaits delays the call. */
	before: (call: FakeCall) => void | Promise<void> = () => {};
	/** After a call had its effect: what it throws replaces the answer. */
	after: (call: FakeCall) => void | Promise<void> = () => {};
	/** How WatchList is taken: known, refused (422), accepted without ever sending the closing bookmark, or without anything. */
	watchList: "known" | "refused" | "ignored" | "silent" = "known";
	/** Continue tokens are answered with 410. */
	tokensExpire = false;
	/** A version that is gone is told by an ERROR event on a watch answered 200, instead of by HTTP. */
	goneInStream = false;
	version: number;
	#clock: Clock;
	#objects = new Map<string, KubeObject>();
	#history: { version: number; event: WatchEvent<KubeObject> }[] = [];
	#compacted = 0;
	#uids = 0;
	#snapshots = new Map<string, KubeObject[]>();

	constructor(clock: Clock, version = 1000) {
		this.#clock = clock;
		this.version = version;
	}

	/** The objects, by key. */
	get objects(): ReadonlyMap<string, KubeObject> {
		return this.#objects;
	}

	/** Creates or updates an object, as somebody else would; returns it as stored. */
	set<T extends KubeObject>(object: T): T {
		const key = objectKey(object);
		const known = this.#objects.get(key);
		this.version++;
		const stored = {
			...object,
			metadata: {
				...object.metadata,
				uid: known?.metadata.uid ?? `uid-${++this.#uids}`,
				resourceVersion: String(this.version),
			},
		};
		this.#objects.set(key, stored);
		this.#happened({ type: known ? "MODIFIED" : "ADDED", object: stored });
		return structuredClone(stored);
	}

	/** Deletes an object, as somebody else would. */
	unset(key: string): void {
		const known = this.#objects.get(key);
		if (!known) return;
		this.version++;
		const metadata = {
			...known.metadata,
			resourceVersion: String(this.version),
		};
		this.#objects.delete(key);
		this.#happened({ type: "DELETED", object: { ...known, metadata } });
	}

	/** Something happens to another resource: versions go on, nobody here hears of it. */
	elsewhere(): void {
		this.version++;
	}

	/** Forgets its history: a watch from any earlier version is answered with 410. */
	compact(): void {
		this.#compacted = this.version;
		this.#history = [];
	}

	/** Tells every watch how far it has got. */
	bookmark(): void {
		for (const watch of this.watches)
			watch.push([bookmarkAt(String(this.version))]);
	}

	/** Comes back with the same objects in another history, at a lower version. */
	startOver(version: number): void {
		this.version = version;
		this.#compacted = version;
		this.#history = [];
		const old = [...this.#objects.values()];
		this.#objects.clear();
		for (const object of old) this.set(object);
	}

	/** Breaks every watch's connection. */
	cut(error: Error = unreachable()): void {
		for (const watch of this.watches) watch.fail(error);
	}

	async get<T extends KubeObject>(
		resource: Resource,
		ref: Ref,
		options: CallOptions = {},
	): Promise<T> {
		return this.#answer("get", resource, { ...ref }, options, () =>
			structuredClone(this.#known<T>(ref)),
		);
	}

	async list<T extends KubeObject>(
		resource: Resource,
		list: ListOptions = {},
		options: CallOptions = {},
	): Promise<KubeList<T>> {
		return this.#answer("list", resource, { ...list }, options, () => {
			let version = String(this.version);
			let from = 0;
			if (list.continue) {
				if (this.tokensExpire) throw gone("the continue token expired");
				const [of = "", at = ""] = list.continue.split(":");
				version = of;
				from = Number(at);
			} else this.#snapshots.set(version, [...this.#objects.values()]);
			const all = this.#snapshots.get(version) ?? [];
			const to = from + (list.limit ?? all.length);
			return structuredClone({
				metadata: {
					resourceVersion: version,
					...(to < all.length ? { continue: `${version}:${to}` } : {}),
				},
				items: all.slice(from, to) as T[],
			});
		});
	}

	async create<T extends KubeObject>(
		resource: Resource,
		object: T,
		options: CallOptions = {},
	): Promise<T> {
		const { name } = object.metadata;
		return this.#answer("create", resource, { name }, options, () => {
			if (this.#objects.has(objectKey(object)))
				throw new FairleadError("KubeConflict", `${name} already exists`);
			return this.set(object);
		});
	}

	async replace<T extends KubeObject>(
		resource: Resource,
		object: T,
		options: CallOptions = {},
	): Promise<T> {
		const { name, resourceVersion } = object.metadata;
		return this.#answer("replace", resource, { name }, options, () => {
			const known = this.#known(object.metadata);
			if (resourceVersion && resourceVersion !== known.metadata.resourceVersion)
				throw new FairleadError("KubeConflict", `${name} was changed`);
			return this.set(object);
		});
	}

	async delete(
		resource: Resource,
		ref: Ref,
		preconditions: Preconditions = {},
		options: CallOptions = {},
	): Promise<void> {
		return this.#answer("delete", resource, { ...ref }, options, () => {
			const known = this.#known(ref);
			const { uid } = preconditions;
			if (uid && uid !== known.metadata.uid)
				throw new FairleadError("KubeConflict", `${ref.name} has another uid`);
			this.unset(objectKey(known));
		});
	}

	patch(): never {
		throw new Error("FakeKube knows no patches");
	}

	act(): never {
		throw new Error("FakeKube knows no pods");
	}

	async watch<T extends KubeObject>(
		resource: Resource,
		watch: WatchOptions,
		options: { signal: AbortSignal; onBytes?: () => void },
	): Promise<AsyncIterable<WatchEvent<T>[]>> {
		const call = { ...watch };
		return this.#answer("watch", resource, call, options, () => {
			const from = Number(watch.resourceVersion ?? this.version);
			const opened = new FakeWatch(from, options);
			if (watch.sendInitialEvents) this.#initial(opened);
			else if (from < this.#compacted) {
				if (!this.goneInStream) throw gone("too old resource version");
				opened.push([{ type: "ERROR", object: tooOld }]);
				opened.end();
			} else
				for (const { version, event } of this.#history)
					if (version > from) opened.push([event]);
			this.watches.add(opened);
			opened.onEnd = () => this.watches.delete(opened);
			return opened as unknown as AsyncIterable<WatchEvent<T>[]>;
		});
	}

	close(): void {
		this.cut();
	}

	#initial(opened: FakeWatch): void {
		if (this.watchList === "refused")
			throw new FairleadError(
				"KubeInvalid",
				"sendInitialEvents is forbidden for watch",
			);
		if (this.watchList === "silent") {
			opened.muted = true;
			return;
		}
		for (const object of this.#objects.values())
			opened.push([{ type: "ADDED", object }]);
		if (this.watchList === "known")
			opened.push([bookmarkAt(String(this.version), true)]);
	}

	#known<T extends KubeObject>(ref: Ref): T {
		const known = this.#objects.get(objectKey({ metadata: ref }));
		if (!known)
			throw new FairleadError("KubeNotFound", `${ref.name} not found`);
		return known as T;
	}

	#happened(event: WatchEvent<KubeObject>): void {
		this.#history.push({ version: this.version, event });
		for (const watch of this.watches)
			if (this.version > watch.from) watch.push([event]);
	}

	/** Runs a call through the test's hooks; it ends when aborted or out of time, whatever becomes of its effect. */
	#answer<R>(
		verb: Verb,
		resource: Resource,
		callOptions: FakeCall["options"],
		{ signal, timeoutMs = 30_000 }: CallOptions,
		effect: () => R,
	): Promise<R> {
		const call = { verb, resource: resource.plural, options: callOptions };
		this.calls.push(call);
		return new Promise((resolve, reject) => {
			const stop = () => {
				cancel();
				reject(signal?.reason as Error);
			};
			const cancel =
				verb === "watch"
					? () => {}
					: this.#clock.after(timeoutMs, () =>
							reject(unreachable(`${verb} took longer than ${timeoutMs} ms`)),
						);
			if (signal?.aborted) return stop();
			signal?.addEventListener("abort", stop, { once: true });
			const run = async () => {
				await this.before(call);
				const answer = effect();
				await this.after(call);
				return answer;
			};
			run().finally(cancel).then(resolve, reject);
		});
	}
}

/** What a client throws when nobody answers. */
export function unreachable(message = "connection refused"): FairleadError {
	return new FairleadError("KubeUnreachable", message);
}

/** What a client throws for HTTP 410. */
export function gone(message: string): FairleadError {
	return new FairleadError("KubeGone", message);
}

function bookmarkAt(
	resourceVersion: string,
	closing = false,
): WatchEvent<KubeObject> {
	const annotations = { "k8s.io/initial-events-end": "true" };
	const metadata = { resourceVersion, ...(closing ? { annotations } : {}) };
	return { type: "BOOKMARK", object: { metadata } };
}

const tooOld = {
	kind: "Status" as const,
	code: 410,
	reason: "Expired",
	message: "too old resource version",
};

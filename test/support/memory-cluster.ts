import type { Service } from "../../operator/api/core.ts";
import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type {
	KubeClient,
	ListOptions,
	Patch,
	Ref,
	Resource,
	WatchEvent,
	WatchOptions,
} from "../../operator/cluster/kube.ts";
import type { PatchBody } from "../../operator/cluster/patches.ts";
import { FairleadError } from "../../operator/errors.ts";
import { FakeWatch } from "./fake-watch.ts";
import { checkNodePorts, patched } from "./memory-patches.ts";

/** One run of a process: it dies at a point of its effects, and from then on nothing it does has any, nor an answer. */
export class Life {
	dead = false;
	/** Half effects left: at an even number it dies before an effect, at an odd one after it. */
	#left: number;
	readonly #onDeath: () => void;

	constructor(left: number, onDeath: () => void) {
		this.#left = left;
		this.#onDeath = onDeath;
	}

	/** Brings an effect about, unless the process dies before; never resolves when it dies. */
	async effect<R>(bring: () => R): Promise<R> {
		if (this.dead || this.#spent()) return never();
		const result = bring();
		if (this.#spent()) return never();
		return result;
	}

	/** Something that has no effect, but needs a process to be told of it. */
	async look<R>(read: () => R): Promise<R> {
		return this.dead ? never() : read();
	}

	#spent(): boolean {
		if (this.#left-- > 0) return false;
		this.dead = true;
		this.#onDeath();
		return true;
	}
}

function never<R>(): Promise<R> {
	return new Promise(() => {});
}

/** A watch, whose it is, and what it is about. */
interface Follower {
	watch: FakeWatch;
	life: Life;
	selects: (object: KubeObject) => boolean;
}

export interface Write {
	resource: string;
	key: string;
	body: { metadata?: { uid?: string; resourceVersion?: string } };
}

/**
 * The API server and etcd in memory, behind the client's interface, for every resource at once: resourceVersions, watches
 * with WatchList, conflicts, finalizers, and the merges that Fairlead's patches need. What it stores outlives whoever wrote it.
 */
export class MemoryCluster {
	/** Patches that had an effect, in order. */
	readonly patches: Write[] = [];
	/** Notes of the Events that were sent, in order. */
	readonly events: { life: Life; reason: string; regarding: string }[] = [];
	version = 100;
	readonly #objects = new Map<string, Map<string, KubeObject>>();
	readonly #watches = new Map<string, Set<Follower>>();
	readonly #history: { plural: string; event: WatchEvent<KubeObject> }[] = [];
	readonly #absent: ReadonlySet<string>;
	/** What reading kinds is answered, by plural. */
	readonly #refused = new Map<Life, Map<string, FairleadError>>();
	#uids = 0;

	/** `absent`: kinds that are not installed. */
	constructor(absent: Iterable<string> = []) {
		this.#absent = new Set(absent);
	}

	get<T extends KubeObject>(plural: string, key: string): T | undefined {
		return this.#of(plural).get(key) as T | undefined;
	}

	/** In order of their keys, as etcd has them. */
	all<T extends KubeObject>(plural: string): T[] {
		return [...this.#of(plural)]
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([, object]) => object as T);
	}

	/** Creates an object, as a user does. */
	create<T extends KubeObject>(plural: string, object: T): T {
		return this.#store(plural, "ADDED", {
			...onWire(object),
			metadata: { ...object.metadata, uid: `uid-${++this.#uids}` },
		});
	}

	/** Changes an object that is there, as a user does; nothing otherwise. */
	edit<T extends KubeObject>(
		plural: string,
		key: string,
		change: (object: T) => void,
	): void {
		const found = this.get<T>(plural, key);
		if (!found) return;
		const next = onWire(found);
		change(next);
		const { spec, status } = next as KubeObject as Service;
		// The API server clears it when a Service is no longer of type LoadBalancer.
		if (plural === "services" && spec.type !== "LoadBalancer")
			delete status?.loadBalancer;
		this.#put(plural, next);
	}

	/** Deletes an object, as a user does: it goes once its finalizers are off. */
	remove(plural: string, key: string): void {
		this.edit(plural, key, ({ metadata }) => {
			metadata.deletionTimestamp ??= "2026-01-02T00:00:00Z";
		});
	}

	/** From now on the watches that a process has open say nothing, as over a connection that died without a word. */
	silence(life: Life): void {
		for (const followers of this.#watches.values())
			for (const follower of followers)
				if (follower.life === life) follower.watch.muted = true;
	}

	/** From now on a process is answered this when it reads a kind; undefined: what there is. */
	refuse(life: Life, plural: string, answer: FairleadError | undefined): void {
		const refused = this.#refused.get(life) ?? new Map<string, FairleadError>();
		this.#refused.set(life, refused);
		if (answer) refused.set(plural, answer);
		else refused.delete(plural);
	}

	/** A client of one process. */
	client(life: Life): KubeClient {
		return {
			get: (resource, ref) =>
				life.look(() => onWire(this.#known(resource, ref)) as never),
			list: (resource, list) =>
				life.look(() => {
					this.#readable(life, resource);
					const selects = selectorOf(list);
					return onWire({
						metadata: { resourceVersion: String(this.version) },
						items: this.all(resource.plural).filter(selects) as never[],
					});
				}),
			// An Event changes nothing for anybody: a process that dies, does not die of it.
			create: (resource, object) =>
				resource.plural === "events"
					? life.look(() => this.#event(life, object))
					: life.effect(() => this.#add(resource, object) as never),
			patch: (resource, ref, patch) =>
				life.effect(() => this.#patch(resource, ref, patch) as never),
			watch: (resource, watch, options) =>
				life.look(() => this.#watch(life, resource, watch, options) as never),
			replace: (resource, object) =>
				life.effect(() => this.#replace(resource, object) as never),
			delete: (resource, ref, { uid } = {}) =>
				life.effect(() => {
					const found = this.#known(resource, ref);
					this.#guard(found, uid === undefined ? {} : { uid });
					this.remove(resource.plural, objectKey(found));
				}),
			act: async () => {
				throw new Error("MemoryCluster has no pods");
			},
			close: () => {},
		};
	}

	#event<T extends KubeObject>(life: Life, event: T): T {
		const { reason = "", regarding = {} } = event as {
			reason?: string;
			regarding?: { name?: string };
		};
		this.events.push({ life, reason, regarding: regarding.name ?? "" });
		return event;
	}

	#add(resource: Resource, object: KubeObject): KubeObject {
		this.#installed(resource);
		if (this.#of(resource.plural).has(objectKey(object)))
			throw new FairleadError(
				"KubeConflict",
				`${object.metadata.name} is there already`,
				{ reason: "AlreadyExists" },
			);
		this.#checkPorts(resource.plural, object);
		return onWire(this.create(resource.plural, object));
	}

	#replace(resource: Resource, object: KubeObject): KubeObject {
		const found = this.#known(resource, object.metadata);
		this.#guard(found, object.metadata);
		this.#checkPorts(resource.plural, object);
		const { uid } = found.metadata;
		return onWire(
			this.#put(resource.plural, {
				...onWire(object),
				metadata: { ...object.metadata, ...(uid ? { uid } : {}) },
			}),
		);
	}

	/** Fails unless the object is the very one, and the very version of it, that is meant. */
	#guard(
		{ metadata }: KubeObject,
		{ uid, resourceVersion }: { uid?: string; resourceVersion?: string },
	): void {
		if (
			(uid !== undefined && uid !== metadata.uid) ||
			(resourceVersion !== undefined &&
				resourceVersion !== metadata.resourceVersion)
		)
			throw new FairleadError("KubeConflict", `${metadata.name} was changed`);
	}

	#checkPorts(plural: string, object: KubeObject): void {
		if (plural === "services")
			checkNodePorts(object as Service, this.all<Service>("services"));
	}

	#patch(resource: Resource, ref: Ref, patch: Patch): KubeObject {
		const found = this.#known(resource, ref);
		const body = patch.body as PatchBody & { spec?: object };
		this.#guard(found, body.metadata ?? {});
		const next = patched(found, patch);
		if (body.spec) this.#checkPorts(resource.plural, next);
		this.patches.push({
			resource: resource.plural,
			key: objectKey(found),
			body: onWire(body),
		});
		return onWire(this.#put(resource.plural, next));
	}

	#watch(
		life: Life,
		resource: Resource,
		{ sendInitialEvents, resourceVersion, ...scope }: WatchOptions,
		options: { signal: AbortSignal; onBytes?: () => void },
	): FakeWatch {
		this.#readable(life, resource);
		const { plural } = resource;
		const from = Number(resourceVersion ?? this.version);
		const opened = new FakeWatch(from, options);
		const selects = selectorOf(scope);
		if (sendInitialEvents) {
			const present = this.all(plural)
				.filter(selects)
				.map((object) => ({ type: "ADDED" as const, object }));
			const end = { "k8s.io/initial-events-end": "true" };
			const metadata = {
				resourceVersion: String(this.version),
				annotations: end,
			};
			opened.push([...present, { type: "BOOKMARK", object: { metadata } }]);
		} else
			for (const { plural: of, event } of this.#history)
				if (of === plural && versionOf(event) > from && isAbout(event, selects))
					opened.push([event]);
		const open = this.#watches.get(plural) ?? new Set();
		const follower = { watch: opened, life, selects };
		this.#watches.set(plural, open.add(follower));
		opened.onEnd = () => open.delete(follower);
		return opened;
	}

	/** Stores what became of an object: it goes when it is being deleted and nobody holds it any more. */
	#put<T extends KubeObject>(plural: string, next: T): T {
		const { deletionTimestamp, finalizers = [] } = next.metadata;
		if (deletionTimestamp === undefined || finalizers.length > 0)
			return this.#store(plural, "MODIFIED", next);
		return this.#store(plural, "DELETED", next);
	}

	#store<T extends KubeObject>(
		plural: string,
		type: "ADDED" | "MODIFIED" | "DELETED",
		object: T,
	): T {
		const stored = {
			...object,
			metadata: { ...object.metadata, resourceVersion: String(++this.version) },
		};
		if (type === "DELETED") this.#of(plural).delete(objectKey(stored));
		else this.#of(plural).set(objectKey(stored), stored);
		const event = { type, object: stored };
		this.#history.push({ plural, event });
		for (const { watch, selects } of this.#watches.get(plural) ?? [])
			if (selects(stored)) watch.push([event]);
		return stored;
	}

	#known({ plural }: Resource, ref: Ref): KubeObject {
		const found = this.#of(plural).get(objectKey({ metadata: ref }));
		if (!found)
			throw new FairleadError("KubeNotFound", `${plural} ${ref.name}: 404`);
		return found;
	}

	#readable(life: Life, resource: Resource): void {
		this.#installed(resource);
		const answer = this.#refused.get(life)?.get(resource.plural);
		if (answer) throw answer;
	}

	#installed({ plural }: Resource): void {
		if (this.#absent.has(plural))
			throw new FairleadError("KubeNotFound", `${plural}: 404`);
	}

	#of(plural: string): Map<string, KubeObject> {
		const known = this.#objects.get(plural) ?? new Map<string, KubeObject>();
		this.#objects.set(plural, known);
		return known;
	}
}

/** A copy as JSON makes it, of this realm: structuredClone's are of another under Jest, and equal to none of ours. */
function onWire<T>(object: T): T {
	return JSON.parse(JSON.stringify(object)) as T;
}

/** Objects whose labels change do not come and go here: nobody does that. */
function selectorOf({
	namespace,
	labelSelector,
}: ListOptions = {}): (object: KubeObject) => boolean {
	const [label = "", value] = (labelSelector ?? "").split("=");
	return ({ metadata }) =>
		(namespace === undefined || metadata.namespace === namespace) &&
		(label === "" || metadata.labels?.[label] === value);
}

function isAbout(
	event: WatchEvent<KubeObject>,
	selects: (object: KubeObject) => boolean,
): boolean {
	return (
		event.type !== "ERROR" && event.type !== "BOOKMARK" && selects(event.object)
	);
}

function versionOf(event: WatchEvent<KubeObject>): number {
	return event.type === "ERROR"
		? 0
		: Number(event.object.metadata.resourceVersion);
}

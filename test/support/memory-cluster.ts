import type { Service } from "../../operator/api/core.ts";
import type { Condition } from "../../operator/api/meta.ts";
import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type {
	KubeClient,
	Patch,
	Ref,
	Resource,
	WatchEvent,
	WatchOptions,
} from "../../operator/cluster/kube.ts";
import type { PatchBody } from "../../operator/cluster/patches.ts";
import { FairleadError } from "../../operator/errors.ts";
import { FakeWatch } from "./fake-watch.ts";

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
	version = 100;
	readonly #objects = new Map<string, Map<string, KubeObject>>();
	readonly #watches = new Map<string, Set<FakeWatch>>();
	readonly #history: { plural: string; event: WatchEvent<KubeObject> }[] = [];
	readonly #absent: ReadonlySet<string>;
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
			...structuredClone(object),
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
		const next = structuredClone(found);
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

	/** A client of one process. */
	client(life: Life): KubeClient {
		const unused = async () => {
			throw new Error("MemoryCluster does not know this call");
		};
		return {
			get: (resource, ref) =>
				life.look(() => structuredClone(this.#known(resource, ref)) as never),
			list: (resource) =>
				life.look(() => {
					this.#installed(resource);
					return structuredClone({
						metadata: { resourceVersion: String(this.version) },
						items: this.all(resource.plural) as never[],
					});
				}),
			// Events are all that is created, and nothing depends on them.
			create: (_resource, object) => life.look(() => object),
			patch: (resource, ref, patch) =>
				life.effect(() => this.#patch(resource, ref, patch) as never),
			watch: (resource, watch, options) =>
				life.look(() => this.#watch(resource, watch, options) as never),
			replace: unused,
			delete: unused,
			act: unused,
			close: () => {},
		};
	}

	#patch(resource: Resource, ref: Ref, patch: Patch): KubeObject {
		const found = this.#known(resource, ref);
		const body = patch.body as PatchBody & { spec?: object };
		const { uid, resourceVersion } = body.metadata ?? {};
		if (
			(uid !== undefined && uid !== found.metadata.uid) ||
			(resourceVersion !== undefined &&
				resourceVersion !== found.metadata.resourceVersion)
		)
			throw new FairleadError("KubeConflict", `${ref.name} was changed`);
		this.patches.push({
			resource: resource.plural,
			key: objectKey(found),
			body: structuredClone(body),
		});
		return structuredClone(
			this.#put(
				resource.plural,
				patch.type === "strategic-merge"
					? strategicMerge(found as Service, body)
					: (merge(found, body) as KubeObject),
			),
		);
	}

	#watch(
		resource: Resource,
		{ sendInitialEvents, resourceVersion }: WatchOptions,
		options: { signal: AbortSignal; onBytes?: () => void },
	): FakeWatch {
		this.#installed(resource);
		const { plural } = resource;
		const from = Number(resourceVersion ?? this.version);
		const opened = new FakeWatch(from, options);
		if (sendInitialEvents) {
			const present = this.all(plural).map((object) => ({
				type: "ADDED" as const,
				object,
			}));
			const end = { "k8s.io/initial-events-end": "true" };
			const metadata = {
				resourceVersion: String(this.version),
				annotations: end,
			};
			opened.push([...present, { type: "BOOKMARK", object: { metadata } }]);
		} else
			for (const { plural: of, event } of this.#history)
				if (of === plural && versionOf(event) > from) opened.push([event]);
		const open = this.#watches.get(plural) ?? new Set();
		this.#watches.set(plural, open.add(opened));
		opened.onEnd = () => open.delete(opened);
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
		for (const watch of this.#watches.get(plural) ?? []) watch.push([event]);
		return stored;
	}

	#known({ plural }: Resource, ref: Ref): KubeObject {
		const found = this.#of(plural).get(objectKey({ metadata: ref }));
		if (!found)
			throw new FairleadError("KubeNotFound", `${plural} ${ref.name}: 404`);
		return found;
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

function versionOf(event: WatchEvent<KubeObject>): number {
	return event.type === "ERROR"
		? 0
		: Number(event.object.metadata.resourceVersion);
}

/** What the API server makes of Fairlead's patches of a Service's /status; merge keys as in operator/cluster/patches.ts. */
function strategicMerge(found: Service, body: PatchBody): Service {
	const next = structuredClone(found);
	const { metadata = {}, status } = body;
	const finalizers = new Set([
		...(next.metadata.finalizers ?? []),
		...(metadata.finalizers ?? []),
	]);
	for (const gone of metadata["$deleteFromPrimitiveList/finalizers"] ?? [])
		finalizers.delete(gone);
	next.metadata.finalizers = [...finalizers];
	const noted = merge(
		next.metadata.annotations ?? {},
		metadata.annotations ?? {},
	);
	next.metadata.annotations = noted as Record<string, string>;
	next.status ??= {};
	for (const condition of status?.conditions ?? []) {
		const others: Condition[] = (next.status.conditions ?? []).filter(
			(each) => each.type !== condition.type,
		);
		next.status.conditions =
			"$patch" in condition ? others : [...others, condition];
	}
	if (status?.loadBalancer)
		next.status.loadBalancer = {
			ingress: status.loadBalancer.ingress ?? [],
		};
	return next;
}

/** RFC 7386 */
function merge(target: unknown, patch: unknown): unknown {
	if (!isPlain(patch)) return patch;
	const merged: Record<string, unknown> = isPlain(target) ? { ...target } : {};
	for (const [key, value] of Object.entries(patch))
		if (value === null) delete merged[key];
		else merged[key] = merge(merged[key], value);
	return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

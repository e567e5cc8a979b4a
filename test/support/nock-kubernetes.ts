import { PassThrough } from "node:stream";
import nock from "nock";
import type { Service } from "../../operator/api/core.ts";
import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type { Connection } from "../../operator/cluster/connection.ts";
import type { PatchBody } from "../../operator/cluster/patches.ts";

export interface KubeCall {
	method: string;
	path: string;
	body: unknown;
}

type Reply = [number, unknown, Record<string, string>?];

const headers = { "content-type": "application/json" };

/**
 * The Kubernetes API as nock replays it: watches that stay open, objects a test sets, patches as the API server merges
 * them, and every call but watches written down.
 */
export class NockKubernetes {
	readonly calls: KubeCall[] = [];
	/** Answers instead of the usual; undefined: as usual. */
	answer: (call: KubeCall) => Reply | undefined = () => undefined;
	/** What a call waits for before it is served. */
	hold: (call: KubeCall) => Promise<void> | undefined = () => undefined;
	/** Plurals of kinds that the API server does not know. */
	readonly notInstalled = new Set(["externalippolicies"]);
	readonly #objects = new Map<string, Map<string, KubeObject>>();
	readonly #watches = new Map<string, Set<PassThrough>>();
	#version = 100;

	constructor(origin: string) {
		const any = () => true;
		for (const method of ["GET", "POST", "PATCH", "PUT", "DELETE"])
			nock(origin)
				.persist()
				.intercept(any, method)
				.reply((request: Request) => this.#serve(request) as never);
	}

	/** How a client reaches it. */
	static connection(origin: string): Connection {
		return {
			server: new URL(origin),
			insecureSkipTlsVerify: false,
			disableCompression: true,
			headers: {},
			namespace: "default",
			credentials: async () => ({ authorization: "Bearer test" }),
		};
	}

	/** Creates or replaces an object, and tells whoever watches. */
	set<T extends KubeObject>(plural: string, object: T): T {
		const all = this.#of(plural);
		const known = all.get(objectKey(object));
		const stored = structuredClone(object);
		stored.metadata.resourceVersion = String(++this.#version);
		all.set(objectKey(stored), stored);
		this.#tell(plural, known ? "MODIFIED" : "ADDED", stored);
		return structuredClone(stored);
	}

	remove(plural: string, key: string): void {
		const known = this.#of(plural).get(key);
		if (!known) return;
		this.#of(plural).delete(key);
		known.metadata.resourceVersion = String(++this.#version);
		this.#tell(plural, "DELETED", known);
	}

	get<T extends KubeObject>(plural: string, key: string): T | undefined {
		const found = this.#of(plural).get(key);
		return found && (structuredClone(found) as T);
	}

	/** Calls that change something, as `METHOD path`; events apart, which come when they come. */
	writes(): string[] {
		return this.calls
			.filter(({ method, path }) => method !== "GET" && !isEvents(path))
			.map(({ method, path }) => `${method} ${path}`);
	}

	/** Reasons of the events recorded, in order. */
	events(): string[] {
		return this.calls
			.filter(({ method, path }) => method === "POST" && isEvents(path))
			.map(({ body }) => (body as { reason: string }).reason);
	}

	/** Ends every watch. */
	close(): void {
		for (const streams of this.#watches.values())
			for (const stream of streams) stream.end();
	}

	async #serve(request: Request): Promise<Reply> {
		const url = new URL(request.url);
		const path = url.pathname;
		const [, plural = "", name, namespace] = route(path);
		if (this.notInstalled.has(plural))
			return [404, status(404, "NotFound", path), headers];
		if (request.method === "GET" && url.searchParams.has("watch"))
			return this.#watch(plural);
		const text = await request.text();
		const body: unknown = text === "" ? undefined : JSON.parse(text);
		const call = { method: request.method, path, body };
		this.calls.push(call);
		const held = this.hold(call);
		if (held) await held;
		const special = this.answer(call);
		if (special) return special;
		if (request.method === "POST" && plural === "externalippolicies") {
			const made = body as KubeObject;
			const { metadata } = made;
			if (this.#of(plural).has(metadata.name))
				return [409, status(409, "AlreadyExists", path), headers];
			const uid = `uid-${this.#version}`;
			const stored = { ...made, metadata: { ...metadata, uid } };
			return [201, this.set(plural, stored), headers];
		}
		if (request.method === "POST") return [201, body, headers];
		const key = namespace ? `${namespace}/${name}` : (name ?? "");
		const found = this.#of(plural).get(key);
		if (!found) return [404, status(404, "NotFound", path), headers];
		if (request.method === "GET") return [200, found, headers];
		return this.#patch(plural, found, body as PatchBody);
	}

	#patch(plural: string, found: KubeObject, body: PatchBody): Reply {
		const { metadata = {}, status: patched } = body;
		if (
			metadata.resourceVersion !== undefined &&
			metadata.resourceVersion !== found.metadata.resourceVersion
		)
			return [409, status(409, "Conflict", found.metadata.name), headers];
		const next = structuredClone(found) as Service;
		const finalizers =
			plural === "services"
				? new Set([
						...(next.metadata.finalizers ?? []),
						...(metadata.finalizers ?? []),
					])
				: new Set(metadata.finalizers ?? next.metadata.finalizers);
		for (const gone of metadata["$deleteFromPrimitiveList/finalizers"] ?? [])
			finalizers.delete(gone);
		next.metadata.finalizers = [...finalizers];
		const noted: Record<string, string> = { ...next.metadata.annotations };
		for (const [key, value] of Object.entries(metadata.annotations ?? {}))
			if (value === null) delete noted[key];
			else noted[key] = value;
		next.metadata.annotations = noted;
		const { spec } = body as { spec?: Record<string, unknown> };
		for (const [key, value] of Object.entries(spec ?? {})) {
			const into = next.spec as unknown as Record<string, unknown>;
			if (value === null) delete into[key];
			else into[key] = value;
		}
		const { conditions: _, loadBalancer: __, ...plain } = patched ?? {};
		next.status = { ...next.status, ...plain };
		for (const condition of patched?.conditions ?? []) {
			const others = (next.status.conditions ?? []).filter(
				(each) => each.type !== condition.type,
			);
			next.status.conditions =
				"$patch" in condition ? others : [...others, condition];
		}
		if (patched?.loadBalancer)
			next.status.loadBalancer = {
				ingress: patched.loadBalancer.ingress ?? [],
			};
		if (next.metadata.deletionTimestamp && finalizers.size === 0) {
			this.remove(plural, objectKey(found));
			return [200, next, headers];
		}
		return [200, this.set(plural, next), headers];
	}

	#watch(plural: string): Reply {
		const stream = new PassThrough();
		const streams = this.#watches.get(plural) ?? new Set();
		this.#watches.set(plural, streams.add(stream));
		stream.on("close", () => streams.delete(stream));
		for (const object of this.#of(plural).values())
			stream.write(line("ADDED", object));
		stream.write(
			line("BOOKMARK", {
				metadata: {
					resourceVersion: String(this.#version),
					annotations: { "k8s.io/initial-events-end": "true" },
				},
			}),
		);
		return [200, stream, headers];
	}

	#tell(plural: string, type: string, object: KubeObject): void {
		for (const stream of this.#watches.get(plural) ?? [])
			stream.write(line(type, object));
	}

	#of(plural: string): Map<string, KubeObject> {
		const known = this.#objects.get(plural) ?? new Map<string, KubeObject>();
		this.#objects.set(plural, known);
		return known;
	}
}

function isEvents(path: string): boolean {
	return path.endsWith("/events");
}

/** [whole, plural, name, namespace] of an API path. */
function route(path: string): (string | undefined)[] {
	const rest = path.replace(/^\/(api|apis\/[^/]+)\/[^/]+/, "");
	const [, namespace] = /^\/namespaces\/([^/]+)\/./.exec(rest) ?? [];
	const below = namespace
		? rest.slice(`/namespaces/${namespace}`.length)
		: rest;
	const [whole, plural, name] = /^\/([^/]+)(?:\/([^/]+))?/.exec(below) ?? [];
	return [whole, plural, name, namespace];
}

function line(type: string, object: unknown): string {
	return `${JSON.stringify({ type, object })}\n`;
}

function status(code: number, reason: string, what: string): unknown {
	return {
		kind: "Status",
		apiVersion: "v1",
		status: "Failure",
		code,
		reason,
		message: `${what}: ${reason}`,
	};
}

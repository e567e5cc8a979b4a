import type http from "node:http";
import type { KubeObject } from "../api/meta.ts";
import type { Clock } from "../clock.ts";
import { FairleadError, isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Answer, errorOfAnswer, snippet } from "./answers.ts";
import type { Connection } from "./connection.ts";
import { type Call, createExchange } from "./exchange.ts";
import {
	type CallOptions,
	type IsKnown,
	type KubeClient,
	type KubeList,
	type Patch,
	pathOf,
	type Resource,
	type WatchEvent,
	type WriteOptions,
} from "./kube.ts";
import { connectionError } from "./transport.ts";
import { watchEvents } from "./watch-stream.ts";

export interface KubeClientOptions {
	clock: Clock;
	log: Log;
	/** Up to the first slash it is the field manager of what this client writes. */
	userAgent: string;
	/** Calls in flight at once, watches not counted; more wait their turn within their own timeout. */
	maxSockets?: number;
}

const patchTypes = {
	merge: "application/merge-patch+json",
	"strategic-merge": "application/strategic-merge-patch+json",
	json: "application/json-patch+json",
	apply: "application/apply-patch+yaml",
} as const;

/** See KubeClient for what it promises. */
export function createKubeClient(
	connection: Connection,
	{ clock, log, userAgent, maxSockets = 32 }: KubeClientOptions,
): KubeClient {
	const { bounded, send, read, track, close } = createExchange(
		connection,
		clock,
		userAgent,
		maxSockets,
	);

	/** One call and its JSON answer, which must satisfy `expected`. */
	const request = <R>(
		call: Call,
		options: CallOptions,
		expected: (body: unknown) => boolean,
	): Promise<R> => {
		const subject = `${call.method} ${call.path}`;
		return bounded(subject, options, async (signal) => {
			const started = clock.monotonic();
			const incoming = await send(call, subject, signal, "pooled");
			const answer = await read(incoming, subject, signal);
			log.trace(
				{
					method: call.method,
					path: call.path,
					status: answer.status,
					ms: clock.monotonic() - started,
				},
				"kube call",
			);
			if (incoming.headers["warning"])
				log.debug({ warning: incoming.headers["warning"] }, subject);
			if (answer.status < 200 || answer.status > 299)
				throw errorOfAnswer(subject, answer, clock.now());
			const body = jsonOf(answer);
			if (!expected(body))
				throw new FairleadError(
					"KubeBadAnswer",
					`${subject}: ${answer.status} but no Kubernetes answer: ${snippet(answer)}`,
				);
			return body as R;
		});
	};

	return {
		get: <T extends KubeObject>(
			resource: Resource,
			ref: Parameters<KubeClient["get"]>[1],
			options: CallOptions = {},
		) =>
			request<T>(
				{ method: "GET", path: pathOf(resource, ref) },
				options,
				isObject,
			),

		async list<T extends KubeObject>(
			resource: Resource,
			{ namespace, ...query }: Parameters<KubeClient["list"]>[1] = {},
			options: CallOptions = {},
		) {
			const path = pathOf(resource, namespace ? { namespace } : {});
			const list = await request<{
				metadata: KubeList<T>["metadata"];
				items: T[] | null;
			}>({ method: "GET", path, query }, options, isList);
			// An empty Go slice may arrive as null.
			return { metadata: list.metadata, items: list.items ?? [] };
		},

		create: <T extends KubeObject>(
			resource: Resource,
			object: T,
			options: WriteOptions = {},
		) => {
			const { namespace } = object.metadata;
			const path = pathOf(resource, namespace ? { namespace } : {});
			const body = { ...typeOf(resource), ...object };
			return request<T>(
				{ method: "POST", path, query: queryOf(options), body },
				options,
				isObject,
			);
		},

		replace: <T extends KubeObject>(
			resource: Resource,
			object: T,
			{
				subresource,
				...options
			}: NonNullable<Parameters<KubeClient["replace"]>[2]> = {},
		) => {
			const { name, namespace } = object.metadata;
			const path = pathOf(resource, {
				name,
				...(namespace ? { namespace } : {}),
				...(subresource ? { subresource } : {}),
			});
			const body = { ...typeOf(resource), ...object };
			return request<T>({ method: "PUT", path, body }, options, isObject);
		},

		patch: <T extends KubeObject>(
			resource: Resource,
			ref: Parameters<KubeClient["patch"]>[1],
			patch: Patch,
			options: WriteOptions = {},
		) =>
			request<T>(
				{
					method: "PATCH",
					path: pathOf(resource, ref),
					contentType: patchTypes[patch.type],
					...(patch.type === "apply"
						? {
								query: {
									fieldManager: patch.fieldManager,
									force: patch.force,
									...queryOf(options),
								},
								body: { ...typeOf(resource), ...patch.body },
							}
						: { query: queryOf(options), body: patch.body }),
				},
				options,
				isObject,
			),

		async delete(resource, ref, preconditions, options = {}) {
			const { gracePeriodSeconds } = options;
			const body = {
				apiVersion: "v1",
				kind: "DeleteOptions",
				...(preconditions ? { preconditions } : {}),
				...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
			};
			const path = pathOf(resource, ref);
			await request({ method: "DELETE", path, body }, options, isKind);
		},

		async act(resource, ref, body, options = {}) {
			const path = pathOf(resource, ref);
			await request({ method: "POST", path, body }, options, isKind);
		},

		async watch<T extends KubeObject>(
			resource: Resource,
			{ namespace, ...query }: Parameters<KubeClient["watch"]>[1],
			{ signal, onBytes, isKnown }: Parameters<KubeClient["watch"]>[2],
		) {
			const call: Call = {
				method: "GET",
				path: pathOf(resource, namespace ? { namespace } : {}),
				query: { ...query, watch: true },
			};
			const subject = `WATCH ${call.path}`;
			// Outlives the opening, whose own signal ends with it.
			const stop = new AbortController();
			const abort = () => stop.abort(signal.reason);
			signal.addEventListener("abort", abort, { once: true });
			const untrack = track(subject, stop);
			const end = () => {
				untrack();
				signal.removeEventListener("abort", abort);
			};
			try {
				const incoming = await bounded(subject, { signal }, async (opening) => {
					const halt = () => stop.abort(opening.reason);
					opening.addEventListener("abort", halt, { once: true });
					try {
						const head = await send(call, subject, stop.signal, "fresh");
						if (head.statusCode === 200) return head;
						const answer = await read(head, subject, stop.signal);
						throw errorOfAnswer(subject, answer, clock.now());
					} finally {
						opening.removeEventListener("abort", halt);
					}
				});
				incoming.once("close", end);
				return follow<T>(incoming, subject, stop.signal, onBytes, isKnown);
			} catch (error) {
				end();
				throw error;
			}
		},

		close,
	};

	async function* follow<T extends KubeObject>(
		incoming: http.IncomingMessage,
		subject: string,
		signal: AbortSignal,
		onBytes: (() => void) | undefined,
		isKnown: IsKnown | undefined,
	): AsyncGenerator<WatchEvent<T>[], void, undefined> {
		async function* chunks() {
			for await (const chunk of incoming) {
				onBytes?.();
				yield chunk as Buffer;
			}
		}
		try {
			yield* watchEvents<T>(chunks(), subject, isKnown);
		} catch (error) {
			if (signal.aborted) return;
			if (isFairleadError(error)) throw error;
			throw connectionError(subject, connection, error);
		}
	}
}

/** Objects out of lists and caches carry neither; the API server wants both in a body. */
function typeOf(resource: Resource): { apiVersion: string; kind: string } {
	const { group, version, kind } = resource;
	return { apiVersion: group ? `${group}/${version}` : version, kind };
}

function queryOf({ dryRun }: WriteOptions): Record<string, string> {
	return dryRun ? { dryRun: "All", fieldValidation: "Strict" } : {};
}

function jsonOf(answer: Answer): unknown {
	try {
		return JSON.parse(answer.body);
	} catch {
		return undefined; // The caller says what came instead.
	}
}

interface Loose {
	kind?: unknown;
	metadata?: { name?: unknown; resourceVersion?: unknown } | null;
	items?: unknown;
}

function isObject(body: unknown): boolean {
	return typeof (body as Loose | null)?.metadata?.name === "string";
}

function isList(body: unknown): boolean {
	const list = body as Loose | null | undefined;
	return (
		typeof list?.metadata?.resourceVersion === "string" &&
		(Array.isArray(list.items) || list.items === null)
	);
}

/** A delete answers with a Status or with the object. */
function isKind(body: unknown): boolean {
	return typeof (body as Loose | null)?.kind === "string";
}

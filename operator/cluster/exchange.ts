import type http from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Clock } from "../clock.ts";
import { FairleadError } from "../errors.ts";
import type { Answer } from "./answers.ts";
import {
	type Connection,
	type Credentials,
	sameCredentials,
} from "./connection.ts";
import type { CallOptions } from "./kube.ts";
import { connectionError, createTransport } from "./transport.ts";

const defaultTimeoutMs = 30_000;

/** One HTTP request to the API server, before headers and credentials. */
export interface Call {
	method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
	path: string;
	query?: Record<string, string | number | boolean | undefined>;
	body?: object;
	contentType?: string;
}

/** Requests that carry credentials, end in time, and come back as complete answers. */
export interface Exchange {
	/** Bounds `work` by a timeout, by the caller's signal and by close(); what came first is what it rejects with. */
	bounded: <R>(
		subject: string,
		options: CallOptions,
		work: (signal: AbortSignal) => Promise<R>,
	) => Promise<R>;
	/** Sends, with new credentials once more if the server refuses those there were: a 401 changed nothing. */
	send: (
		call: Call,
		subject: string,
		signal: AbortSignal,
		via: "pooled" | "fresh",
	) => Promise<http.IncomingMessage>;
	/** Reads an answer to its end; a connection that breaks on the way is KubeUnreachable, not a short answer. */
	read: (
		incoming: http.IncomingMessage,
		subject: string,
		signal: AbortSignal,
	) => Promise<Answer>;
	/** Has close() abort `stop` too, until the function it returns is called. */
	track: (subject: string, stop: AbortController) => () => void;
	close: () => void;
}

export function createExchange(
	connection: Connection,
	clock: Clock,
	userAgent: string,
	maxSockets: number,
): Exchange {
	const transport = createTransport(connection, maxSockets);
	const running = new Map<AbortController, string>();
	let closed = false;

	const track = (subject: string, stop: AbortController) => {
		running.set(stop, subject);
		return () => void running.delete(stop);
	};

	const bounded = async <R>(
		subject: string,
		{ signal, timeoutMs = defaultTimeoutMs }: CallOptions,
		work: (signal: AbortSignal) => Promise<R>,
	): Promise<R> => {
		if (closed) throw closedError(subject);
		signal?.throwIfAborted();
		const stop = new AbortController();
		const abort = () => stop.abort(signal?.reason);
		signal?.addEventListener("abort", abort, { once: true });
		const cancel = clock.after(timeoutMs, () =>
			stop.abort(
				new FairleadError(
					"KubeUnreachable",
					`${subject}: no complete answer from ${connection.server.origin} within ${timeoutMs / 1000} s`,
				),
			),
		);
		const untrack = track(subject, stop);
		try {
			return await work(stop.signal);
		} finally {
			cancel();
			untrack();
			signal?.removeEventListener("abort", abort);
		}
	};

	const send = async (
		call: Call,
		subject: string,
		signal: AbortSignal,
		via: "pooled" | "fresh",
	): Promise<http.IncomingMessage> => {
		const body =
			call.body === undefined ? undefined : JSON.stringify(call.body);
		const attempt = (credentials: Credentials) =>
			transport.send(
				{
					method: call.method,
					path: call.path + queryString(call.query),
					headers: {
						accept: "application/json",
						"user-agent": userAgent,
						...(connection.disableCompression || via === "fresh"
							? {}
							: { "accept-encoding": "gzip" }),
						...(body === undefined
							? {}
							: {
									"content-type": call.contentType ?? "application/json",
									"content-length": Buffer.byteLength(body),
								}),
					},
					credentials,
					signal,
					subject,
					...(body === undefined ? {} : { body }),
				},
				via,
			);
		const credentials = await unless(signal, connection.credentials());
		const first = await attempt(credentials);
		if (first.statusCode !== 401) return first;
		const renewed = await unless(signal, connection.credentials(credentials));
		if (sameCredentials(renewed, credentials)) return first;
		first.resume();
		return attempt(renewed);
	};

	const read = async (
		incoming: http.IncomingMessage,
		subject: string,
		signal: AbortSignal,
	): Promise<Answer> => {
		const whole = await wholeOf(incoming).catch((error: unknown) => {
			if (signal.aborted) throw signal.reason;
			throw connectionError(subject, connection, error);
		});
		signal.throwIfAborted();
		const { headers, statusCode = 0 } = incoming;
		try {
			const plain =
				headers["content-encoding"] === "gzip"
					? await promisify(gunzip)(whole)
					: whole;
			return {
				status: statusCode,
				contentType: headers["content-type"] ?? "",
				body: plain.toString("utf8"),
				...(headers["retry-after"]
					? { retryAfter: headers["retry-after"] }
					: {}),
				...(headers.location && statusCode < 400
					? { location: headers.location }
					: {}),
			};
		} catch (error) {
			throw new FairleadError(
				"KubeBadAnswer",
				`${subject}: ${statusCode} with a body that cannot be decoded: ${(error as Error).message}`,
				{ cause: error },
			);
		}
	};

	return {
		bounded,
		send,
		read,
		track,
		close() {
			closed = true;
			for (const [stop, subject] of running) stop.abort(closedError(subject));
			transport.close();
		},
	};
}

/** Rejects where the stream is destroyed before its end. By events: an iterator costs as much as the rest of a call. */
function wholeOf(incoming: http.IncomingMessage): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		if (incoming.errored) return reject(incoming.errored);
		const chunks: Buffer[] = [];
		incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
		incoming.on("end", () => resolve(Buffer.concat(chunks)));
		incoming.on("error", reject);
		incoming.on("close", () => reject(new Error("closed before its end")));
	});
}

function closedError(subject: string): FairleadError {
	return new FairleadError(
		"KubeUnreachable",
		`${subject}: the client is closed`,
	);
}

/** Rejects as soon as `signal` does, whatever becomes of `promise`. */
function unless<R>(signal: AbortSignal, promise: Promise<R>): Promise<R> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(signal.reason as Error);
		if (signal.aborted) abort();
		signal.addEventListener("abort", abort, { once: true });
		promise
			.then(resolve, reject)
			.finally(() => signal.removeEventListener("abort", abort));
	});
}

function queryString(query: Call["query"] = {}): string {
	const given = Object.entries(query)
		.filter(([, value]) => value !== undefined)
		.map(([name, value]) => [name, String(value)]);
	return given.length > 0 ? `?${new URLSearchParams(given).toString()}` : "";
}

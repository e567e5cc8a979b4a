import {
	Agent as HttpAgent,
	type IncomingHttpHeaders,
	request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { z } from "zod";
import type { Clock } from "../../clock.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { Budget, Caller, CloudBudgets, RateAnswer } from "./budget.ts";
import { oneLine, refusalOf } from "./refusals.ts";

export interface CloudCall extends Caller {
	method: "GET" | "POST" | "PUT" | "DELETE";
	/** Below the endpoint, with a leading slash. */
	path: string;
	query?: [name: string, value: string][];
	body?: unknown;
}

/** One cloud API endpoint, spoken to with one token. */
export interface CloudHttp {
	/** The answer, checked. Throws FairleadErrors of the Cloud… kind, or the signal's reason. */
	call<T extends z.ZodType>(call: CloudCall, answer: T): Promise<z.output<T>>;
	/** Milliseconds to leave between calls that only ask how work is getting on. */
	pace(): number;
	close(): void;
}

export interface CloudHttpOptions {
	/** Base URL up to and including the version. */
	endpoint: URL;
	token: () => Promise<string>;
	budgets: CloudBudgets;
	clock: Clock;
	log: Log;
	/** Milliseconds for one call, from the first byte sent to the last received. */
	timeoutMs?: number;
}

/** No list page of 50 balancers comes near. */
const largestAnswer = 16 * 1024 * 1024;

/** Said again at most so often. */
const limitedEveryMs = 10 * 60_000;

interface Answer {
	status: number;
	headers: IncomingHttpHeaders;
	text: string;
}

export function createCloudHttp(options: CloudHttpOptions): CloudHttp {
	const { endpoint, budgets, clock, log, timeoutMs = 30_000 } = options;
	const secure = endpoint.protocol === "https:";
	const agent = new (secure ? HttpsAgent : HttpAgent)({
		keepAlive: true,
		maxSockets: 16,
	});
	const base = endpoint.pathname.replace(/\/+$/, "");
	let quietUntil = Number.NEGATIVE_INFINITY;
	/** Held here: the registry of budgets holds none. */
	let current: { token: string; budget: Budget } | undefined;

	function budgetOf(token: string): Budget {
		if (current?.token !== token)
			current = { token, budget: budgets.of(endpoint.href, token) };
		return current.budget;
	}

	/** One line for all who wait, not one each. */
	function sayLimited({ origin }: URL): void {
		if (clock.monotonic() < quietUntil) return;
		quietUntil = clock.monotonic() + limitedEveryMs;
		log.info(
			{ cloud: origin },
			"the cloud's rate limit is used up: calls wait their turn, deletes first, then creates, then updates",
		);
	}

	/** One exchange. Rejects with what the socket says, or the signal's reason. */
	function exchange(
		call: CloudCall,
		token: string,
		newSocket: boolean,
	): Promise<Answer> {
		return new Promise((resolve, reject) => {
			if (call.signal.aborted) return reject(call.signal.reason as Error);
			const body =
				call.body === undefined ? undefined : JSON.stringify(call.body);
			const search = new URLSearchParams(call.query ?? []).toString();
			const request = (secure ? httpsRequest : httpRequest)({
				agent: newSocket ? false : agent,
				host: endpoint.hostname.replace(/^\[(.*)\]$/, "$1"),
				port: endpoint.port || (secure ? 443 : 80),
				method: call.method,
				path: `${base}${call.path}${search ? `?${search}` : ""}`,
				headers: {
					accept: "application/json",
					authorization: `Bearer ${token}`,
					"user-agent": "fairlead",
					...(body === undefined
						? {}
						: {
								"content-type": "application/json",
								"content-length": Buffer.byteLength(body),
							}),
				},
			});
			const cancelTimeout = clock.after(timeoutMs, () =>
				fail(new Error(`no answer within ${timeoutMs / 1_000} s`)),
			);
			const aborted = () => fail(call.signal.reason as Error);
			call.signal.addEventListener("abort", aborted, { once: true });
			let over = false;
			function finish(): boolean {
				if (over) return false;
				over = true;
				cancelTimeout();
				call.signal.removeEventListener("abort", aborted);
				return true;
			}
			function fail(error: Error): void {
				if (!finish()) return;
				request.destroy();
				// On a kept socket the other side may have closed while nothing was under way: nothing was read.
				reject(
					request.reusedSocket && !call.signal.aborted
						? Object.assign(error, { staleSocket: true })
						: error,
				);
			}
			request.on("error", fail);
			request.on("response", (response) => {
				const chunks: Buffer[] = [];
				let size = 0;
				response.on("data", (chunk: Buffer) => {
					size += chunk.length;
					if (size > largestAnswer) fail(new Error("the answer is too large"));
					else chunks.push(chunk);
				});
				response.on("error", fail);
				response.on("end", () => {
					if (!finish()) return;
					resolve({
						status: response.statusCode ?? 0,
						headers: response.headers,
						text: Buffer.concat(chunks).toString("utf8"),
					});
				});
				response.on("close", () => fail(new Error("the answer was cut off")));
			});
			request.end(body);
		});
	}

	async function exchangeAgain(call: CloudCall, token: string) {
		try {
			return await exchange(call, token, false);
		} catch (error) {
			// Reading again is harmless; a write that may have happened is the caller's to look into.
			const stale = (error as { staleSocket?: boolean }).staleSocket === true;
			if (!stale || call.method !== "GET") throw error;
			return await exchange(call, token, true);
		}
	}

	return {
		async call(call, schema) {
			const what = `${call.method} ${call.path}`;
			const token = await options.token();
			const budget = budgetOf(token);
			await budget.enter(call).catch((error: unknown) => {
				if (isFairleadError(error, "CloudRateLimited")) sayLimited(endpoint);
				throw error;
			});
			const started = clock.monotonic();
			let answer: Answer;
			try {
				answer = await exchangeAgain(call, token);
			} catch (error) {
				budget.leave();
				if (call.signal.aborted) throw error;
				log.debug({ call: what, error }, "cloud call failed");
				throw unreachable(what, endpoint, error);
			}
			const pause = budget.leave(rateAnswer(answer, clock));
			const { status } = answer;
			const ms = Math.round(clock.monotonic() - started);
			log.debug({ call: what, status, ms }, "cloud call");
			try {
				return read(what, answer, pause, schema);
			} catch (error) {
				throw withoutToken(error, token);
			}
		},
		pace: () => current?.budget.pace() ?? 0,
		close: () => agent.destroy(),
	};
}

function read<T extends z.ZodType>(
	what: string,
	{ status, headers, text }: Answer,
	pause: number | undefined,
	schema: T,
): z.output<T> {
	const body = parse(text);
	if (status < 200 || status > 299)
		throw refusalOf(what, status, body, pause ?? retryAfter(headers));
	// DELETE may be answered by 204 and nothing at all.
	const checked = schema.safeParse(text === "" ? {} : body);
	if (checked.success) return checked.data;
	if (body === undefined && text !== "")
		throw new FairleadError(
			"CloudBadAnswer",
			oneLine(
				`${what}: the answer is not JSON; it begins with ${text.slice(0, 60)}`,
			),
		);
	const [issue] = checked.error.issues;
	throw new FairleadError(
		"CloudBadAnswer",
		oneLine(
			`${what}: the answer's ${issue?.path.join(".") || "body"} is not as the Hetzner Cloud API has it: ${issue?.message}`,
		),
	);
}

function parse(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function unreachable(what: string, endpoint: URL, error: unknown) {
	const { message, code } = error as NodeJS.ErrnoException;
	return new FairleadError(
		"CloudUnreachable",
		oneLine(
			`${what}: ${endpoint.origin} cannot be reached: ${message || code || String(error)}`,
		),
		{ cause: error },
	);
}

/** Messages end up in conditions and events that many people read. */
function withoutToken(error: unknown, token: string): unknown {
	if (!isFairleadError(error) || !token || !error.message.includes(token))
		return error;
	return new FairleadError(
		error.code,
		error.message.replaceAll(token, "[token]"),
		{
			cause: error.cause,
			...(error.retryAfterMs === undefined
				? {}
				: { retryAfterMs: error.retryAfterMs }),
		},
	);
}

/** Milliseconds of a Retry-After header: seconds, or a date (RFC 9110, 10.2.3), measured by the other side's clock. */
function retryAfter(
	headers: IncomingHttpHeaders,
	now = Date.parse(headers.date ?? ""),
): number | undefined {
	const value = headers["retry-after"];
	if (value === undefined) return undefined;
	if (/^\d+$/.test(value.trim())) return Number(value) * 1_000;
	const ms = Date.parse(value) - now;
	return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function rateAnswer({ status, headers }: Answer, clock: Clock): RateAnswer {
	const header = (name: string): number | undefined => {
		const value = headers[name];
		return typeof value === "string" && /^\d+$/.test(value)
			? Number(value)
			: undefined;
	};
	const date = Date.parse(headers.date ?? "");
	const now = Number.isNaN(date) ? clock.now() : date;
	const answer: RateAnswer = { limited: status === 429 };
	const limit = header("ratelimit-limit");
	if (limit !== undefined) answer.limit = limit;
	const remaining = header("ratelimit-remaining");
	if (remaining !== undefined) answer.remaining = remaining;
	// Seconds since the epoch when the bucket will be full again.
	const reset = header("ratelimit-reset");
	if (reset !== undefined) answer.resetMs = Math.max(0, reset * 1_000 - now);
	const retryAfterMs = retryAfter(headers, now);
	if (retryAfterMs !== undefined) answer.retryAfterMs = retryAfterMs;
	return answer;
}

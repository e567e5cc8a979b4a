import {
	type ErrorCode,
	FairleadError,
	type FairleadErrorOptions,
} from "../errors.ts";
import type { Status } from "./kube.ts";

/** A complete HTTP answer. */
export interface Answer {
	status: number;
	contentType: string;
	retryAfter?: string;
	location?: string;
	body: string;
}

const longestMessage = 600;

/** `text` on one line, without control characters, cut to `limit` characters. */
export function oneLine(text: string, limit = longestMessage): string {
	const line = text.replace(/[\p{Cc}\s]+/gu, " ").trim();
	return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/**
 * The error for an answer that is no success. `request` is `METHOD path`; `now` is wall time, for a Retry-After that is a
 * date. Codes follow the API conventions, "HTTP Status codes": the reason distinguishes what shares a code.
 */
export function errorOfAnswer(
	request: string,
	answer: Answer,
	now: number,
): FairleadError {
	const status = statusOf(answer);
	if (status) return errorOfStatus(request, status, answer, now);
	const said = `${request}: ${answer.status} ${snippet(answer)}`;
	const code = codeOfPlainAnswer(answer);
	return new FairleadError(code, said, retryAfter(answer, undefined, now));
}

/** The error for a Status, be it the body of an answer or the object of an in-stream ERROR event. */
export function errorOfStatus(
	request: string,
	status: Status,
	answer: Pick<Answer, "status" | "retryAfter"> = { status: status.code ?? 0 },
	now = 0,
): FairleadError {
	const causes = (status.details?.causes ?? [])
		.map((cause) => cause.message ?? cause.reason ?? "")
		.filter((cause) => cause && !(status.message ?? "").includes(cause));
	const said = [status.message || status.reason || "no message", ...causes];
	return new FairleadError(
		codeOfStatus(answer.status),
		`${request}: ${oneLine(said.join("; "))}`,
		{
			...retryAfter(answer, status.details?.retryAfterSeconds, now),
			...(status.reason === undefined ? {} : { reason: status.reason }),
			fields: (status.details?.causes ?? []).flatMap(({ field, message }) =>
				field && message ? { field, message: oneLine(message) } : [],
			),
		},
	);
}

function codeOfStatus(status: number): ErrorCode {
	switch (status) {
		case 401:
			return "KubeUnauthorized";
		case 403:
			return "KubeForbidden";
		case 404:
			return "KubeNotFound";
		case 409:
			return "KubeConflict";
		case 410:
			return "KubeGone";
		case 429:
			return "KubeTooManyRequests";
	}
	if (status >= 500) return "KubeServerError";
	return status >= 400 ? "KubeInvalid" : "KubeBadAnswer";
}

/**
 * Without a Status the code alone proves little: a 404 page of some proxy must not read as "the object is gone". The
 * API server itself sends plain text for a group it does not serve (404), for 429 of its flow control, and for most
 * of what its outer filters refuse (401, 403).
 */
function codeOfPlainAnswer(answer: Answer): ErrorCode {
	switch (answer.status) {
		case 401:
		case 403:
		case 429:
			return codeOfStatus(answer.status);
		case 404:
			return answer.body.trim() === "404 page not found"
				? "KubeNotFound"
				: "KubeBadAnswer";
	}
	return answer.status >= 500 ? "KubeServerError" : "KubeBadAnswer";
}

function statusOf(answer: Answer): Status | undefined {
	try {
		const body = JSON.parse(answer.body) as Partial<Status> | null;
		return body?.kind === "Status" ? (body as Status) : undefined;
	} catch {
		return undefined; // Not JSON: the caller goes by the HTTP code and shows the text.
	}
}

/** What an answer that is not a Status looks like, for people. */
export function snippet(answer: Answer): string {
	if (answer.location) return `redirects to ${oneLine(answer.location, 200)}`;
	const kind = answer.contentType.split(";")[0] || "no content type";
	const text = oneLine(answer.body.replace(/<[^>]*>/g, " "), 160);
	return text ? `${text} (${kind})` : `(empty, ${kind})`;
}

function retryAfter(
	answer: Pick<Answer, "retryAfter">,
	seconds: number | undefined,
	now: number,
): FairleadErrorOptions {
	const header = answer.retryAfter?.trim() ?? "";
	if (/^\d+$/.test(header)) return { retryAfterMs: Number(header) * 1000 };
	const date = header ? Date.parse(header) : Number.NaN;
	if (!Number.isNaN(date)) return { retryAfterMs: Math.max(0, date - now) };
	return typeof seconds === "number" && seconds > 0
		? { retryAfterMs: seconds * 1000 }
		: {};
}

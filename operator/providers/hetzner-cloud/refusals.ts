import {
	type ErrorCode,
	FairleadError,
	isFairleadError,
} from "../../errors.ts";

/** What a cloud answered instead of doing what was asked: the `cause` of the FairleadErrors made here. */
export interface CloudRefusal {
	status: number;
	/** The wire's own code, for instance `uniqueness_error`; "" if the body had none. */
	code: string;
	/** Names of the fields it complains about. */
	fields: string[];
}

/** Codes whose meaning the status alone does not give. Source: docs.hetzner.cloud, Errors. */
const codes: Record<string, ErrorCode> = {
	unauthorized: "CloudUnauthorized",
	forbidden: "CloudUnauthorized",
	token_readonly: "CloudUnauthorized",
	not_found: "CloudNotFound",
	locked: "CloudBusy",
	conflict: "CloudBusy",
	resource_locked: "CloudBusy",
	robot_unavailable: "CloudBusy",
	uniqueness_error: "CloudNameTaken",
	resource_limit_exceeded: "CloudQuota",
	rate_limit_exceeded: "CloudRateLimited",
	protected: "CloudRefused",
	resource_unavailable: "CloudServerError",
	service_error: "CloudServerError",
	server_error: "CloudServerError",
	unknown_error: "CloudServerError",
	maintenance: "CloudServerError",
	bad_gateway: "CloudServerError",
	timeout: "CloudServerError",
};

const statuses: Record<number, ErrorCode> = {
	401: "CloudUnauthorized",
	403: "CloudUnauthorized",
	404: "CloudNotFound",
	409: "CloudBusy",
	412: "CloudQuota",
	423: "CloudBusy",
	429: "CloudRateLimited",
};

/**
 * The error a non-2xx answer stands for. `body` is the parsed body, undefined if it was no JSON; `call` is
 * `METHOD /path`.
 */
export function refusalOf(
	call: string,
	status: number,
	body: unknown,
	retryAfterMs?: number,
): FairleadError {
	const error = isRecord(body) && isRecord(body.error) ? body.error : {};
	const code = typeof error.code === "string" ? error.code : "";
	const fields = fieldsOf(error.details);
	const said = [
		typeof error.message === "string" ? error.message : `status ${status}`,
		...fields.map(({ name, messages }) => `${name}: ${messages.join(", ")}`),
	].join("; ");
	const cause: CloudRefusal = {
		status,
		code,
		fields: fields.map((field) => field.name),
	};
	return new FairleadError(
		codes[code] ??
			statuses[status] ??
			(status >= 500 ? "CloudServerError" : "CloudRefused"),
		oneLine(`${call}: ${said}${code ? ` (${code})` : ""}`),
		{ cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
	);
}

/** What the cloud answered, if the error is the cloud's answer. */
export function cloudRefusal(error: unknown): CloudRefusal | undefined {
	if (!isFairleadError(error) || !isRecord(error.cause)) return undefined;
	const { status, code, fields } = error.cause;
	return typeof status === "number" &&
		typeof code === "string" &&
		Array.isArray(fields)
		? { status, code, fields: fields as string[] }
		: undefined;
}

/** True when it is unknown whether the call had its effect. */
export function mayHaveHappened(error: unknown): boolean {
	return isFairleadError(
		error,
		"CloudUnreachable",
		"CloudServerError",
		"CloudBadAnswer",
	);
}

/** One line of at most 500 characters, whatever another machine wrote. */
export function oneLine(text: string): string {
	const line = text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
	return line.length > 500 ? `${line.slice(0, 499)}…` : line;
}

function fieldsOf(details: unknown): { name: string; messages: string[] }[] {
	if (!isRecord(details) || !Array.isArray(details.fields)) return [];
	return details.fields.filter(isRecord).map((field) => ({
		name: String(field.name),
		messages: Array.isArray(field.messages) ? field.messages.map(String) : [],
	}));
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

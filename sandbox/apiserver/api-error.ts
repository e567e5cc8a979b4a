import type { JsonObject } from "./schema/decode.ts";

/** One entry of `details.causes`. */
export interface Cause {
	reason: string;
	message: string;
	field?: string;
}

/** A request that ends in a metav1.Status; reasons and messages are those of k8s.io/apimachinery/pkg/api/errors. */
export class ApiError extends Error {
	readonly code: number;
	readonly reason: string;
	readonly details: JsonObject | undefined;

	constructor(
		code: number,
		reason: string,
		message: string,
		details?: JsonObject,
	) {
		super(message);
		this.code = code;
		this.reason = reason;
		this.details = details;
	}

	/** The body. */
	status(): JsonObject {
		return {
			kind: "Status",
			apiVersion: "v1",
			metadata: {},
			status: "Failure",
			message: this.message,
			...(this.reason ? { reason: this.reason } : {}),
			...(this.details ? { details: this.details } : {}),
			code: this.code,
		};
	}
}

/** What errors need to know of a kind. */
export interface ErrorSubject {
	group: string;
	plural: string;
	kind: string;
}

/** `deployments.apps`: how messages name a resource. */
export function qualified(subject: ErrorSubject): string {
	return subject.group ? `${subject.plural}.${subject.group}` : subject.plural;
}

function details(subject: ErrorSubject, name: string): JsonObject {
	return {
		...(name ? { name } : {}),
		...(subject.group ? { group: subject.group } : {}),
		kind: subject.plural,
	};
}

export const notFound = (subject: ErrorSubject, name: string): ApiError =>
	new ApiError(
		404,
		"NotFound",
		`${qualified(subject)} ${JSON.stringify(name)} not found`,
		details(subject, name),
	);

export const alreadyExists = (subject: ErrorSubject, name: string): ApiError =>
	new ApiError(
		409,
		"AlreadyExists",
		`${qualified(subject)} ${JSON.stringify(name)} already exists`,
		details(subject, name),
	);

export const conflict = (
	subject: ErrorSubject,
	name: string,
	why: string,
): ApiError =>
	new ApiError(
		409,
		"Conflict",
		`Operation cannot be fulfilled on ${qualified(subject)} ${JSON.stringify(name)}: ${why}`,
		details(subject, name),
	);

export const modified =
	"the object has been modified; please apply your changes to the latest version and try again";

export const forbidden = (
	subject: ErrorSubject,
	name: string,
	why: string,
	causes: Cause[] = [],
): ApiError =>
	new ApiError(
		403,
		"Forbidden",
		`${qualified(subject)} ${JSON.stringify(name)} is forbidden: ${why}`,
		{
			...details(subject, name),
			...(causes.length ? { causes: causes as unknown as JsonObject[] } : {}),
		},
	);

export const badRequest = (message: string): ApiError =>
	new ApiError(400, "BadRequest", message);

export const internal = (message: string): ApiError =>
	new ApiError(500, "InternalError", `Internal error occurred: ${message}`, {
		causes: [{ message }],
	});

export const expired = (message: string): ApiError =>
	new ApiError(410, "Expired", message);

export const methodNotSupported = (
	subject: ErrorSubject,
	verb: string,
): ApiError =>
	new ApiError(
		405,
		"MethodNotAllowed",
		`${verb} is not supported on resources of kind ${JSON.stringify(qualified(subject))}`,
		details(subject, ""),
	);

export const unsupportedMediaType = (message: string): ApiError =>
	new ApiError(415, "UnsupportedMediaType", message);

/** Asks for a resourceVersion the server has not reached. */
export function tooLargeResourceVersion(
	asked: number,
	current: number,
): ApiError {
	const cause = "Too large resource version";
	return new ApiError(
		504,
		"Timeout",
		`Timeout: Too large resource version: ${asked}, current: ${current}`,
		{
			causes: [{ reason: "ResourceVersionTooLarge", message: cause }],
			retryAfterSeconds: 1,
		},
	);
}

/** `error` as an ApiError: what was not meant to be thrown is a 500 without a reason, as the real server has it. */
export function asApiError(error: unknown): ApiError {
	return error instanceof ApiError
		? error
		: new ApiError(
				500,
				"",
				error instanceof Error ? error.message : String(error),
			);
}

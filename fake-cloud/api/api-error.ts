/** Hetzner's error codes this cloud answers with, and the HTTP status of each (docs.hetzner.cloud, "Errors"). */
const statuses = {
	json_error: 400,
	unauthorized: 401,
	forbidden: 403,
	resource_limit_exceeded: 403,
	not_found: 404,
	method_not_allowed: 405,
	uniqueness_error: 409,
	conflict: 409,
	resource_unavailable: 412,
	invalid_input: 422,
	unsupported_error: 422,
	source_port_already_used: 422,
	target_already_defined: 422,
	missing_ipv4: 422,
	server_not_attached_to_network: 422,
	load_balancer_not_attached_to_network: 422,
	load_balancer_already_attached: 422,
	targets_without_use_private_ip: 422,
	invalid_load_balancer_type: 422,
	ip_not_available: 422,
	no_subnet_available: 422,
	resource_in_use: 422,
	locked: 423,
	protected: 423,
	rate_limit_exceeded: 429,
	server_error: 500,
	unavailable: 503,
} as const;

export type ApiErrorCode = keyof typeof statuses;

/** What a request is refused with: `{"error": {"code", "message", "details"}}` on the wire. */
export class ApiError extends Error {
	readonly code: ApiErrorCode;
	readonly status: number;
	readonly details: unknown;

	constructor(code: ApiErrorCode, message: string, details: unknown = {}) {
		super(message);
		this.code = code;
		this.status = statuses[code];
		this.details = details;
	}

	body() {
		return {
			error: { code: this.code, message: this.message, details: this.details },
		};
	}
}

/** 422 naming each field that is wrong, as Hetzner does. */
export function invalidInput(
	fields: { name: string; messages: string[] }[],
): ApiError {
	const first = fields[0];
	return new ApiError(
		"invalid_input",
		first
			? `invalid input in field '${first.name}': ${first.messages.join(", ")}`
			: "invalid input",
		{ fields },
	);
}

export function notFound(what: string, id: number | string): ApiError {
	return new ApiError("not_found", `${what} with ID '${id}' not found`);
}

export function notUnique(what: string, field: string): ApiError {
	return new ApiError(
		"uniqueness_error",
		`${what} with the same ${field} already exists`,
		{ fields: [{ name: field }] },
	);
}

export function limitExceeded(message: string, limit: string): ApiError {
	return new ApiError("resource_limit_exceeded", message, {
		limits: [{ name: limit }],
	});
}

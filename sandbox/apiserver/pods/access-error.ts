import { PodAccessError } from "../../kubelet/pod-access.ts";
import { ApiError, badRequest, internal } from "../api-error.ts";

/** What a kubelet refused, as the API server passes it on (registry/generic/rest/response_checker.go). */
export function asRefusal(error: unknown): unknown {
	if (!(error instanceof PodAccessError)) return error;
	switch (error.httpCode) {
		case 400:
			return badRequest(error.message);
		case 404:
			return new ApiError(404, "NotFound", error.message);
		case 500:
			return internal(error.message);
	}
}

/** For a server that was started without a kubelet to ask. */
export const noKubelet = (): ApiError =>
	new ApiError(
		503,
		"ServiceUnavailable",
		"no kubelet answers for the pods of this API server",
	);

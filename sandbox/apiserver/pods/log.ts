import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { PodAccess } from "../../kubelet/pod-access.ts";
import { ApiError, badRequest } from "../api-error.ts";
import {
	type FieldError,
	forbiddenField,
	invalid,
	invalidObject,
} from "../field-error.ts";
import type { JsonObject } from "../schema/decode.ts";
import { asRefusal, noKubelet } from "./access-error.ts";
import { containerOf, nodeOf, podOf } from "./container.ts";

const subject = { group: "", plural: "pods", kind: "PodLogOptions" };

type LogOptions = Parameters<PodAccess["logs"]>[1];

/** Streams what a container wrote. Throws an ApiError before anything is sent. */
export async function serveLog(
	access: PodAccess | undefined,
	pod: JsonObject,
	query: URLSearchParams,
	response: ServerResponse,
	now: number,
): Promise<void> {
	const { name } = podOf(pod);
	const options = readOptions(name, query, now);
	const container = containerOf(pod, query.get("container") ?? "");
	const head = { "Content-Type": "text/plain" };
	if (!nodeOf(pod)) {
		response.writeHead(200, head).end();
		return;
	}
	if (!access) throw noKubelet();
	let stream: ReturnType<PodAccess["logs"]>;
	try {
		stream = access.logs(podOf(pod), { container, ...options });
	} catch (error) {
		throw asRefusal(error);
	}
	response.writeHead(200, head);
	response.flushHeaders();
	await pipeline(stream, response).catch((error: NodeJS.ErrnoException) => {
		// A client that has seen enough just goes.
		if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
	});
}

function readOptions(
	name: string,
	query: URLSearchParams,
	now: number,
): Omit<LogOptions, "container"> {
	const flag = (key: string) =>
		["true", "1", ""].includes(query.get(key) ?? "false");
	const stream = query.get("stream") ?? "All";
	const tail = integer(query, "tailLines");
	const limitBytes = integer(query, "limitBytes");
	const sinceSeconds = integer(query, "sinceSeconds");
	const sinceTime = query.get("sinceTime");
	const errors: FieldError[] = [];
	if (tail !== undefined && tail < 0)
		errors.push(
			invalid("tailLines", tail, "must be greater than or equal to 0"),
		);
	if (limitBytes !== undefined && limitBytes < 1)
		errors.push(invalid("limitBytes", limitBytes, "must be greater than 0"));
	if (sinceSeconds !== undefined && sinceTime)
		errors.push(
			forbiddenField(
				"",
				"at most one of `sinceTime` or `sinceSeconds` may be specified",
			),
		);
	else if (sinceSeconds !== undefined && sinceSeconds < 1)
		errors.push(
			invalid("sinceSeconds", sinceSeconds, "must be greater than 0"),
		);
	if (errors.length > 0) throw invalidObject(subject, name, errors);
	if (stream !== "All")
		throw new ApiError(
			400,
			"BadRequest",
			`stream=${stream}: the sandbox keeps stdout and stderr as one log; ask for All`,
		);
	const since = sinceTime
		? Date.parse(sinceTime)
		: sinceSeconds && now - sinceSeconds * 1000;
	if (since !== undefined && Number.isNaN(since))
		throw badRequest(
			`parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse it`,
		);
	return {
		follow: flag("follow"),
		previous: flag("previous"),
		timestamps: flag("timestamps"),
		...(tail === undefined ? {} : { tail }),
		...(limitBytes === undefined ? {} : { limitBytes }),
		...(since === undefined ? {} : { since }),
	};
}

function integer(query: URLSearchParams, key: string): number | undefined {
	const text = query.get(key);
	if (text === null || text === "") return undefined;
	if (!/^[-+]?\d+$/.test(text))
		throw badRequest(
			`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
		);
	return Number(text);
}

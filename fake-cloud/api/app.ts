import { randomUUID } from "node:crypto";
import express, {
	type ErrorRequestHandler,
	type Express,
	type RequestHandler,
	type Router,
} from "express";
import { isFairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import { ApiError } from "./api-error.ts";
import type { Telemetry } from "./telemetry.ts";

export interface AppOptions {
	log: Log;
	telemetry: Telemetry;
	/** Answers 503 at /readyz while false. */
	ready: () => boolean;
	v1: Router;
	owner: Router;
	/** What is at / besides. */
	pages: RequestHandler;
}

/** Largest body read; Hetzner's own limit is not documented. */
const bodyLimit = "1mb";

/** Everything the fake cloud answers over HTTP. */
export function createApp({
	log,
	telemetry,
	ready,
	v1,
	owner,
	pages,
}: AppOptions): Express {
	const app = express();
	app.disable("x-powered-by").disable("etag");
	app.get(
		"/livez",
		(_request, response) => void response.type("text").send("ok\n"),
	);
	app.get("/readyz", (_request, response) => {
		response
			.status(ready() ? 200 : 503)
			.type("text")
			.send(ready() ? "ok\n" : "stopping\n");
	});
	app.get("/metrics", async (_request, response) => {
		response
			.type(telemetry.registry.contentType)
			.send(await telemetry.registry.metrics());
	});
	app.use((_request, response, next) => {
		response.set(
			"X-Correlation-Id",
			randomUUID().replaceAll("-", "").slice(0, 16),
		);
		next();
	});
	// Clients do not always say that what they send is JSON.
	app.use(express.json({ limit: bodyLimit, strict: false, type: () => true }));
	app.use("/v1", v1);
	app.use("/fairlead", owner);
	app.use(pages);
	app.use((request) => {
		throw new ApiError(
			"not_found",
			`there is no ${request.method} ${request.path}`,
		);
	});
	app.use(answerErrors(log));
	return app;
}

function answerErrors(log: Log): ErrorRequestHandler {
	return (error: unknown, request, response, _next) => {
		const answer = toApiError(error);
		if (answer.code === "server_error")
			log.error(
				{ err: error, method: request.method, path: request.path },
				"a request could not be answered",
			);
		if (response.headersSent) response.destroy();
		else response.status(answer.status).json(answer.body());
	};
}

function toApiError(error: unknown): ApiError {
	if (error instanceof ApiError) return error;
	// The store has logged it, once.
	if (isFairleadError(error, "StoreFull"))
		return new ApiError("unavailable", error.message);
	const { type, message } = error as { type?: string; message?: string };
	switch (type) {
		case "entity.parse.failed":
			return new ApiError("json_error", `the body is no JSON: ${message}`);
		case "entity.too.large":
			return new ApiError(
				"invalid_input",
				`the body is larger than ${bodyLimit}`,
			);
		case "encoding.unsupported":
		case "charset.unsupported":
		case "request.aborted":
		case "request.size.invalid":
			return new ApiError("json_error", String(message));
		default:
			return error instanceof URIError
				? new ApiError("not_found", "the path is malformed")
				: new ApiError("server_error", "internal server error");
	}
}

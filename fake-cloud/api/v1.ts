import {
	type NextFunction,
	type Request,
	type Response,
	Router,
} from "express";
import type { Clock } from "../../operator/clock.ts";
import { sleep } from "../../operator/clock.ts";
import type { Verdict } from "../faults/faults.ts";
import { actionRoutes } from "./action-routes.ts";
import { ApiError } from "./api-error.ts";
import { catalogRoutes } from "./catalog-routes.ts";
import type { Call, Cloud, Route } from "./cloud.ts";
import { loadBalancerActionRoutes } from "./load-balancer-actions.ts";
import { loadBalancerRoutes } from "./load-balancers.ts";
import { networkRoutes } from "./networks.ts";
import type { Allowance, RateLimit } from "./rate-limit.ts";
import { serverRoutes } from "./servers.ts";
import { sshKeyRoutes } from "./ssh-keys.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Grant, Tokens } from "./tokens.ts";

export interface V1Options {
	cloud: Cloud;
	clock: Clock;
	tokens: Tokens;
	rateLimit: RateLimit;
	telemetry: Telemetry;
}

/** What this cloud can do that Hetzner's cannot, and what it cannot; the answer of `GET /v1/fairlead/capabilities`. */
const capabilities = ({ engine: { transports } }: Cloud) => ({
	/** Of services below HTTP. */
	protocols: transports,
	service_protocols: [...transports, "http"],
	/** `source_ranges` of a service. */
	source_ranges: true,
	/** `affinity_seconds` of a tcp or udp service. */
	affinity: true,
	/** Several targets in one action: `add_targets` and `remove_targets` with `{targets: […]}`, all or none. */
	batch_targets: true,
	/** `fairlead.address` of a server. */
	server_address: true,
});

/** The Hetzner Cloud API, below /v1: who asks, how often, what is to go wrong, and then what is asked. */
export function v1(options: V1Options): Router {
	const { cloud, telemetry, clock } = options;
	const router = Router();
	const routes: Route[] = [
		...catalogRoutes(),
		...actionRoutes(cloud),
		...loadBalancerRoutes(cloud),
		...loadBalancerActionRoutes(cloud),
		...serverRoutes(cloud),
		...networkRoutes(cloud),
		...sshKeyRoutes(cloud),
		{
			method: "get",
			path: "/fairlead/capabilities",
			handle: () => ({ body: { capabilities: capabilities(cloud) } }),
		},
	];
	router.use((request, response, next) => {
		const started = clock.monotonic();
		response.on("close", () => {
			const route = (response.locals["route"] as string | undefined) ?? "none";
			const status = response.writableFinished ? response.statusCode : 0;
			telemetry.answered(
				request.method,
				route,
				status,
				(clock.monotonic() - started) / 1000,
			);
		});
		next();
	});
	router.use((request, response, next) =>
		admit(options, request, response, next),
	);
	for (const route of routes)
		router[route.method](route.path, (request, response) => {
			response.locals["route"] = route.path;
			serve(route, request, response);
		});
	router.use((request) => {
		throw new ApiError(
			"not_found",
			`there is no ${request.method} ${request.baseUrl}${request.path}`,
		);
	});
	return router;
}

async function admit(
	{ cloud, clock, tokens, rateLimit }: V1Options,
	request: Request,
	response: Response,
	next: NextFunction,
): Promise<void> {
	const grant = tokens.grant(request.get("authorization"));
	if (!grant) throw new ApiError("unauthorized", "unable to authenticate");
	const allowance = rateLimit.take(grant.project);
	sendAllowance(response, allowance);
	if (!allowance.allowed) throw rateLimited();
	if (grant.readOnly && request.method !== "GET")
		throw new ApiError("forbidden", "the token may only read");
	const verdict = cloud.faults.judge({
		method: request.method,
		path: `${request.baseUrl}${request.path}`,
		project: grant.project,
	});
	if (verdict.delay > 0) await sleep(clock, verdict.delay);
	if (troubled(verdict, allowance, request, response)) return;
	Object.assign(response.locals, { grant, verdict });
	next();
}

/** Lets a fault have its way in place of the request; false if there is none. */
function troubled(
	{ instead }: Verdict,
	allowance: Allowance,
	request: Request,
	response: Response,
): boolean {
	switch (instead?.kind) {
		case "drop-request":
			request.socket.resetAndDestroy();
			return true;
		case "rate-limit":
			sendAllowance(response, { ...allowance, remaining: 0 });
			throw rateLimited();
		case "error": {
			if (instead.retryAfterSeconds !== undefined)
				response.set("Retry-After", String(instead.retryAfterSeconds));
			const {
				status,
				code = "server_error",
				message = "a fault was ordered",
			} = instead;
			response.status(status).json({ error: { code, message, details: {} } });
			return true;
		}
		case "garbage":
			response
				.type(instead.contentType ?? "application/json")
				.send(Buffer.from(instead.body ?? '{"load_balancers": [{"id": '));
			return true;
		default:
			return false;
	}
}

function serve(route: Route, request: Request, response: Response): void {
	const { grant, verdict } = response.locals as {
		grant: Grant;
		verdict: Verdict;
	};
	const call: Call = {
		project: grant.project,
		path: `${request.baseUrl}${request.path}`,
		params: request.params as Record<string, string>,
		query: request.query,
		body: request.body,
		verdict,
	};
	const { status = 200, body, link } = route.handle(call);
	if (verdict.instead?.kind === "drop-response") {
		request.socket.resetAndDestroy();
		return;
	}
	if (link) response.set("Link", link);
	response.status(status);
	if (body === undefined) response.end();
	else response.json(body);
}

function sendAllowance(
	response: Response,
	{ limit, remaining, reset }: Allowance,
): void {
	response.set({
		"RateLimit-Limit": String(limit),
		"RateLimit-Remaining": String(remaining),
		"RateLimit-Reset": String(reset),
	});
}

function rateLimited(): ApiError {
	return new ApiError(
		"rate_limit_exceeded",
		"limit of requests per hour reached",
	);
}

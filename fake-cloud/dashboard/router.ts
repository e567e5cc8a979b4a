import { type Response, Router } from "express";
import { type Asset, loadAssets } from "./assets.ts";
import type { Clock } from "../../operator/clock.ts";
import type { Explain, PendingAnswer } from "./pending.ts";
import { streamServices } from "./services/service-stream.ts";
import type { ServiceFeed } from "./services/service-feed.ts";

export interface DashboardOptions {
	/** Says which Services wait and why. Without it the page says that it cannot know, and how to enable it. */
	explain?: Explain;
	/** The cluster's Services as paths. Without it the drawing ends at the nodes. */
	services?: ServiceFeed;
	clock: Clock;
}

/**
 * The live page of the fake cloud: `GET /`, its files under `/assets/`, and `GET /dashboard/pending` and `GET /dashboard/services`. Mount it at the
 * root, beside `/fairlead/state`, `/fairlead/events` and `/fairlead/faults` (live.ts), which the page calls on its own
 * origin. Files are read once, here.
 *
 * @throws when a file of the page or a package it needs is missing.
 */
export function dashboard(options: DashboardOptions): Router {
	const { explain, services, clock } = options;
	const assets = loadAssets();
	const router = Router();
	const page = assets.get("index.html");
	if (page === undefined) throw new Error("the dashboard has no index.html");
	assets.delete("index.html");

	router.get("/", (_request, response) => {
		send(response, page);
	});
	router.get("/assets/*path", (request, response, next) => {
		const asset = assets.get(request.params.path.join("/"));
		if (asset === undefined) return next();
		send(response, asset);
	});
	router.get("/dashboard/pending", async (_request, response) => {
		guard(response);
		if (explain === undefined)
			return void response.json({ known: false } satisfies PendingAnswer);
		try {
			const services = await explain();
			response.json({ known: true, services } satisfies PendingAnswer);
		} catch (error) {
			response.status(502).json({
				error: {
					code: "cluster_unavailable",
					message: error instanceof Error ? error.message : String(error),
				},
			});
		}
	});
	router.get("/dashboard/services", (_request, response) => {
		guard(response);
		// 204 tells an EventSource to stay away for good.
		if (services === undefined) return void response.status(204).end();
		streamServices(services, clock, response);
	});
	return router;
}

/** Nothing from elsewhere, nothing inline, no framing; browsers ask again whether a file changed. */
const contentSecurityPolicy = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"connect-src 'self'",
	"img-src 'self' data:",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"require-trusted-types-for 'script'",
	"trusted-types 'none'",
].join("; ");

/** Express answers 304 by itself where the browser has that tag. */
const send = (response: Response, { type, body, tag }: Asset) =>
	guard(response).set("ETag", tag).type(type).send(body);

const guard = (response: Response): Response =>
	response.set({
		"Content-Security-Policy": contentSecurityPolicy,
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control": "no-cache",
	});

import { createServer } from "node:http";
import express from "express";
import type { Registry } from "prom-client";
import { listen } from "./listen.ts";

/** Why a role is not ready; empty when it is. */
export type NotReady = () => string[];

export interface ProbeServerOptions {
	host: string;
	/** 0: any free port. */
	port: number;
	metrics: Registry;
	notReady: NotReady;
}

export interface ProbeServer {
	port: number;
	close(): Promise<void>;
}

/**
 * Serves /livez, /readyz and /metrics for a long-running role. /livez answers while the event loop turns; /readyz
 * answers 503 with one reason a line while the role cannot do its work. Throws ListenFailed.
 */
export async function startProbeServer(
	options: ProbeServerOptions,
): Promise<ProbeServer> {
	const app = express().disable("x-powered-by");
	app.get("/livez", (_request, response) => {
		response.type("text/plain").send("ok\n");
	});
	app.get("/readyz", (_request, response) => {
		const reasons = options.notReady();
		response
			.status(reasons.length === 0 ? 200 : 503)
			.type("text/plain")
			.send(reasons.length === 0 ? "ok\n" : `${reasons.join("\n")}\n`);
	});
	app.get("/metrics", async (_request, response) => {
		response
			.type(options.metrics.contentType)
			.send(await options.metrics.metrics());
	});
	const server = createServer(app);
	const port = await listen(server, options.host, options.port);
	return {
		port,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}
